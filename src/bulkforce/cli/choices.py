"""What options of the command line accept, and the options that `check` and `load` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bulkforce.vocabulary import LineEnding

File = Annotated[
    str,
    typer.Argument(
        help="CSV, JSON, JSON lines, XML, Parquet or Arrow file; also .gz and .zst; - is CSV on standard input."
    ),
]
ObjectName = Annotated[str, typer.Option("--object", help="API name of the object.", metavar="NAME")]
ExternalId = Annotated[
    str | None, typer.Option(help="For an upsert: the field to match existing records by.", metavar="FIELD")
]
ColumnMap = Annotated[
    Path | None,
    typer.Option(
        "--map", help="TOML or Data Loader .sdl file that maps columns to fields.", dir_okay=False, metavar="FILE"
    ),
]
LineEnds = Annotated[
    LineEnding | None,
    typer.Option(
        "--line-ending", help="CRLF keeps line ends of Windows inside values; otherwise the org turns them into LF."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


class Operation(StrEnum):
    """The operation of a load."""

    insert = "insert"
    update = "update"
    upsert = "upsert"
    delete = "delete"
    hardDelete = "hardDelete"  # noqa: N815  (the protocol's spelling)


class AcceptAs(StrEnum):
    """How a user may settle rows in doubt."""

    sent = "sent"
    not_sent = "not-sent"


class OnUnknownColumn(StrEnum):
    """What to do about columns that cannot be sent."""

    refuse = "refuse"
    drop = "drop"


class Values(StrEnum):
    """What to do about values that the org would refuse."""

    warn = "warn"
    refuse = "refuse"
    skip = "skip"
