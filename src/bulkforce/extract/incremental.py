"""Extract only what is new: a small file keeps the highest SystemModstamp seen, and the next extract asks for records
changed since then.

The next extract starts a little before that stamp, because a transaction may become visible after later stamps have
been seen. So some records come twice, with the same id. No stamp after the start of the extract is kept: while the org
processes one chunk, records of a chunk that is already done may change.
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
    """Restrict a query to records changed since the last extract; the first time, leave it unchanged.

    Raises:
        UsageError: The query does not select the required fields, or the file is for another object or cannot be read.
    """
    needed = [_STAMP, _DELETED] if all_rows else [_STAMP]
    selected = {name.lower() for name in query.columns}
    missing = [name for name in needed if name.lower() not in selected]
    if missing:
        why = {_STAMP: "it shows what is new", _DELETED: "it marks the deleted records that all_rows includes"}
        raise UsageError(f"An extract of new records must also select {missing[0]}: {why[missing[0]]}")
    if not path.exists():
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} to keep {path.name} in")
        return query
    named, stamp = _kept_in(path)
    if named.lower() != query.object.lower():
        raise UsageError(f"{path} is for {named}, but the query is for {query.object}; use another file")
    return soql.read(query.with_condition(f"{_STAMP} >= {_text(stamp)}"))


def _kept_in(path: Path) -> tuple[str, datetime]:
    try:
        kept = toml.read(path, "The file")
    except UsageError as error:
        raise UsageError(f"{path} does not say since when: {error}; remove it to start with all records") from error
    named, stamp = kept.get("object"), kept.get("since")
    if not isinstance(named, str) or stamp is None:
        raise UsageError(f"{path} does not say since when, or for which object; remove it to start with all records")
    try:
        if isinstance(stamp, datetime) and stamp.tzinfo is not None:
            return named, stamp.astimezone(UTC) - OVERLAP
    except OverflowError:
        pass
    raise UsageError(f"In {path}, 'since' must be a date and time with a zone, such as 2026-02-12T15:43:48Z")


def remember(path: Path, query: soql.Query, state: State, parts: Path, token: str) -> None:
    """Save the highest stamp among the extracted records; if there are no records, keep the file as it is.

    Args:
        path: The file.
        query: The query that was extracted.
        state: The state, which lists the parts.
        parts: The folder with the parts.
        token: Part of the file's temporary name.
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
            f"A {_STAMP} from the org is not a date and time; the records are extracted, but since when is not saved"
        )
    raise ours


def _text(stamp: datetime) -> str:
    return f"{stamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03}Z"
