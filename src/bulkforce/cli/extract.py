"""`bulkforce extract`, and how it is resumed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from bulkforce import arguments
from bulkforce.cli import soql as queries
from bulkforce.cli.choices import Api, AsJson, MaxApiCalls, Numbers, Poll, Quiet, Repeats
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.outcome import carry_out
from bulkforce.cli.progress import naming_run
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    from bulkforce.extract.report import ExtractProgress, ExtractReport
    from bulkforce.protocol.pk_chunking import PKChunking


def extract(
    *,
    soql: Annotated[
        str | None, typer.Argument(help="The query; or use --soql-file or --object.", show_default=False)
    ] = None,
    soql_file: queries.SoqlFile = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .csv, .csv.gz, .jsonl, .parquet or .arrow; - is CSV on standard output.",
            metavar="FILE",
        ),
    ],
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Format, if the file's suffix does not say: csv, csv.gz, jsonl, jsonl.gz, parquet or arrow.",
            metavar="FORMAT",
        ),
    ] = None,
    numbers: Annotated[
        Numbers,
        typer.Option(help="Numbers in CSV and JSON lines: plain decimals, or as the org writes them, such as 1.6E13."),
    ] = Numbers.plain,
    object_name: Annotated[
        str | None,
        typer.Option("--object", help="Instead of a query: extract this object; see --fields.", metavar="NAME"),
    ] = None,
    fields: Annotated[
        str, typer.Option(help="With --object: which fields, such as Id,Name.", metavar="all|LIST")
    ] = "all",
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Include deleted and archived records.")] = False,
    api: Annotated[
        Api, typer.Option(help="Bulk API (v1), or Bulk API 2.0: one job whose results come in pages.")
    ] = Api.bulk1,
    pk_chunking: Annotated[
        str,
        typer.Option(
            help="Let the org split the query by record id: auto (for large objects), off, a chunk size, or options "
            "such as 'chunkSize=100000; parent=Account'.",
            metavar="auto|off|N",
        ),
    ] = "auto",
    since_file: Annotated[
        Path | None,
        typer.Option(
            help="Extract only records changed since the last extract with this file, which stores the highest "
            "SystemModstamp.",
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    repeats: Annotated[
        Repeats,
        typer.Option(
            help="With --since-file, records of the ten minutes before come again: keep and count them, or drop those "
            "with the same id that have not changed since."
        ),
    ] = Repeats.keep,
    append: Annotated[
        bool,
        typer.Option(
            "--append",
            help="Append to a CSV or JSON lines file; a folder gets a Parquet file, named by date and time.",
        ),
    ] = False,
    workers: Annotated[int, typer.Option(help="Concurrent downloads.", min=1, max=64, metavar="N")] = 5,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for this run; by default a new one in bulkforce-runs.", file_okay=False, metavar="FOLDER"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Extract every record that a query finds into a file, and prove that none is missing.

    Example: bulkforce extract "SELECT Id, Name FROM Account" -o accounts.parquet

    With -o -, records go to standard output and the report to standard error.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 4 interrupted, can be resumed.
    """
    query = queries.given(soql, soql_file)
    if fields.strip().lower() != "all":
        query, object_name = _selecting(fields, object_name, query), None
    if append and force:
        raise UsageError("A file is either appended to or overwritten: leave out --append or --force")
    if not force and not append and output != "-" and Path(output).is_file():
        raise UsageError(
            f"{arguments.shown(output)} exists; choose another name, or overwrite it with --force, or use --append"
        )
    chunking = _chunking(pk_chunking)
    client = client_for(org, quiet=quiet)
    carry_out_extract(
        lambda teller: client.extract(
            query,
            to=output,
            object=object_name,
            format=output_format,
            numbers=numbers.value,
            all_rows=all_rows,
            api=api.value,
            pk_chunking=chunking,
            workers=workers,
            run_dir=run_dir,
            since_file=since_file,
            append=append,
            overwrite=force,
            repeats=repeats.value,
            poll=poll,
            max_api_calls=max_api_calls,
            on_event=naming_run(quiet=quiet or output == "-"),
            on_progress=teller,
        ),
        quiet=quiet,
        as_json=as_json,
    )


def _selecting(fields: str, object_name: str | None, query: str | None) -> str:
    names = [name for name in re.split(r"[,\s]+", fields) if name]
    if object_name is None or query is not None:
        raise UsageError("--fields goes with --object; in a query, select the fields themselves")
    wrong = next((name for name in names if not re.fullmatch(r"[A-Za-z][\w.]*", name)), None)
    if wrong or not names:
        what = f"{arguments.shown(wrong)} is none" if wrong else "there are none"
        raise UsageError(f"--fields must be 'all' or names of fields with commas between them; {what}")
    return f"SELECT {', '.join(names)} FROM {arguments.object_name(object_name)}"  # noqa: S608  (no SQL runs here)


def _chunking(text: str) -> Literal["auto"] | bool | int | PKChunking:
    from bulkforce.protocol.pk_chunking import PKChunking

    word = text.strip().lower()
    if word == "auto":
        return "auto"
    if word in {"off", "on", "true", "false"}:
        return word in {"on", "true"}
    try:
        return PKChunking.of_header(text) if "=" in text else int(text.replace("_", "").replace(",", ""))
    except UsageError:
        raise
    except ValueError:
        forms = "auto, off, a chunk size, or 'chunkSize=N; parent=NAME; startRow=ID'"
        raise UsageError(f"--pk-chunking must be {forms}, not {arguments.shown(text)}") from None


def carry_out_extract(
    work: Callable[[Callable[[ExtractProgress], None] | None], ExtractReport], *, quiet: bool, as_json: bool
) -> NoReturn:
    """Run an extract, show its progress and report, and exit with the code for its outcome."""
    from bulkforce.cli.extract_output import extract_done, show_extract
    from bulkforce.extract.standing import extract_standing

    carry_out(work, extract_standing, show_extract, extract_done, quiet=quiet, as_json=as_json)
