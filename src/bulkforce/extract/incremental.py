"""Extract only what is new: a small file keeps the highest SystemModstamp seen, and the next extract asks for records
changed since then.

The next extract starts a little before that stamp, because a transaction may become visible after later stamps have
been seen. So some records come twice, with the same id and stamp: they are counted, or left out if the file also keeps
which came within that time. No stamp after the start of the extract is kept: while the org
processes one chunk, records of a chunk that is already done may change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from bulkforce.errors import TransferError, UsageError
from bulkforce.extract.columns import Column
from bulkforce.extract.sinks import Sink
from bulkforce.extract.state import State
from bulkforce.formats import csv
from bulkforce.later import later
from bulkforce.protocol import soql
from bulkforce.run.files import UMASK, part_of, write_whole

if TYPE_CHECKING:
    from bulkforce.formats import toml
else:
    toml = later("bulkforce.formats.toml")

OVERLAP: Final = timedelta(minutes=10)
_STAMP: Final = "SystemModstamp"
_DELETED: Final = "IsDeleted"
_ID: Final = "Id"
_FINGERPRINT_DIGITS: Final = 32
_MOST_SEEN_BYTES: Final = 9_000_000
"""What the file can keep of the records that came; see `bulkforce.formats.toml`."""

Repeats: TypeAlias = Literal["keep", "drop"]
REPEATS: Final[tuple[Repeats, ...]] = ("keep", "drop")
"""What to do about records that come again."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the file keeps.

    Attributes:
        object: The object.
        since: The highest stamp seen.
        asked: Which records the query finds, see `fingerprint`; empty in a file from before that was kept.
        seen: The records that came with a stamp of the last ten minutes before: a line for each stamp, with their ids;
            empty if that was not kept.
    """

    object: str
    since: datetime
    asked: str = ""
    seen: str = ""


def fingerprint(query: soql.Query, *, all_rows: bool) -> str:
    """Return a digest of which records a query finds, whatever it selects of them and however it is written."""
    clauses = [
        query.text[slice(*query.clauses[name])] for name in ("USING SCOPE", "WHERE", "WITH") if name in query.clauses
    ]
    # Values in quotes stay as they are: ids differ in case.
    pieces = re.split(r"('(?:[^'\\]|\\.)*')", "\n".join([*clauses, str(all_rows)]))
    plain = (piece if place % 2 else re.sub(r"\s+", "", piece.lower()) for place, piece in enumerate(pieces))
    return hashlib.sha256("".join(plain).encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def narrow(
    query: soql.Query, path: Path, *, all_rows: bool, repeats: Repeats = "keep"
) -> tuple[soql.Query, Mark | None]:
    """Restrict a query to records changed since the last extract; the first time, leave it unchanged.

    Returns:
        The query, and what the file keeps, if it exists.

    Raises:
        UsageError: The query does not select the required fields, or hides records, or the file is for another object
            or other conditions, or cannot be read.
    """
    needed = [_STAMP, *([_DELETED] if all_rows else []), *([_ID] if repeats == "drop" else [])]
    selected = {name.lower() for name in query.columns}
    missing = [name for name in needed if name.lower() not in selected]
    if missing:
        why = {
            _STAMP: "it shows what is new",
            _DELETED: "it marks the deleted records that all_rows includes",
            _ID: "it shows which records come again",
        }
        raise UsageError(f"An extract of new records must also select {missing[0]}: {why[missing[0]]}")
    if hiding := next((word for word in ("LIMIT", "OFFSET") if word in query.clauses), None):
        raise UsageError(
            f"An extract of new records cannot have {hiding}: the next one would begin after records that {hiding} "
            "hid, and never read them. Leave it out, or leave out the file that keeps since when"
        )
    if not path.exists():
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} to keep {path.name} in")
        return query, None
    mark = _kept_in(path)
    if mark.object.lower() != query.object.lower():
        raise UsageError(f"{path} is for {mark.object}, but the query is for {query.object}; use another file")
    if mark.asked and mark.asked != fingerprint(query, all_rows=all_rows):
        raise UsageError(
            f"{path} was kept for a query with other conditions (WHERE, scope, or whether deleted records count): "
            f"what only this query finds would be missing if it has not changed since {text_of(mark.since)}. "
            "Use another file, or remove it to start with all records; to go on without them, remove its line 'asked'"
        )
    return soql.read(query.with_condition(f"{_STAMP} >= {text_of(mark.since - OVERLAP)}")), mark


def _kept_in(path: Path) -> Mark:
    try:
        kept = toml.read(path, "The file")
    except UsageError as error:
        raise UsageError(f"{path} does not say since when: {error}; remove it to start with all records") from error
    named, stamp = kept.get("object"), kept.get("since")
    asked, seen = (text if isinstance(text, str) else "" for text in (kept.get("asked"), kept.get("seen")))
    if not isinstance(named, str) or stamp is None:
        raise UsageError(f"{path} does not say since when, or for which object; remove it to start with all records")
    try:
        if isinstance(stamp, datetime) and stamp.tzinfo is not None:
            since = stamp.astimezone(UTC)
            text_of(since - OVERLAP)
            return Mark(named, since, asked, seen)
    except OverflowError:
        pass
    raise UsageError(f"In {path}, 'since' must be a date and time with a zone, such as 2026-02-12T15:43:48Z")


def remember(
    path: Path, query: soql.Query, state: State, parts: Path, token: str, repeats: Repeats = "keep", asked: str = ""
) -> str | None:
    """Save the highest stamp among the extracted records; if none is higher, keep the one that is there.

    Args:
        path: The file.
        query: The query that was extracted.
        state: The state, which lists the parts.
        parts: The folder with the parts.
        token: Part of the file's temporary name.
        repeats: Whether the next extract is to leave out what comes again.
        asked: See `Mark`.

    Returns:
        A warning, if the file cannot keep what the next extract would need for that.
    """
    files = list(_parts(state, parts))
    highest = max((stamp for part in files for stamp in _column(part, _STAMP)), default=None)
    begun = min((job.created for job in state.jobs.values() if job.created), default=None)
    if highest is None or begun is None:
        return None
    stamp = min(_read(highest), datetime.fromtimestamp(begun, UTC))
    before = _kept_in(path) if path.exists() else None
    if before is not None:
        # The newest record may have been deleted, or another extract with this file may have ended meanwhile.
        stamp = max(stamp, before.since)
    warning, seen = None, ""
    if repeats == "drop":
        seen = _seen(files, stamp - OVERLAP)
        if len(seen) > _MOST_SEEN_BYTES:
            warning, seen = (
                "Too many records changed within ten minutes to be known again: the next extract keeps them",
                "",
            )
    asked = asked or (before.asked if before else "")
    lines = [f'object = "{query.object}"', f"since = {text_of(stamp)}"]
    lines += [f'asked = "{asked}"'] if asked else []
    lines += [f"seen = '''\n{seen}'''"] if seen else []
    content = "\n".join(["# Kept by bulkforce extract --since-file.", *lines, ""]).encode()
    write_whole(path, content, temporary=part_of(path, token), mode=UMASK)
    return warning


def again(state: State, parts: Path, since: str) -> int:
    """Count the extracted records that had not changed after the last mark: most of them came the last time."""
    mark = datetime.fromisoformat(since)
    return sum(_read(stamp) <= mark for part in _parts(state, parts) for stamp in _column(part, _STAMP))


def _seen(files: Iterable[Path], since: datetime) -> str:
    ids: dict[str, list[str]] = {}
    for part in files:
        for name, stamp in zip(_column(part, _ID), _column(part, _STAMP), strict=True):
            if _read(stamp) >= since:
                ids.setdefault(stamp, []).append(name)
    return "".join(f"{stamp} {' '.join(names)}\n" for stamp, names in sorted(ids.items()))


class Fresh:
    """A sink that leaves out the records that came the last time, and have not changed since.

    Args:
        sink: Gets the others.
        seen: See `Mark`.

    Attributes:
        dropped: How many were left out.
    """

    def __init__(self, sink: Sink, seen: str) -> None:
        self._sink = sink
        lines = (line.split(" ") for line in seen.splitlines())
        self._seen = {(name.encode(), stamp.encode()) for stamp, *names in lines for name in names}
        self.dropped = 0

    def begin(self, columns: Sequence[Column]) -> None:
        """Begin to write."""
        self._sink.begin(columns)

    def add(self, part: Path) -> int | None:
        """Write the next part, and return how many records it has, those that were left out included."""
        header = csv.header_of(part)
        names = [name.lower() for name in header.names]
        id_place, stamp_place = names.index(_ID.lower()), names.index(_STAMP.lower())
        left_out = 0
        # The run owns the name of a part that is being written; this one is complete.
        copy = part_of(part)
        copy.unlink(missing_ok=True)
        with part.open("rb") as source, copy.open("xb") as kept:
            kept.write(source.read(header.end))
            for unit in csv.units(iter(lambda: source.read(csv.BLOCK_BYTES), b""), len(names)):
                for raw in csv.lines(unit.content):
                    values = csv.split(raw.rstrip(b"\r\n"))
                    known = len(values) == len(names) and (
                        csv.unquote(values[id_place]),
                        csv.unquote(values[stamp_place]),
                    )
                    if known in self._seen:
                        left_out += 1
                    else:
                        kept.write(raw)
        self.dropped += left_out
        delivered = self._sink.add(copy if left_out else part)
        return None if delivered is None else delivered + left_out

    def finish(self) -> None:
        """Put everything in place."""
        self._sink.finish()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._sink.discard()


def _parts(state: State, folder: Path) -> Iterator[Path]:
    for batch in state.counting:
        for part in state.parts_of(batch.number):
            if part.rows:
                yield folder / part.file


def _column(path: Path, name: str) -> Iterator[str]:
    header = csv.header_of(path)
    place = [other.lower() for other in header.names].index(name.lower())
    with path.open("rb") as file:
        file.seek(header.end)
        for value in csv.column(iter(lambda: file.read(csv.BLOCK_BYTES), b""), place, len(header.names)):
            yield value.decode("utf-8", "replace")


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        ours = TransferError(
            f"A {_STAMP} from the org is not a date and time; the records are extracted, but since when is not saved"
        )
    raise ours


def text_of(stamp: datetime) -> str:
    """Write a stamp as SOQL and TOML have it."""
    return f"{stamp.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03}Z"
