"""`bulkforce load`, `bulkforce resume`, `bulkforce runs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, cast

import typer

from bulkforce.cli.choices import (
    AcceptAs,
    Api,
    AsJson,
    ColumnMap,
    Database,
    DateFormat,
    DecimalComma,
    Delimiter,
    Encoding,
    ExternalId,
    FalseWords,
    File,
    FilesFolder,
    FromSql,
    LineEnds,
    MaxApiCalls,
    ObjectName,
    OnUnknownColumn,
    Operation,
    Poll,
    Quiet,
    Quote,
    Sheet,
    TimeZone,
    TrueWords,
    Values,
    notation,
    source_of,
)
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.outcome import carry_out
from bulkforce.cli.progress import naming_run
from bulkforce.cli.streams import tell

if TYPE_CHECKING:
    from bulkforce.extract.report import ExtractReport
    from bulkforce.load.report import LoadReport, Progress


Workers = Annotated[int, typer.Option(help="Concurrent uploads and downloads.", min=1, max=64, metavar="N")]


def load(
    *,
    file: File = None,
    from_sql: FromSql = None,
    database: Database = None,
    object_name: ObjectName,
    operation: Annotated[Operation, typer.Option(help="What to do with the records.")],
    api: Annotated[
        Api, typer.Option(help="Bulk API (v1), or Bulk API 2.0: each batch is then a job of its own.")
    ] = Api.bulk1,
    external_id: ExternalId = None,
    column_map: ColumnMap = None,
    workers: Workers = 4,
    serial: Annotated[
        bool, typer.Option("--serial", help="Let the org run one batch at a time, to avoid lock errors.")
    ] = False,
    files_folder: FilesFolder = None,
    line_ending: LineEnds = None,
    assignment_rule: Annotated[
        str | None,
        typer.Option("--assignment-rule", help="Assignment rule for cases or leads, by its id.", metavar="ID"),
    ] = None,
    disable_batch_retry: Annotated[
        bool, typer.Option("--disable-batch-retry", help="Ask the org not to retry a batch that takes too long.")
    ] = False,
    headers: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            help="Further header of the API for creating jobs, such as 'Sforce-Call-Options: client=nightly'; "
            "may be repeated.",
            metavar="'NAME: VALUE'",
        ),
    ] = None,
    batch_records: Annotated[
        int | None,
        typer.Option(
            help="Maximum number of records in a batch; by default 10,000, and 50,000 with --api bulk2.",
            min=1,
            max=1_000_000,
            metavar="N",
        ),
    ] = None,
    empty_as_null: Annotated[
        bool,
        typer.Option("--empty-as-null", help="An empty value sets the field to null instead of leaving it as it is."),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(help="Check first whether columns and values fit the object, as bulkforce check does."),
    ] = True,
    on_unknown_column: Annotated[
        OnUnknownColumn,
        typer.Option(help="Columns that cannot be sent: refuse to load, or drop them and load the others."),
    ] = OnUnknownColumn.refuse,
    values: Annotated[
        Values,
        typer.Option(help="Values that the org would refuse: warn and load, refuse to load, or skip checking values."),
    ] = Values.warn,
    date_format: DateFormat = None,
    decimal_comma: DecimalComma = False,
    time_zone: TimeZone = None,
    true_words: TrueWords = None,
    false_words: FalseWords = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quote: Quote = None,
    sheet: Sheet = None,
    excel: Annotated[
        bool,
        typer.Option("--excel", help="Write success.csv, failed.csv and so on for Excel: no value runs as a formula."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only check, and count rows, batches, bytes and API calls; create nothing."),
    ] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder for this run; by default a new one in bulkforce-runs.", file_okay=False, metavar="FOLDER"
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin another run although an earlier one of the same file is not finished."),
    ] = False,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Load a file into an object, each row exactly once, and account for every row.

    Example: bulkforce load contacts.csv --object Contact --operation upsert --external-id Email__c

    An empty CSV value leaves the field as it is; #N/A sets it to null. The run's folder gets success.csv, failed.csv,
    unprocessed.csv and rejected.csv.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 3 finished with failed rows, 4 interrupted, can be resumed.
    """
    source = source_of(file, from_sql, database)
    client = client_for(org, quiet=quiet)
    carry_out_load(
        lambda teller: client.load(
            source,
            object_name,
            operation.value,
            api=api.value,
            external_id=external_id,
            mapping=column_map,
            concurrency_mode="Serial" if serial else None,
            assignment_rule_id=assignment_rule,
            files_folder=files_folder,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry or None,
            headers=_headers(headers) if headers else None,
            workers=workers,
            batch_records=batch_records,
            run_dir=run_dir,
            new_run=new,
            empty_as_null=empty_as_null,
            check=check,
            on_unknown_column=on_unknown_column.value,
            values=values.value,
            notation=notation(date_format, time_zone, true_words, false_words, decimal_comma=decimal_comma),
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
            excel=excel,
            dry_run=dry_run,
            poll=poll,
            max_api_calls=max_api_calls,
            on_event=naming_run(quiet=quiet),
            on_progress=teller,
        ),
        quiet=quiet,
        as_json=as_json,
    )


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon or name.strip() in headers:
            raise typer.BadParameter("each header is given once, as 'Name: value'", param_hint="--header")
        headers[name.strip()] = value.strip()
    return headers


