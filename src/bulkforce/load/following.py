"""`retry` and `undo`: loads that follow a finished one, and take their rows from its outputs.

A retry sends the rows that failed or were not processed, exactly as they were sent: the outputs hold them as they were
cut into batches, and the journal knows how they were converted. An undo deletes the records that an insert or upsert
created, by the ids in its outputs.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce import arguments
from bulkforce.display import counted
from bulkforce.errors import Error, JournalMismatch, SourceChanged, UsageError
from bulkforce.formats import csv
from bulkforce.formats.excel import unescaped
from bulkforce.formats.rows import rows_of
from bulkforce.load import claims, intake, verb
from bulkforce.load.asking import OnProgress, allowance_of, api_for, check_allowance, cost_of, planned
from bulkforce.load.check import on_read_of, told_of_stops
from bulkforce.load.claims import RETRY, UNDO
from bulkforce.load.facts import Asked, Follower, LoadFacts
from bulkforce.load.intake import OnRead
from bulkforce.load.journal import LoadJournal
from bulkforce.load.mapping import ESCAPED, OUR_COLUMNS, ColumnMap, Shape
from bulkforce.load.reader import Reading
from bulkforce.load.report import LoadReport
from bulkforce.load.rules import AcceptAs
from bulkforce.load.sources import SourceFile
from bulkforce.load.standing import load_standing
from bulkforce.load.theirs import Theirs
from bulkforce.run.files import whole
from bulkforce.run.folder import EXTRACT, IN_DOUBT_ROWS, LOAD, RUNS, SOURCE, UNTIED, disk_told, find, new_run
from bulkforce.run.seal import Seal
from bulkforce.run.sitting import Sitting
from bulkforce.vocabulary import Operation

Rows: TypeAlias = Callable[[list[bytes]], list[bytes]]
"""Takes raw records of an output, and returns the records to send, as they are in the feed."""

_LEADING: Final = re.compile(rb'(?:"(?:[^"]|"")*"|[^,"]*),')
_CREATED: Final = re.compile(rb'"?([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)"?,"?true"?,')
_YES: Final = b"yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """The options of a retry or an undo; see `bulkforce.client.Client.retry`."""

    workers: int | None = None
    run_dir: str | Path | None = None
    accept_as: AcceptAs | None = None
    dry_run: bool = False
    on_progress: OnProgress | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the outputs that rows come from, as it was when the run finished."""

    path: Path
    seal: Seal


@dataclass(frozen=True, slots=True)
class _Following:
    """What a run that follows another sends."""

    asked: Asked
    header: bytes
    shape: Shape
    parts: tuple[_Part, ...]
    rows: Callable[[csv.Header], Rows]
    empty_is_written: bool = False

    def cut(self, folder: Path, on_read: OnRead) -> tuple[Reading, LoadFacts]:
        """Collect the rows in a folder, and cut them into batches.

        Raises:
            SourceChanged: An output is no longer what it was.
        """
        source = folder / SOURCE
        with whole(source) as file:
            file.write(self.header + b"\n")
            for part in self.parts:
                for rows in self._rows_in(part, lambda: on_read(0)):
                    file.write(b"\n".join([*rows, b""]))
        header = csv.header_of(source, nameless=True)
        found = SourceFile(source, ours=True)
        return intake.cut(
            found, header, self.shape, self.asked, folder, on_read, empty_is_written=self.empty_is_written
        )

    def count(self) -> int:
        """Return how many rows there are."""
        return sum(len(rows) for part in self.parts for rows in self._rows_in(part, lambda: None))

    def _rows_in(self, part: _Part, on_block: Callable[[], None]) -> Iterator[list[bytes]]:
        header, digest = csv.header_of(part.path, may_repeat=OUR_COLUMNS, nameless=True), hashlib.sha256()
        take = self.rows(header)
        with part.path.open("rb") as file:
            digest.update(file.read(header.end))

            def blocks() -> Iterator[bytes]:
                while block := file.read(csv.BLOCK_BYTES):
                    digest.update(block)
                    yield block
                    on_block()

            for unit in csv.units(blocks(), len(header.names), header.end, longest=sys.maxsize):
                if rows := take(rows_of(unit.content)):
                    yield rows
        if digest.hexdigest() != part.seal.sha256:
            raise SourceChanged(f"{part.path} has changed while it was read; nothing was sent")


