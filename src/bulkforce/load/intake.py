"""The way in: reads a source to its end before anything is sent.

It is read again if the process died while reading, or if a file that was made from it is lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
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
from bulkforce.load.sources import Source, SourceFile, Tell, to_csv
from bulkforce.load.sources.options import SourceOptions
from bulkforce.load.state import View
from bulkforce.load.theirs import Theirs
from bulkforce.objects.columns import Describe, Target, fit
from bulkforce.objects.forms import Forms
from bulkforce.run.files import sync_folder, write_whole
from bulkforce.run.folder import AGAIN, REJECTED
from bulkforce.run.seal import Seal
from bulkforce.vocabulary import Operation

OnRead: TypeAlias = Callable[[int], None]
"""Called with the number of records read so far; an exception from it stops the reading."""

_RANGES_TOLD: Final = 10
_BY_ID: Final = {Operation.UPDATE, Operation.DELETE, Operation.HARD_DELETE}


def forms_for(asked: Asked, describe: Describe) -> Forms:
    """Return how the values of a source are written, for the fields that they go to.

    Args:
        asked: What the run was asked to do.
        describe: Describes objects, as far as they are known.
    """
    column_map, operation = ColumnMap(**asked.mapping), Operation(asked.operation)

    def target_of(column: str) -> Target | None:
        described = describe(asked.object)
        if described is None:
            return None
        names = column_map.fields_of(column)
        targets = fit(names, described, operation, external_id=asked.external_id, describe=describe).targets
        kinds = {target.field.type if target.field else "" for target in targets}
        # To fields of different types, a value goes in the form that all of them read.
        return targets[0] if len(kinds) == 1 else None

    return Forms(
        target_of,
        maps.notation_from(asked.notation),
        column_map.notation_of,
        empty_as_null=asked.empty_as_null,
        ours=OUR_COLUMNS,
    )


def read(
    source: Source,
    asked: Asked,
    folder: Path,
    on_read: OnRead,
    forms: Forms,
    fit_shape: Callable[[Shape], Shape | None],
    look: Callable[[csv.Unit], None] = lambda _unit: None,
    tell: Tell = lambda _text: None,
) -> tuple[Reading, LoadFacts] | None:
    """Read a source, and keep in a folder what the run needs from it.

    Args:
        source: The source.
        asked: What the run was asked to do.
        folder: The run's folder.
        on_read: Called with the number of records read so far.
        forms: How the values of each column are written.
        fit_shape: Reduces the columns of the map to those that can be sent; returns ``None`` if there are none.
        look: Called with each run of records.
        tell: Called with what was guessed about the source, or left out.

    Returns:
        What was found; ``None`` if no column can be sent.

    Raises:
        FormatError: The source cannot be read; the error says where.
        UsageError: The source does not exist, or its columns do not fit the map.
    """
    found = to_csv(source, folder, lambda: on_read(0), forms, SourceOptions(**asked.source_options), tell)
    header = csv.header_of(found.path, may_repeat=OUR_COLUMNS, nameless=True, trim=True)
    by_id = asked.operation in _BY_ID or str(asked.external_id).lower() == "id"
    empty = _empty_columns(found.path, header)
    if empty:
        number = "1 column" if len(empty) == 1 else f"{len(empty):,} columns"
        tell(f"{number} without a name or a value {'is' if len(empty) == 1 else 'are'} left out")
    column_map = ColumnMap(**asked.mapping)
    # In records that name their own fields, what is absent stays absent.
    empty_as_null = asked.empty_as_null and not forms.empty_is_written
    wanted = maps.shape(
        header.names,
        column_map,
        empty_as_null=empty_as_null,
        by_id=by_id,
        without=empty,
        line_end=asked.line_end,
    )
    shape = fit_shape(wanted)
    if shape is None:
        return None
    if not all(name.strip() for name in shape.names):
        # The object is not known: nothing has dropped the nameless column.
        raise FormatError(
            "A column has no name but values; give it a name, or remove it (pandas writes no index with "
            "to_csv(..., index=False))",
            column=next(place for place, name in enumerate(shape.names) if not name.strip()) + 1,
        )
    if shape.files and asked.api == "bulk2":
        raise UsageError(
            f"{shape.names[shape.files[0]]} holds files, which Bulk API 2.0 cannot load: it takes CSV alone. "
            'Use Bulk API (v1) for this load: api="bulk1" (--api bulk1)'
        )
    return cut(found, header, shape, asked, folder, on_read, look, empty_is_written=forms.empty_is_written)


def cut(
    found: SourceFile,
    header: csv.Header,
    shape: Shape,
    asked: Asked,
    folder: Path,
    on_read: OnRead,
    look: Callable[[csv.Unit], None] = lambda _unit: None,
    *,
    empty_is_written: bool = False,
) -> tuple[Reading, LoadFacts]:
    """Cut a source into batches, once it is known how its records are sent; see `read`."""
    reader = Reader(
        found.path,
        folder,
        header,
        shape,
        asked.batch_records,
        on_read,
        look,
        found.first_line,
        Path(asked.files_folder),
        batch_bytes=asked.batch_bytes,
        excel=asked.excel,
    )
    reading = reader.read()
    if reading.feed_is_ours and found.ours:
        found.path.unlink()
    feed, ours = reading.feed.absolute(), reading.feed_is_ours or found.ours
    known = feed.stat()
    return reading, LoadFacts(
        **asdict(asked),
        empty_is_written=empty_is_written,
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
        skipped=reading.skipped,
        files=list(shape.files),
        numbers=list(shape.numbers),
    )


def _empty_columns(path: Path, header: csv.Header) -> frozenset[int]:
    """Return the places of columns that have neither a name nor, in any record, a value."""
    nameless = [place for place, name in enumerate(header.names) if not name]
    if not nameless:
        return frozenset()
    with path.open("rb") as file:
        file.seek(header.end)
        blocks = iter(partial(file.read, csv.BLOCK_BYTES), b"")
        return csv.empty_columns(blocks, nameless, len(header.names))


def shape_of(facts: LoadFacts) -> Shape:
    """Return the shape that a run's records are sent in."""
    return Shape(
        tuple(facts.source_columns),
        tuple(facts.taken),
        tuple(facts.names),
        tuple(facts.constants),
        facts.empty_as_null and not facts.empty_is_written,
        tuple(facts.files),
        tuple(facts.numbers),
        facts.line_end,
    )