def resume(
    *,
    run: Annotated[str, typer.Argument(help="The run's id, or its folder.")],
    workers: Annotated[
        int | None,
        typer.Option(
            help="Concurrent uploads and downloads; by default as many as before.", min=1, max=64, metavar="N"
        ),
    ] = None,
    accept_as: Annotated[
        AcceptAs | None,
        typer.Option(
            help="How to settle rows that the org may or may not have: sent counts them as sent (any "
            "that the org lacks are lost), not-sent sends them again (any that it has are duplicated)."
        ),
    ] = None,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Continue a load or an extract that stopped or died; nothing is loaded or extracted twice.

    Example: bulkforce resume 20260212-154348-insert-Contact-3f2a

    If a load cannot continue without your decision, it says why; decide with --accept-as.
    """
    from bulkforce.extract.verb import folder_of as is_extract

    client = client_for(org, quiet=quiet)
    if is_extract(run):
        if accept_as:
            raise typer.BadParameter(
                "it is for loads, but this run is an extract, which changes nothing in the org",
                param_hint="--accept-as",
            )
        from bulkforce.cli.extract import carry_out_extract

        carry_out_extract(
            lambda teller: client.resume_extract(
                run, workers=workers, poll=poll, max_api_calls=max_api_calls, on_progress=teller
            ),
            quiet=quiet,
            as_json=as_json,
        )
    word: Literal["sent", "not-sent"] | None = accept_as.value if accept_as else None

    def go_on(teller: Callable[[Progress], None] | None) -> LoadReport:
        report = client.resume(
            run, workers=workers, accept_as=word, poll=poll, max_api_calls=max_api_calls, on_progress=teller
        )
        return cast("LoadReport", report)

    carry_out_load(go_on, quiet=quiet, as_json=as_json)


def runs(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            help="Folder that holds the runs, or that of one run; by default bulkforce-runs.",
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List loads and extracts with their states, counts and times, oldest first.

    The time is that of the last sitting. Runs that were given a folder with --run-dir are not in bulkforce-runs: name
    that folder, or the one around it.

    Example: bulkforce runs
    """
    import json
    from datetime import UTC, datetime

    from bulkforce import arguments
    from bulkforce.catalog import report_of
    from bulkforce.catalog import runs as list_runs
    from bulkforce.display import counted
    from bulkforce.run.folder import RUNS
    from bulkforce.run.report import in_seconds

    folder = None if folder is None else arguments.path(folder, "The folder of the runs")
    found = list_runs(folder)
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "run": one.run,
                        "folder": str(one.folder),
                        "what": one.what,
                        "state": one.state,
                        "begun": None if one.begun is None else datetime.fromtimestamp(one.begun, UTC).isoformat(),
                        **_counts(report_of(one)),
                    }
                    for one in found
                ]
            )
        )
    for one in () if as_json else found:
        print(f"{one.state:<12} {one.run}   {one.what}")
        if counts := _counts(report_of(one)):
            rows, failed = (
                counted(int(counts["rows"]), "row"),
                f", {counts['failed']:,} failed" if counts["failed"] else "",
            )
            print(f"{'':<12} {rows}{failed}, {in_seconds(counts['seconds'], int(counts['sittings']))}")
    if not found:
        place = (folder or RUNS).absolute()
        tell(f"No runs in {place}; of one that was given a folder of its own, name that folder: --run-dir FOLDER")


def _counts(report: LoadReport | ExtractReport | None) -> dict[str, float]:
    """Return how many rows a run is done with, how many of them did not succeed, and its seconds."""
    from bulkforce.load.report import LoadReport

    if report is None:
        return {}
    lasted = {"seconds": report.seconds, "sittings": report.sittings}
    if isinstance(report, LoadReport):
        failed = report.failed + report.unprocessed + report.rejected + report.in_doubt
        return {"rows": report.succeeded + failed, "failed": failed, **lasted}
    return {"rows": report.rows, "failed": 0, **lasted}


def carry_out_load(
    work: Callable[[Callable[[Progress], None] | None], LoadReport], *, quiet: bool, as_json: bool
) -> NoReturn:
    """Do the work of a load, show its progress and report, and exit with the code for its outcome."""
    from bulkforce.cli.output import load_done, show
    from bulkforce.load.standing import load_standing

    carry_out(work, load_standing, show, load_done, quiet=quiet, as_json=as_json)
