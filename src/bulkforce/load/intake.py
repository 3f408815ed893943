"""The way in: a source is read once, wholly, before anything is sent; again after a death; and once more when what was
made of it is lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce.errors import FormatError, SourceChanged, UsageError
from bulkforce.formats import csv
from bulkforce.load import mapping as maps
from bulkforce.load.cutter import Batch
from bulkforce.load.facts import Asked, LoadFacts
from bulkforce.load.feed import Feed
from bulkforce.load.journal import LoadJournal
from bulkforce.load.mapping import OUR_COLUMNS, ColumnMap, Shape
from bulkforce.load.reader import Reader, Reading, header_of_rejected
from bulkforce.load.sources import Source, to_csv
from bulkforce.load.state import View
from bulkforce.run.files import sync_folder, write_whole
from bulkforce.run.folder import AGAIN, REJECTED
from bulkforce.run.seal import Seal
from bulkforce.vocabulary import Operation

OnRead: TypeAlias = Callable[[int], None]
"""Told how many records were read so far; what it raises is the end."""

_RANGES_TOLD: Final = 10
_BY_ID: Final = {Operation.UPDATE, Operation.DELETE, Operation.HARD_DELETE}


def read(
    source: Source,
    asked: Asked,
    folder: Path,
    on_read: OnRead,
    fit: Callable[[Shape], Shape | None],
    look: Callable[[csv.Unit], None] = lambda _unit: None,
) -> tuple[Reading, LoadFacts] | None:
    """Read a source, and keep in a folder what has to be kept of it.

    Args:
        source: The source.
        asked: What is asked of it.
        folder: The run's.
        on_read: Told how far it is.
        fit: Makes of the columns, as the map has them, those that can be sent; ``None`` if there is none.
        look: Shown every run of records.

    Returns:
        What was found; ``None`` if no column can be sent.

    Raises:
        FormatError: The source cannot be read; says where.
        UsageError: It is not there, or its columns do not fit the map.
    """
    found = to_csv(source, folder, lambda: on_read(0))
    header = csv.header_of(found.path, may_repeat=OUR_COLUMNS, nameless=True)
    by_id = asked.operation in _BY_ID or str(asked.external_id).lower() == "id"
    shape = fit(maps.shape(header.names, ColumnMap(**asked.mapping), empty_as_null=asked.empty_as_null, by_id=by_id))
    if shape is None:
        return None
    if not all(name.strip() for name in shape.names):
        # Where nobody knows the object, nobody leaves it out either.
        csv.header_of(found.path, may_repeat=OUR_COLUMNS)
    reading = Reader(found.path, folder, header, shape, asked.batch_records, on_read, look).read()
    if reading.feed_is_ours and found.ours:
        found.path.unlink()
    feed, ours = reading.feed.absolute(), reading.feed_is_ours or found.ours
    known = feed.stat()
    return reading, LoadFacts(
        **asdict(asked),
        feed=feed.name if ours else str(feed),
        feed_is_ours=ours,
        feed_size=known.st_size,
        feed_mtime_ns=known.st_mtime_ns,
        header=reading.header.decode(),
        source_columns=list(shape.source),
        taken=list(shape.taken),
        names=list(shape.names),
        constants=list(shape.constants),
        read=reading.read,
        rejected=list(reading.rejected),
    )


def shape_of(facts: LoadFacts) -> Shape:
    """Give what is done to each record of a run on its way out."""
    return Shape(
        tuple(facts.source_columns), tuple(facts.taken), tuple(facts.names), tuple(facts.constants), facts.empty_as_null
    )


def feed_of(journal: LoadJournal, facts: LoadFacts) -> Feed:
    """Give the file that a run's batches are ranges of."""
    shape = shape_of(facts)
    path = journal.folder / facts.feed if facts.feed_is_ours else Path(facts.feed)
    return Feed(path, facts.feed_size, facts.feed_mtime_ns, shape)


def confirm(journal: LoadJournal, facts: LoadFacts, on_read: OnRead) -> Feed:
    """See, before a run goes on, that its source is what was read; what we made of it and is lost is made again, if
    that can be.

    Raises:
        SourceChanged: It is not, or cannot be.
    """
    batches, feed, lost = journal.batches(), feed_of(journal, facts), ""
    try:
        feed.confirm(batches)
    except SourceChanged as error:
        if not facts.feed_is_ours:
            raise
        lost = str(error)
    if not lost and not journal.is_whole(REJECTED):
        if facts.rejected:
            lost = f"{journal.folder / REJECTED} was removed or changed"
        else:
            write_whole(journal.folder / REJECTED, header_of_rejected(facts.header.encode()))
    if lost:
        _make_again(journal, facts, batches, lost, on_read)
        feed.confirm(batches)
    return feed


def _make_again(journal: LoadJournal, facts: LoadFacts, batches: Sequence[Batch], why: str, on_read: OnRead) -> None:
    """Read the source once more, beside what is left, and take what comes of it if that is the same to the last
    byte.
    """
    if facts.path is None:
        raise SourceChanged(f"{why}; and its source, {facts.source}, cannot be read a second time")
    asked, folder = journal.asked(), journal.make_folder(AGAIN)
    assert asked is not None
    try:
        found = read(Path(facts.path), asked, folder, on_read, lambda _wanted: shape_of(facts))
        assert found is not None
        reading, again = found
        same = (again.feed, reading.batches) == (facts.feed, batches) and Seal.of_file(
            folder / REJECTED
        ) == journal.sealed(REJECTED)
        if not same:
            raise SourceChanged(f"{why}; and its source, {facts.path}, is no longer what was read")
        for name in (facts.feed, REJECTED):
            (folder / name).replace(journal.folder / name)
        sync_folder(journal.folder)
    except (FormatError, UsageError) as error:
        raise SourceChanged(f"{why}; and its source, {facts.path}, is no longer what was read") from error
    finally:
        journal.remove(AGAIN)


def what_is_left(view: View, facts: LoadFacts, batches: Iterable[Batch]) -> str:
    """Say what can still be done when the source is not what it was."""
    path = facts.path or facts.feed
    if all(batch.attempt is None for batch in view.batches.values()):
        return f"Nothing was sent. Put {path} back as it was, and resume; or give the load again, with another folder"
    unsent = _rows(batches, set(view.pending), facts)
    doubtful = _rows(batches, {number for numbers in view.doubtful.values() for number in numbers}, facts)
    only = (
        f"load only those that were not sent, {unsent}"
        if unsent
        else "see in the org's jobs what became of them: all of them were sent"
    )
    told = (
        f"Rows of it went to the org already, and to load all of it again would double them. Put {path} back as it "
        "was, to the last byte, and "
        f"resume; or {only}"
    )
    return f"{told}. It is not known whether the org took {doubtful}" if doubtful else told


def _rows(batches: Iterable[Batch], wanted: set[int], facts: LoadFacts) -> str:
    """Name the rows of some batches, by their numbers in the source."""
    shifts = [row - place for place, row in enumerate(facts.rejected)]
    ranges: list[tuple[int, int]] = []
    first = 1
    for batch in batches:
        last = first + batch.records - 1
        if batch.number in wanted:
            begin = ranges.pop()[0] if ranges and ranges[-1][1] == first - 1 else first
            ranges.append((begin, last))
        first = last + 1
    named = [f"{begin + bisect_right(shifts, begin):,} to {end + bisect_right(shifts, end):,}" for begin, end in ranges]
    if len(named) > _RANGES_TOLD:
        named[_RANGES_TOLD:] = [f"{len(named) - _RANGES_TOLD:,} more ranges"]
    return "rows " + ", ".join(named) if named else ""
