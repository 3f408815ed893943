"""What options of the command line accept, and the options that `check` and `load` share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.vocabulary import LineEnding

if TYPE_CHECKING:
    from bulkforce.load.sources.sql import SqlQuery
    from bulkforce.objects.texts import TextNotation


File = Annotated[
    str | None,
    typer.Argument(
        help="CSV, JSON, JSON lines, XML, Excel, Parquet or Arrow file; also .gz and .zst; - is CSV on standard input."
    ),
]
FromSql = Annotated[
    str | None, typer.Option("--from-sql", help="Instead of a file: a query to a database.", metavar="QUERY")
]
Database = Annotated[
    str | None,
    typer.Option(
        help="URL of the database for --from-sql, such as postgresql://user@host/name or sqlite:///file.db; "
        "give one with a password in the variable instead, since other users may see command lines.",
        envvar="BULKFORCE_DATABASE",
        metavar="URL",
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
    typer.Option("--line-ending", help="CRLF keeps line ends of Windows inside values; otherwise they become LF."),
]
DateFormat = Annotated[
    str | None,
    typer.Option(help="How texts write dates, if not as 2026-12-31: dd.MM.yyyy, %d/%m/%Y.", metavar="FORMAT"),
]
DecimalComma = Annotated[bool, typer.Option("--decimal-comma", help="Texts write numbers as 1.234,50.")]
TimeZone = Annotated[
    str | None,
    typer.Option(help="Zone of date-times that have none: Europe/Berlin, +02:00; otherwise UTC.", metavar="ZONE"),
]
TrueWords = Annotated[str | None, typer.Option("--true", help="Words that mean true, such as yes,x.", metavar="WORDS")]
FalseWords = Annotated[str | None, typer.Option("--false", help="Words that mean false.", metavar="WORDS")]
Delimiter = Annotated[
    str | None,
    typer.Option(
        help="Between columns of a text file: comma, semicolon, tab, pipe, caret or another character; "
        "by default the header tells.",
        metavar="CHARACTER",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="Of a text file, such as windows-1252, utf-16 or shift-jis; by default utf-8.", metavar="NAME"),
]
Quote = Annotated[
    str | None,
    typer.Option(help='Around values of a text file instead of "; none if there is none.', metavar="CHARACTER"),
]
Sheet = Annotated[
    str | None,
    typer.Option(help="Of an Excel workbook: the sheet's name, or its number; by default 1.", metavar="NAME"),
]
FilesFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the files that records name in binary fields; by default that of the file.",
        file_okay=False,
        metavar="FOLDER",
    ),
]
Poll = Annotated[
    float | None,
    typer.Option(
        help="Seconds between two looks at a job, each of them an API call; by default they grow from 0.2 to 10.",
        min=0.1,
        max=3600,
        metavar="SECONDS",
    ),
]
MaxApiCalls = Annotated[
    int | None,
    typer.Option(help="Stop, resumably, before making more API calls than this.", min=1, metavar="N"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def notation(
    date_format: str | None, time_zone: str | None, true: str | None, false: str | None, *, decimal_comma: bool
) -> TextNotation:
    """Return the notation of texts that the options give."""
    from bulkforce.objects.texts import TextNotation

    return TextNotation(
        date_format=date_format,
        decimal_comma=decimal_comma,
        time_zone=time_zone,
        true=[word for word in (true or "").split(",") if word],
        false=[word for word in (false or "").split(",") if word],
    )


def source_of(file: str | None, from_sql: str | None, database: str | None) -> str | SqlQuery:
    """Return the source: a file or a query."""
    if (file is None) == (from_sql is None):
        raise typer.BadParameter("give either a file or a query (--from-sql)", param_hint="FILE")
    if file is not None:
        return file
    if from_sql is None or database is None:
        raise typer.BadParameter("give the URL of the database for --from-sql", param_hint="--database")
    from bulkforce.load.sources.sql import SqlQuery

    return SqlQuery(from_sql, database)


class Operation(StrEnum):
    """The operation of a load."""

    insert = "insert"
    update = "update"
    upsert = "upsert"
    delete = "delete"
    hardDelete = "hardDelete"  # noqa: N815  (the protocol's spelling)


class Api(StrEnum):
    """Which API a run uses."""

    bulk1 = "bulk1"
    bulk2 = "bulk2"


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


class Repeats(StrEnum):
    """What to do about records that came the last time."""

    keep = "keep"
    drop = "drop"


class Numbers(StrEnum):
    """How to write numbers."""

    plain = "plain"
    org = "org"