def feed_of(journal: LoadJournal, facts: LoadFacts) -> Feed:
    """Return the file that a run's batches are ranges of."""
    shape = shape_of(facts)
    path = journal.folder / facts.feed if facts.feed_is_ours else Path(facts.feed)
    return Feed(path, facts.feed_size, facts.feed_mtime_ns, shape, Path(facts.files_folder))


def confirm(journal: LoadJournal, facts: LoadFacts, on_read: OnRead) -> Feed:
    """Check, before a run continues, that its source has not changed; make our own files again if they are lost.

    Raises:
        SourceChanged: The source has changed, or a lost file cannot be made again.
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
            write_whole(
                journal.folder / REJECTED,
                header_of_rejected(Theirs(facts.header.encode(), shape_of(facts), excel=facts.excel)),
            )
    if lost:
        _make_again(journal, facts, batches, lost, on_read)
        feed.confirm(batches)
    return feed


def _make_again(journal: LoadJournal, facts: LoadFacts, batches: Sequence[Batch], why: str, on_read: OnRead) -> None:
    """Read the source again in a folder of its own, and take its files if they are identical to the last byte."""
    if facts.path is None:
        raise SourceChanged(f"{why}, and its source, {facts.source}, cannot be read a second time")
    asked, folder = journal.asked(), journal.make_folder(AGAIN)
    assert asked is not None
    try:
        forms = forms_for(asked, journal.described if asked.check else lambda _: None)
        found = read(Path(facts.path), asked, folder, on_read, forms, lambda _wanted: shape_of(facts))
        assert found is not None
        reading, again = found
        same = (again.feed, reading.batches) == (facts.feed, batches) and Seal.of_file(
            folder / REJECTED
        ) == journal.sealed(REJECTED)
        if not same:
            raise SourceChanged(f"{why}, and its source, {facts.path}, has changed since it was read")
        for name in (facts.feed, REJECTED):
            (folder / name).replace(journal.folder / name)
        sync_folder(journal.folder)
    except (FormatError, UsageError) as error:
        raise SourceChanged(f"{why}, and its source, {facts.path}, has changed since it was read") from error
    finally:
        journal.remove(AGAIN)


def what_is_left(view: View, facts: LoadFacts, batches: Iterable[Batch]) -> str:
    """Return what the user can still do when the source has changed."""
    path = facts.path or facts.feed
    if all(batch.attempt is None for batch in view.batches.values()):
        return f"Nothing was sent. Restore {path} and resume, or start the load again with another folder"
    unsent = _rows(batches, set(view.pending), facts)
    doubtful = _rows(batches, {number for numbers in view.doubtful.values() for number in numbers}, facts)
    only = (
        f"load only those that were not sent, {unsent}"
        if unsent
        else "check the results in the org's jobs: all rows were sent"
    )
    told = (
        "Some of its rows went to the org already, so loading all of it again would "
        f"duplicate them. Restore {path}, to the last byte, and resume; or {only}"
    )
    return f"{told}. It is not known whether the org accepted {doubtful}" if doubtful else told


def _rows(batches: Iterable[Batch], wanted: set[int], facts: LoadFacts) -> str:
    """Return the row numbers, in the source, of some batches."""
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
