"""Only what is new: a small file keeps the highest SystemModstamp seen, and the next extract asks for records changed
since.

Next time begins a little earlier than the last one ended: records are written in transactions that may show late what
they were stamped with early. So some records come twice; they have the same id. No stamp later than the beginning of
the extract is kept: while it reads one chunk, records of another that was read already may change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bulkforce.errors import TransferError, UsageError
from bulkforce.extract.state import State
from bulkforce.formats import csv, toml
from bulkforce.protocol import soql
from bulkforce.run.files import UMASK, part_of, write_whole

OVERLAP: Final = timedelta(minutes=10)
_STAMP: Final = "SystemModstamp"
_DELETED: Final = "IsDeleted"


def narrow(query: soql.Query, path: Path, *, all_rows: bool) -> soql.Query:
    """Write the query so that it asks only for what changed since the last time; the first time it stays as it is.

    Raises:
        UsageError: The query does not select what is needed, or the file is of another object or cannot be read.
    """
    needed = [_STAMP, _DELETED] if all_rows else [_STAMP]
    selected = {name.lower() for name in query.columns}
    missing = [name for name in needed if name.lower() not in selected]
    if missing:
        why = {_STAMP: "it tells what is new", _DELETED: "it marks the deleted rows that all_rows brings"}
        raise UsageError(f"For an extract of what is new, select {missing[0]}, too: {why[missing[0]]}")
    if not path.exists():
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} to keep {path.name} in")
        return query
    named, stamp = _kept_in(path)
    if named.lower() != query.object.lower():
        raise UsageError(f"{path} is about {named}, and the query about {query.object}; name another file")
    return soql.read(query.with_condition(f"{_STAMP} >= {_text(stamp)}"))


def _kept_in(path: Path) -> tuple[str, datetime]:
    try:
        kept = toml.read(path, "The file")
    except UsageError as error:
        raise UsageError(f"{path} does not tell since when: {error}; remove it to begin with all records") from error
    named, stamp = kept.get("object"), kept.get("since")
    if not isinstance(named, str) or stamp is None:
        raise UsageError(f"{path} does not tell since when, or of which object; remove it to begin with all records")
    try:
        if isinstance(stamp, datetime) and stamp.tzinfo is not None:
            return named, stamp.astimezone(UTC) - OVERLAP
    except OverflowError:
        pass
    raise UsageError(f"In {path}, 'since' is no date and time with a zone; it looks like 2026-02-12T15:43:48Z")


def remember(path: Path, query: soql.Query, state: State, parts: Path, token: str) -> None:
    """Keep the highest stamp among the records that were extracted; with none, what was kept stays.

    Args:
        path: The file.
        query: Of which object.
        state: Which parts there are.
        parts: The folder that they are in.
        token: Stands in the file's temporary name.
    """
    highest = max((stamp for part in _parts(state, parts) for stamp in _stamps(part)), default=None)
    begun = min((job.created for job in state.jobs.values() if job.created), default=None)
    if highest is None or begun is None:
        return
    stamp = min(_read(highest), datetime.fromtimestamp(begun, UTC))
    content = f'# Kept by bulkforce extract --since-file.\nobject = "{query.object}"\nsince = {_text(stamp)}\n'.encode()
    write_whole(path, content, temporary=part_of(path, token), mode=UMASK)


def _parts(state: State, folder: Path) -> Iterator[Path]:
    for batch in state.counting:
        for part in state.parts_of(batch.number):
            if part.rows:
                yield folder / part.file


def _stamps(path: Path) -> Iterator[str]:
    header = csv.header_of(path)
    place = [name.lower() for name in header.names].index(_STAMP.lower())
    with path.open("rb") as file:
        file.seek(header.end)
        for stamp in csv.column(iter(lambda: file.read(csv.BLOCK_BYTES), b""), place, len(header.names)):
            yield stamp.decode("utf-8", "replace")


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        ours = TransferError(
            f"A {_STAMP} of the org's is no date and time; the rows are extracted, but since when is not kept"
        )
    raise ours


def _text(stamp: datetime) -> str:
    return f"{stamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03}Z"
