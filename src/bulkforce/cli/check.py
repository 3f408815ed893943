"""`bulkforce check`, and what it found for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.choices import OnUnknownColumn, Operation, Values
from bulkforce.cli.outcome import CALLED_WRONGLY, FINISHED_WITH_FAILURES, carry_out
from bulkforce.cli.output import ascii_json, load_standing, wrapped

if TYPE_CHECKING:
    from bulkforce.load.checking import CheckReport


def check(
    *,
    file: Annotated[str, typer.Argument(help="As for load.")],
    object_name: Annotated[str, typer.Option("--object", help="API name of the object.", metavar="NAME")],
    operation: Annotated[Operation, typer.Option(help="What is to be done with the records.")],
    external_id: Annotated[
        str | None,
        typer.Option(help="For an upsert: the field that tells which records exist already.", metavar="FIELD"),
    ] = None,
    column_map: Annotated[
        Path | None,
        typer.Option("--map", help="TOML or Data Loader .sdl file: columns to fields.", dir_okay=False, metavar="FILE"),
    ] = None,
    empty_as_null: Annotated[bool, typer.Option("--empty-as-null", help="An empty value sets null.")] = False,
    on_unknown_column: Annotated[
        OnUnknownColumn, typer.Option(help="Columns that cannot be sent stop a load, or are left out.")
    ] = OnUnknownColumn.refuse,
    values: Annotated[Values, typer.Option(help="skip looks at columns only.")] = Values.warn,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """See whether a file fits an object, before anything is sent: all that can be found, each with what to do.

    Example: bulkforce check contacts.csv --object Contact --operation upsert --external-id Email__c

    Exit code 0: it fits. 2: a load would not begin. 3: a load would begin, and rows would fail.
    """
    from bulkforce.connection import connect

    client = connect()
    carry_out(
        lambda teller: client.check(
            file,
            object_name,
            operation.value,
            external_id=external_id,
            mapping=column_map,
            empty_as_null=empty_as_null,
            on_unknown_column=on_unknown_column.value,
            values=values.value,
            on_progress=teller,
        ),
        load_standing,
        show,
        lambda _report: "The check is complete",
        quiet=quiet,
        as_json=as_json,
    )


def show(report: CheckReport, *, as_json: bool) -> int:
    """Print what was found, and say with which code to leave."""
    if as_json:
        print(ascii_json(report.to_json()))
    else:
        print("\n".join(lines_of(report)))
    return CALLED_WRONGLY if report.unfit else 0 if report.fits else FINISHED_WITH_FAILURES


def lines_of(report: CheckReport) -> Iterator[str]:
    """Write a report for people."""
    from bulkforce.load.checking import told
    from bulkforce.objects.columns import Severity

    rows = f"{report.read:,} row{'' if report.read == 1 else 's'}"
    yield f"{report.operation} {report.object}: {rows}; nothing was sent."
    if not (report.described or report.unfit):
        yield "The org does not tell what fields the object has, so only the form of the file was checked."
    columns = {
        severity: [(one.text, one.remedy, "") for one in report.columns if one.severity is severity]
        for severity in Severity
    }
    values = {
        severity: [
            (told(one), one.problem.remedy, one.sample) for one in report.values if one.problem.severity is severity
        ]
        for severity in Severity
    }
    yield from _part("A load would not begin:", columns[Severity.REFUSE])
    yield from _part("Rows that the org would refuse:", values[Severity.REFUSE])
    if report.rejected:
        yield from _part(
            "Rows that are not sent:",
            [(f"{report.rejected:,} are over a limit of the org, or are no records.", "", "")],
        )
    yield from _part("Worth a look:", columns[Severity.WARN] + values[Severity.WARN])
    yield from _part("Columns that are not sent:", columns[Severity.DROP])
    if report.fits:
        yield "It fits." if report.described else "Nothing speaks against a load."


def _part(title: str, found: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield title
    for text, remedy, sample in found:
        yield wrapped(f"- {text}", "  ")
        if sample:
            yield wrapped(f"  for example: {' '.join(sample.split())}", "    ")
        if remedy:
            yield wrapped(f"  -> {remedy}", "     ")
