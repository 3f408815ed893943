"""`bulkforce check`, and its report for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.choices import (
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
    ObjectName,
    OnUnknownColumn,
    Operation,
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
from bulkforce.cli.outcome import CALLED_WRONGLY, FINISHED_WITH_FAILURES, carry_out
from bulkforce.cli.output import COUNTED, ascii_json, wrapped
from bulkforce.cli.words import in_options
from bulkforce.display import counted
from bulkforce.load.standing import load_standing

if TYPE_CHECKING:
    from bulkforce.load.checking import CheckReport


def check(
    *,
    file: File = None,
    from_sql: FromSql = None,
    database: Database = None,
    object_name: ObjectName,
    operation: Annotated[Operation, typer.Option(help="What a load would do with the records.")],
    api: Annotated[Api, typer.Option(help="Check as for a load over Bulk API (v1) or 2.0.")] = Api.bulk1,
    external_id: ExternalId = None,
    column_map: ColumnMap = None,
    files_folder: FilesFolder = None,
    line_ending: LineEnds = None,
    empty_as_null: Annotated[
        bool,
        typer.Option("--empty-as-null", help="Check as for a load in which an empty value sets the field to null."),
    ] = False,
    on_unknown_column: Annotated[
        OnUnknownColumn,
        typer.Option(help="Columns that cannot be sent: refuse to load, or drop them and load the others."),
    ] = OnUnknownColumn.refuse,
    values: Annotated[
        Values,
        typer.Option(help="skip checks columns only; warn and refuse both check values, and report them alike."),
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
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check whether a file fits an object, without sending anything, and report everything found with a remedy.

    Example: bulkforce check contacts.csv --object Contact --operation upsert --external-id Email__c

    Exit codes: 0 the file fits, 2 a load would not start, 3 a load would start but rows would fail.
    """
    source = source_of(file, from_sql, database)
    client = client_for(org, quiet=quiet)
    carry_out(
        lambda teller: client.check(
            source,
            object_name,
            operation.value,
            api=api.value,
            external_id=external_id,
            mapping=column_map,
            files_folder=files_folder,
            line_ending=line_ending,
            empty_as_null=empty_as_null,
            on_unknown_column=on_unknown_column.value,
            values=values.value,
            notation=notation(date_format, time_zone, true_words, false_words, decimal_comma=decimal_comma),
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
            on_progress=teller,
        ),
        load_standing,
        show,
        lambda _report: "The check is complete",
        quiet=quiet,
        as_json=as_json,
    )


def show(report: CheckReport, *, as_json: bool) -> int:
    """Print the report and return the exit code."""
    if as_json:
        print(ascii_json(report.to_json()))
    else:
        print("\n".join(lines_of(report)))
    return CALLED_WRONGLY if report.unfit or report.formless else 0 if report.fits else FINISHED_WITH_FAILURES


def lines_of(report: CheckReport) -> Iterator[str]:
    """Yield the lines of a report for people."""
    from bulkforce.load.checking import told
    from bulkforce.objects.columns import Severity

    yield f"{report.operation} {report.object}: {counted(report.read, 'row')}; nothing was sent."
    if not (report.described or report.unfit):
        yield "The org does not say which fields the object has, so only the format of the file was checked."
    columns = {
        severity: [(one.text, one.remedy, "") for one in report.columns if one.severity is severity]
        for severity in Severity
    }
    values = {
        severity: [
            (told(one), one.problem.remedy, one.sample)
            for one in report.values
            if one.problem.severity is severity and one not in report.formless
        ]
        for severity in Severity
    }
    formless = [(told(one), one.problem.remedy, one.sample) for one in report.formless]
    yield from _part("A load would not start:", columns[Severity.REFUSE] + formless)
    yield from _part(f"Rows that the org would refuse {COUNTED}:", values[Severity.REFUSE])
    rejections = [
        (f"{counted(one.count, 'row')}, the first of them row {one.row:,}: {one.message}", one.remedy, "")
        for one in report.rejections
    ]
    yield from _part(f"Rows that would not be sent {COUNTED}:", rejections)
    yield from _part("Worth checking:", columns[Severity.WARN] + values[Severity.WARN])
    yield from _part("Columns that would not be sent:", columns[Severity.DROP])
    if report.skipped:
        yield from _part("Rows that are no records:", [(f"{report.skipped:,} of nothing but commas.", "", "")])
    for cost in report.costs:
        yield f"A load over {cost}."
    if report.fits:
        yield "The file fits." if report.described else "No problems found."


def _part(title: str, found: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield title
    for text, remedy, sample in found:
        yield wrapped(f"- {in_options(text)}", "  ")
        if sample:
            yield wrapped(f"  for example: {' '.join(sample.split())}", "    ")
        if remedy:
            yield wrapped(f"  -> {in_options(remedy)}", "     ")
