"""What to ask the org: the query of an extract, and whether to have it split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from bulkforce import arguments
from bulkforce.apis.abc import ApiName, Looks, QueryApi
from bulkforce.errors import NotAuthenticated, NotSent, ProtocolError, RefusedError, TransportError, UsageError
from bulkforce.extract import chunkable
from bulkforce.extract.incremental import Repeats
from bulkforce.extract.numbers import Numbers
from bulkforce.extract.report import ExtractProgress
from bulkforce.extract.rules import DOWNLOADS
from bulkforce.protocol import limits, rest, soql
from bulkforce.protocol.flow import ask
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.run.sitting import Sitting

Chunking: TypeAlias = Literal["auto"] | bool | int | PKChunking
OnProgress: TypeAlias = Callable[[ExtractProgress], None]

AUTO_RECORDS: Final = 500_000
"""Use PK chunking automatically for objects with at least this many records; below that, the extra calls for chunks are
not worth the time saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractOptions:
    """The user's options for an extract; see `bulkforce.client.Client.extract`."""

    soql: str | None = None
    object: str | None = None
    to: str | Path
    format: str | None = None
    numbers: Numbers = "plain"
    all_rows: bool = False
    api: ApiName = "bulk1"
    pk_chunking: Chunking = "auto"
    workers: int = DOWNLOADS
    run_dir: str | Path | None = None
    since_file: str | Path | None = None
    append: bool = False
    overwrite: bool = False
    repeats: Repeats = "keep"
    on_progress: OnProgress | None = None


def api_for(sitting: Sitting, name: ApiName, version: str, operation: str, object_name: str) -> QueryApi:
    """Return the API of a query.

    Raises:
        UsageError: There is no such API, or not in this version.
    """
    if arguments.one_of(name, get_args(ApiName), "api") == "bulk2":
        from bulkforce.apis.query2 import Query2

        return Query2(operation, version)
    from bulkforce.apis.query1 import Query1

    return Query1(operation, object_name, Looks(sitting.patience.fence_seconds, sitting.patience.fence_looks))


def text_of(sitting: Sitting, options: ExtractOptions) -> str:
    """Return the query, or one that selects every field of the object."""
    if (options.soql is None) == (options.object is None):
        raise UsageError("An extract needs either a query, or the name of an object to select all its fields")
    if options.soql is not None:
        return options.soql
    described = sitting.run(ask(rest.describe(arguments.object_name(options.object))))
    return f"SELECT {', '.join(selectable(described))} FROM {described.name}"  # noqa: S608  (no SQL runs here)


def selectable(described: rest.SObjectDescription) -> list[str]:
    """List the fields that a bulk query can return: no binary content, and the parts of compound fields instead."""
    compounds = {field.compound_field_name for field in described.fields} - {None}
    return [
        field.name
        for field in described.fields
        if field.type not in {"address", "location", "base64", "complexvalue", "json"}
        and not (field.name in compounds and _is_a_whole(field))
    ]


def _is_a_whole(field: rest.FieldDescription) -> bool:
    # Name counts as the compound of FirstName and LastName, but it is a string that a bulk query returns.
    return field.type not in {"string", "textarea"}


def may_chunk(wanted: Chunking, query: soql.Query, api: ApiName) -> bool:
    """Whether it is left to us to have the org split the query by record ids; in 2.0, the org itself decides that."""
    return wanted == "auto" and api == "bulk1" and chunkable.is_chunkable(query)


def chunking_for(sitting: Sitting, wanted: Chunking, query: soql.Query, api: ApiName) -> PKChunking | None:
    """Decide whether to have the org split the query by record ids."""
    if wanted != "auto":
        if not isinstance(wanted, (bool, int, PKChunking)):
            raise UsageError(
                f"pk_chunking must be 'auto', a chunk size, True, False or a PKChunking, not {arguments.shown(wanted)}"
            )
        chunking = (
            PKChunking()
            if wanted is True
            else PKChunking(size=wanted)
            if isinstance(wanted, int) and wanted
            else wanted or None
        )
        if chunking and not chunkable.is_whole(query):
            raise UsageError(
                "PK chunking would apply LIMIT or OFFSET to each chunk; remove them, or turn PK chunking off"
            )
        if chunking and chunking.parent and not chunkable.has_parent(query):
            raise UsageError(
                f"PK chunking takes a parent only for a share or history table, like AccountShare; {query.object} is "
                "split by its own ids"
            )
        return chunking
    if not may_chunk(wanted, query, api):
        return None
    try:
        count: int = sitting.run(ask(rest.count_records(query.object)))
    except (NotSent, NotAuthenticated):
        raise
    except (RefusedError, TransportError, ProtocolError) as error:
        sitting.warn(f"The org did not say how many records {query.object} has, so PK chunking is not used: {error}")
        return None
    return PKChunking(size=limits.CHUNK_SIZE) if count >= AUTO_RECORDS else None