def retry(sitting: Sitting, run: str | Path, options: FollowOptions) -> LoadReport:
    """Load the rows again that a run did not load; see `bulkforce.client.Client.retry`."""
    if options.accept_as not in (None, "sent", "not-sent"):
        raise UsageError(f"{arguments.shown(options.accept_as)} is not a value of accept_as; use sent or not-sent")
    return _follow(sitting, run, RETRY, partial(_rows_again, sitting, options.accept_as), options)


def undo(sitting: Sitting, run: str | Path, options: FollowOptions) -> LoadReport:
    """Delete the records that a run created; see `bulkforce.client.Client.undo`."""
    return _follow(sitting, run, UNDO, partial(_what_it_created, sitting), options)


def _follow(
    sitting: Sitting,
    run: str | Path,
    kind: str,
    prepare: Callable[[LoadJournal, LoadFacts], _Following],
    options: FollowOptions,
) -> LoadReport:
    begun = time.monotonic()
    if options.workers is not None:
        arguments.count(options.workers, "The number of workers", 1)
    arguments.flag(options.dry_run, "dry_run")
    run_dir = None if options.run_dir is None else arguments.path(options.run_dir, "The run's folder")
    if find(run, EXTRACT) is not None:
        raise UsageError(f"{arguments.shown(str(run))} is an extract, which changes nothing in the org")
    folder = verb.folder_of(run)
    with disk_told(folder), closing(LoadJournal(folder)) as followed:
        facts = _facts_of(sitting, followed, kind)
        other = followed.follower(kind)
        if other is None:
            following = prepare(followed, facts)
            is_private = not followed.folder.stat().st_mode & 0o077
    if other is not None:
        return _go_on(sitting, facts.run, kind, other, options)
    on_progress = sitting.watched(options.on_progress, load_standing)
    on_read = on_read_of(sitting, on_progress)
    workers = following.asked.workers if options.workers is None else options.workers
    if options.dry_run:
        with tempfile.TemporaryDirectory(prefix="bulkforce-") as name, disk_told(Path(name)):
            with told_of_stops("Nothing was sent"):
                reading, asked = following.cut(Path(name), on_read)
            return planned(sitting, asked, Path(run_dir or RUNS), reading, Path(name), begun)
    asked_for = replace(following.asked, workers=workers)
    journal = new_run(
        run_dir,
        asked_for.operation,
        asked_for.object,
        lambda name, place, made: LoadJournal(place, replace(asked_for, run=name), made),
        journal=LOAD,
        private=is_private,
    )

    def work() -> LoadReport:
        known = journal.asked()
        assert known is not None
        with told_of_stops("Nothing was sent"):
            reading, facts = replace(following, asked=known).cut(journal.folder, on_read)
        cost = cost_of(reading.batches, api_for(sitting, facts))
        check_allowance(cost.batches, cost.api_calls, allowance_of(sitting))
        journal.take_in(facts, reading.batches)
        sitting.trace("journal")
        claims.claim(journal)
        sitting.trace("claim")
        return verb.carry_out(sitting, journal, intake.feed_of(journal, facts), workers, on_progress, begun)

    return verb.begin(sitting, journal, work, is_kept=False)


def _facts_of(sitting: Sitting, journal: LoadJournal, kind: str) -> LoadFacts:
    """Return the facts of a run that can be followed."""
    facts, folder = journal.facts(), journal.folder
    if facts is None or not journal.finished:
        raise UsageError(
            f"The run in {folder} is not finished, so it is not known what became of its rows; "
            f"finish it first with: bulkforce resume {folder}"
        )
    here = sitting.instance_url()
    if facts.instance_url != here:
        raise JournalMismatch(f"The run in {folder} belongs to {facts.instance_url}, not to {here}; nothing was sent")
    if kind == UNDO and facts.operation not in {Operation.INSERT, Operation.UPSERT}:
        raise UsageError(
            f"{facts.run} cannot be undone: it is {_IT_IS[Operation(facts.operation)]}, and the org does not keep what "
            "was there before. Only records that an insert or upsert created can be deleted again"
        )
    return facts


