"""`bulkforce query`: what a query finds, on the terminal or for the next program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bulkforce.cli import soql as queries
from bulkforce.cli.choices import Api, MaxApiCalls, Poll, Quiet
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.outcome import carry_out
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    from bulkforce.apis.abc import ApiName
    from bulkforce.cli.query_output import Found
    from bulkforce.extract.report import ExtractProgress
    from bulkforce.protocol.soql import Query
    from bulkforce.run.sitting import Sitting

_SHOWN = 200


def query(
    *,
    soql: Annotated[
        str | None, typer.Argument(help="The query; - reads it from standard input.", show_default=False)
    ] = None,
    soql_file: queries.SoqlFile = None,
    rest: Annotated[
        bool,
        typer.Option(
            "--rest", help="Ask over REST: faster for up to some thousand records, and groups and aggregates, too."
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            help=f"At most so many rows; by default {_SHOWN} in a table, otherwise all.",
            min=1,
            max=1_000_000_000,
            metavar="N",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, as is done into a pipe or file anyway.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines: an object for each record.")] = False,
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Include deleted and archived records.")] = False,
    api: Annotated[Api, typer.Option(help="Bulk API (v1), or Bulk API 2.0.")] = Api.bulk1,
    output: Annotated[str | None, typer.Option("--output", "-o", hidden=True)] = None,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
) -> None:
    """Show what a query finds: a table on a terminal, CSV in a pipe. To write a file, use `bulkforce extract`.

    Example: bulkforce query "SELECT Id, Name FROM Account LIMIT 20"

    In the table, null is a field without a value, and "" an empty text. Without --rest, the query is a bulk job, and
    every record is counted. With --json, an error is printed as JSON on standard error.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 4 interrupted.
    """
    from bulkforce.cli import query_output
    from bulkforce.extract.standing import extract_standing
    from bulkforce.protocol import soql as language
    from bulkforce.run.manner import Manner
    from bulkforce.run.sitting import Sitting

    if output is not None:
        raise UsageError("A query is shown; to write what it finds to a file, use: bulkforce extract QUERY -o FILE")
    if rest and api is not Api.bulk1:
        raise UsageError("--rest asks without a bulk job; leave out --api or --rest")
    if as_csv and as_json:
        raise UsageError("Choose one of --csv and --json")
    text = queries.given(soql, soql_file)
    if text is None:
        raise UsageError('There is no query: pass one, such as "SELECT Id, Name FROM Account", or --soql-file')
    if sys.stdout is None:
        raise UsageError("Standard output is closed, so nothing can be shown; to write a file, use `bulkforce extract`")
    form: Literal["csv", "json", "table"] = (
        "json" if as_json else "csv" if as_csv or not sys.stdout.isatty() else "table"
    )
    outline = language.read(text)
    if not rest:
        language.check_bulk(outline)
    if form == "table":
        limit = limit or _SHOWN
    client = client_for(org, quiet=quiet)
    sitting = Sitting.of(client.driver, manner=Manner(poll=poll, max_api_calls=max_api_calls))
    ask = _over_rest if rest else partial(_in_bulk, api=api.value)

    def work(teller: Callable[[ExtractProgress], None] | None) -> Found:
        with client:
            return ask(sitting, outline, form, limit, teller, all_rows=all_rows)

    # Bars and data do not share a terminal.
    without_bar = quiet or (form != "table" and sys.stdout.isatty())
    carry_out(
        work,
        extract_standing,
        lambda found, **_: query_output.show(found, quiet=quiet),
        query_output.done,
        quiet=without_bar,
        as_json=False,
    )


def _in_bulk(
    sitting: Sitting,
    outline: Query,
    form: Literal["csv", "json", "table"],
    limit: int | None,
    teller: Callable[[ExtractProgress], None] | None,
    *,
    all_rows: bool,
    api: ApiName,
) -> Found:
    from bulkforce.cli.query_output import Found
    from bulkforce.extract.sinks import sink_for
    from bulkforce.extract.sinks.first_rows import FirstRows
    from bulkforce.extract.sinks.target import STANDARD_OUTPUT
    from bulkforce.extract.verb import deliver

    # One more shows that there are more.
    shown = FirstRows(limit + 1 if limit else 0)
    sink = shown if form == "table" else sink_for(STANDARD_OUTPUT, "jsonl" if form == "json" else "csv")
    asked = outline.text if limit is None else outline.limited(limit + (form == "table"))
    rows = deliver(sitting, asked, sink, all_rows=all_rows, api=api, on_progress=teller)
    if form != "table":
        return Found(rows)
    return Found.of_table([column.name for column in shown.columns], shown.rows, shown.numbers, limit or rows)


def _over_rest(
    sitting: Sitting,
    outline: Query,
    form: Literal["csv", "json", "table"],
    limit: int | None,
    teller: Callable[[ExtractProgress], None] | None,
    *,
    all_rows: bool,
) -> Found:
    del teller
    from itertools import islice

    from bulkforce.cli.query_output import Found, write
    from bulkforce.extract import over_rest

    most = None if limit is None else limit + (form == "table")
    asked = outline.text if most is None else outline.limited(most)
    found = over_rest.records(sitting, asked, all_rows=all_rows)
    rows = islice(found.rows, most)
    if form != "table":
        return Found(write(found.names, rows, form))
    kept = list(rows)
    return Found.of_table(found.names, kept, over_rest.numbers_in(kept), limit or len(kept))
