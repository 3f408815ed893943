"""`bulkforce count`: how many records a query finds."""

from __future__ import annotations

from typing import Annotated

import typer

from bulkforce.cli import soql as queries
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import printing
from bulkforce.errors import UsageError


def count(
    *,
    soql: Annotated[str | None, typer.Argument(help="The query, or the name of an object.", show_default=False)] = None,
    soql_file: queries.SoqlFile = None,
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Include deleted and archived records.")] = False,
    org: Org = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the number as JSON.")] = False,
) -> None:
    """Count the records that a query finds, in one call over REST.

    Example: bulkforce count "SELECT Id FROM Account WHERE Industry = 'Energy'"
    """
    text = queries.given(soql, soql_file)
    if text is None:
        raise UsageError("There is nothing to count: pass a query, the name of an object, or --soql-file")
    with client_for(org) as client:
        number = client.count(text, all_rows=all_rows)
    with printing("The records are counted"):
        print(f'{{"count": {number}}}' if as_json else number)
