"""`bulkforce extract`, and how it is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from bulkforce import arguments
from bulkforce.cli.choices import AsJson, Quiet
from bulkforce.cli.outcome import carry_out
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    from bulkforce.extract.report import ExtractProgress, ExtractReport
    from bulkforce.protocol.pk_chunking import PKChunking


def extract(
    *,
    soql: Annotated[str | None, typer.Argument(help="The query; or use --object.", show_default=False)] = None,
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
    object_name: Annotated[
        str | None,
        typer.Option(
            "--object", help="Instead of a query: extract this object, with every field possible.", metavar="NAME"
        ),
    ] = None,
    fields: Annotated[
        str, typer.Option(help="With --object: which fields; only 'all' is possible.", metavar="all")
    ] = "all",
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Include deleted and archived records.")] = False,
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
    workers: Annotated[int, typer.Option(help="Concurrent downloads.", min=1, max=64, metavar="N")] = 4,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for this run; by default a new one in bulkforce-runs.", file_okay=False, metavar="FOLDER"
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Extract every record that a query finds into a file, and prove that none is missing.

    Example: bulkforce extract "SELECT Id, Name FROM Account" -o accounts.parquet

    With -o -, records go to standard output and the report to standard error.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 4 interrupted, can be resumed.
    """
    from bulkforce.connection import connect
    from bulkforce.extract.asking import ExtractOptions
    from bulkforce.extract.verb import extract as bring
    from bulkforce.run.sitting import Sitting

    if fields != "all":
        raise UsageError(f"--fields must be 'all', not {arguments.shown(fields)}; to choose fields, pass a query")
    chunking = _chunking(pk_chunking)
    client = connect()
    carry_out_extract(
        lambda teller: bring(
            Sitting.of(client.driver),
            ExtractOptions(
                soql=soql,
                object=object_name,
                to=output,
                format=output_format,
                all_rows=all_rows,
                pk_chunking=chunking,
                workers=workers,
                run_dir=run_dir,
                since_file=since_file,
                on_progress=teller,
            ),
        ),
        quiet=quiet,
        as_json=as_json,
    )


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
    from bulkforce.cli.extract_output import extract_done, extract_standing, show_extract

    carry_out(work, extract_standing, show_extract, extract_done, quiet=quiet, as_json=as_json)