_IT_IS: Final = {
    Operation.UPDATE: "an update",
    Operation.DELETE: "a delete; the recycle bin has its records for 15 days",
    Operation.HARD_DELETE: "a hardDelete",
}


def _go_on(sitting: Sitting, run: str, kind: str, other: Follower, options: FollowOptions) -> LoadReport:
    """Go on with the run that follows already."""
    folder, done = Path(other.folder), claims.DONE[kind]
    if find(folder, LOAD) is None:
        raise JournalMismatch(
            f"{run} was {done} by {other.run}, whose folder {folder} is gone, so it is not known what that run did. "
            "Nothing was sent. Check in the org what became of the rows before you load them again"
        )
    with closing(LoadJournal(folder)) as journal:
        if journal.token != other.token:
            raise JournalMismatch(
                f"{run} was {done} by {other.run}, but {folder} holds another run now. Nothing was sent"
            )
        is_finished = journal.finished
    if is_finished:
        raise UsageError(
            f"{run} was {done} already, by {other.run} in {folder}; what that run did not do is in its own files: "
            f"bulkforce {RETRY} {folder}"
        )
    if options.dry_run:
        raise UsageError(f"{run} is being {done} by {other.run} already; go on with: bulkforce resume {folder}")
    return verb.resume(sitting, folder, workers=options.workers, on_progress=options.on_progress)


def _parts(journal: LoadJournal, *names: str) -> tuple[_Part, ...]:
    """Return outputs of a finished run, which must be what they were."""
    parts = []
    for name in names:
        path, seal = journal.folder / name, journal.sealed(name)
        if seal is None or not journal.is_whole(name):
            raise SourceChanged(
                f"{path} was removed or changed since the run finished, so it is not known which rows to send; nothing "
                "was sent. If you have corrected it, load it as a file of its own: bulkforce load"
            )
        parts.append(_Part(path, seal))
    return tuple(parts)


# Rows that did not go in


def _rows_again(sitting: Sitting, accept_as: AcceptAs | None, journal: LoadJournal, facts: LoadFacts) -> _Following:
    report = LoadReport.from_json(journal.report())
    with_doubts = accept_as == "not-sent" and report.in_doubt
    names = [
        name
        for name, count in (
            ("failed.csv", report.failed),
            ("unprocessed.csv", report.unprocessed),
            (IN_DOUBT_ROWS, report.in_doubt if with_doubts else 0),
        )
        if count
    ]
    if report.in_doubt and accept_as is None:
        sitting.warn(
            f"{counted(report.in_doubt, 'row')} in doubt {'is' if report.in_doubt == 1 else 'are'} not sent again, "
            f"since the org may have them: {journal.folder / IN_DOUBT_ROWS}. Once you know that it does not: "
            "accept_as='not-sent' (--accept-as not-sent)"
        )
    if not names:
        left = f"; {counted(report.rejected, 'row')} over a limit of the org's must be corrected first, in rejected.csv"
        raise UsageError(
            f"{facts.run} has nothing to retry: no row failed or was left unprocessed{left if report.rejected else ''}"
        )
    shape = intake.shape_of(facts)
    theirs = Theirs(facts.header.encode(), shape)
    place_of = {place: kept for kept, place in enumerate(theirs.places)}
    if lacking := [shape.source[place] for place in shape.taken if place not in place_of]:
        raise UsageError(
            f"{facts.run} sent {lacking[0]}, a column of ours that its files do not hold; load those rows from their "
            "source, with the column under another name"
        )
    again = replace(
        shape,
        source=tuple(theirs.names),
        taken=tuple(place_of[place] for place in shape.taken),
        numbers=tuple(place_of[place] for place in shape.numbers if place in place_of),
    )
    asked = replace(
        _asked_of(journal), source=f"the rows that {facts.run} did not load", retry_of=facts.run, undo_of=None
    )
    return _Following(asked, theirs.header, again, _parts(journal, *names), _as_fed, facts.empty_is_written)


