"""`bulkforce map`: a first map of a file's columns to an object's fields, to be edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkforce.cli.choices import (
    Database,
    Delimiter,
    Encoding,
    ExternalId,
    File,
    FromSql,
    ObjectName,
    Operation,
    Quote,
    Sheet,
    source_of,
)
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import printing, shown, tell

_STANDARD_OUTPUT = "-"


def map_columns(
    *,
    file: File = None,
    from_sql: FromSql = None,
    database: Database = None,
    object_name: ObjectName,
    operation: Annotated[
        Operation | None,
        typer.Option(
            help="What a load would do with the records.  [default: insert, or upsert with --external-id]",
        ),
    ] = None,
    external_id: ExternalId = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    quote: Quote = None,
    sheet: Sheet = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The map; - is standard output.", metavar="FILE")
    ] = _STANDARD_OUTPUT,
    org: Org = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Write a first map of a file's columns to an object's fields, for --map of check and load; sends nothing.

    Example: bulkforce map contacts.csv --object Contact -o contacts.toml

    Columns match by a field's name or label. Those that match nothing, or cannot be written, are in comments with
    suggestions and reasons: edit the file before you use it.
    """
    from bulkforce import arguments
    from bulkforce.errors import UsageError
    from bulkforce.run.files import write_whole

    source = source_of(file, from_sql, database)
    target = None if output == _STANDARD_OUTPUT else arguments.path(output, "The map")
    if target and target.exists() and not force:
        raise UsageError(f"The map {target} exists; choose another name, or overwrite it with --force")
    word = operation.value if operation else "upsert" if external_id else "insert"
    with client_for(org) as client:
        found = client.suggest_map(
            source,
            object_name,
            word,
            external_id=external_id,
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
        )
    matched = f"{len(found.columns)} of {len(found.matches)} columns match a field"
    if target is None:
        with printing(matched):
            print(found.to_toml(), end="")
    else:
        try:
            write_whole(target, found.to_toml().encode())
        except OSError as error:
            raise UsageError(f"The map {target} cannot be written: {error.strerror}") from error
        tell(f"{matched}; wrote {shown(str(Path(target)))}")
