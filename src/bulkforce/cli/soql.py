"""Where a query comes from on the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.formats import toml

SoqlFile = Annotated[
    str | None,
    typer.Option(
        help="Instead of a query: a file that holds it, with -- and /* */ comments if you like; - is standard input.",
        metavar="FILE",
    ),
]
STANDARD_INPUT = "-"


def given(soql: str | None, soql_file: str | None) -> str | None:
    """Return the query, from the argument or the file; ``None`` if there is neither.

    Raises:
        UsageError: There are both, or the file cannot be read.
    """
    if soql_file is None and soql != STANDARD_INPUT:
        return soql
    if None not in (soql, soql_file):
        raise UsageError("There is a query both in the command and in --soql-file; use one of them")
    if STANDARD_INPUT not in (soql, soql_file):
        text = toml.read_text(arguments.path(soql_file, "The query"), "The query")
        if not text.strip():
            raise UsageError(f"The query {arguments.shown(str(soql_file))} is empty")
        return text
    if sys.stdin is None:
        raise UsageError("Standard input is closed, so no query can be read from it; name a file")
    return toml.text_of(sys.stdin.buffer, "The query on standard input")