def _as_fed(header: csv.Header) -> Rows:
    """Return what takes our columns off the records of an output."""
    ours = sum(name in OUR_COLUMNS for name in header.names[: len(OUR_COLUMNS)])
    escapes = ESCAPED in header.names[:ours]

    def take(row: bytes) -> bytes:
        begin, value = 0, b""
        for _ in range(ours):
            found = _LEADING.match(row, begin)
            assert found is not None
            begin, value = found.end(), found[0]
        rest = row[begin:]
        if escapes and value.startswith(_YES):
            values = [unescaped(csv.unquote(one).decode()) for one in csv.split(rest)]
            return ",".join(map(csv.quote, values)).encode()
        return rest

    return lambda rows: list(map(take, rows))


# Records that were created


def _what_it_created(sitting: Sitting, journal: LoadJournal, facts: LoadFacts) -> _Following:
    report = LoadReport.from_json(journal.report())
    following = _deletion(journal, facts, report)
    _tell_what_stays(sitting, journal, facts, report, following)
    return following


def _deletion(journal: LoadJournal, facts: LoadFacts, report: LoadReport) -> _Following:
    names = [name for name, count in (("success.csv", report.succeeded), (UNTIED, report.untied)) if count]
    if not names:
        raise UsageError(f"{facts.run} has nothing to undo: it wrote no record")
    parts = _parts(journal, *names)
    asked = replace(
        _asked_of(journal),
        operation=Operation.DELETE.value,
        external_id=None,
        assignment_rule_id=None,
        mapping=asdict(ColumnMap()),
        map_file=None,
        notation={},
        empty_as_null=False,
        source=f"the records that {facts.run} created",
        undo_of=facts.run,
        retry_of=None,
    )
    shape = Shape(("Id",), (0,), ("Id",), line_end=asked.line_end)
    return _Following(asked, b"Id", shape, parts, lambda _header: _ids)


def _ids(rows: list[bytes]) -> list[bytes]:
    """Return the ids of the records that were created."""
    return [found[1] for row in rows if (found := _CREATED.match(row))]


def _tell_what_stays(
    sitting: Sitting, journal: LoadJournal, facts: LoadFacts, report: LoadReport, following: _Following
) -> None:
    created = following.count()
    updated = report.succeeded - created if facts.operation == Operation.UPSERT else 0
    if not created:
        raise UsageError(
            f"{facts.run} has nothing to undo: it created no record. The {counted(report.succeeded, 'record')} that it "
            "updated cannot be put back, since the org does not keep what was there before"
        )
    if updated > 0:
        sitting.warn(
            f"{counted(updated, 'record')} of {facts.run} existed before and "
            f"{'was' if updated == 1 else 'were'} updated: they stay as they are, since the org does not keep what was "
            "there before"
        )
    if report.in_doubt:
        sitting.warn(
            f"{counted(report.in_doubt, 'row')} of {facts.run} {'is' if report.in_doubt == 1 else 'are'} in doubt: the "
            f"org may hold records of them, whose ids are not known; see {journal.folder / IN_DOUBT_ROWS}"
        )
    for run, again in _retries_that_wrote(journal):
        sitting.warn(f"What {again.run} loaded as the retry of {run} stays; to undo it: bulkforce undo {again.folder}")


def _retries_that_wrote(journal: LoadJournal) -> Iterator[tuple[str, Follower]]:
    """Yield the retry of a run, and the retries of that, as far as they may have created what is not undone."""
    facts, again = journal.facts(), journal.follower(RETRY)
    if again is None or facts is None:
        return
    further: list[tuple[str, Follower]] = []
    may_have = True
    # Of what is gone, at work or changed it is not known.
    with suppress(Error, OSError), closing(LoadJournal(Path(again.folder))) as retry:
        further = list(_retries_that_wrote(retry))
        may_have = retry.follower(UNDO) is None and _may_have_created(retry)
    if may_have:
        yield facts.run, again
    yield from further


def _may_have_created(journal: LoadJournal) -> bool:
    facts = journal.facts()
    if facts is None or not journal.finished:
        return True
    report = LoadReport.from_json(journal.report())
    wrote = report.succeeded + report.untied > 0
    return wrote and (facts.operation == Operation.INSERT or _deletion(journal, facts, report).count() > 0)


def _asked_of(journal: LoadJournal) -> Asked:
    """Return what a run was asked to do, for one that follows it."""
    asked = journal.asked()
    assert asked is not None
    return replace(
        asked,
        run="",
        begun=time.time(),
        path=None,
        followed=str(journal.folder.absolute()),
        followed_token=journal.token,
    )
