"""`extract`, and how to resume it: save every record that a query finds to a file. Options in, report out.

An extract that succeeds has proof: for each batch, the number of records on disk is what the org said. Without that
proof, it fails.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bulkforce import arguments
from bulkforce.apis.abc import ApiName, QueryApi
from bulkforce.errors import (
    Interrupted,
    JournalMismatch,
    NotFound,
    NotPermitted,
    UsageError,
)
from bulkforce.events import RunBegun, RunEnded
from bulkforce.extract import incremental
from bulkforce.extract.asking import (
    Chunking,
    ExtractOptions,
    OnProgress,
    api_for,
    chunking_for,
    may_chunk,
    text_of,
)
from bulkforce.extract.bring import bring
from bulkforce.extract.columns import Column, columns_of
from bulkforce.extract.ending import ended, file_of, finished, left_at_work, progress_of, report_of, stopped
from bulkforce.extract.events import QueryJob
from bulkforce.extract.journal import ExtractFacts, ExtractJournal
from bulkforce.extract.numbers import NUMBERS
from bulkforce.extract.report import ExtractReport
from bulkforce.extract.rules import DOWNLOADS, Rules
from bulkforce.extract.sinks import Sink, place_to_append, sink_for
from bulkforce.extract.sinks.csv import CsvSink
from bulkforce.extract.sinks.target import STANDARD_OUTPUT
from bulkforce.extract.standing import extract_standing
from bulkforce.extract.state import State
from bulkforce.extract.worker import ExtractSettings
from bulkforce.protocol import rest, soql
from bulkforce.protocol.flow import ask
from bulkforce.run.files import new_token, write_whole
from bulkforce.run.folder import EXTRACT, PARTS, REPORT, RUNS, disk_told, find, new_run
from bulkforce.run.journal import list_runs
from bulkforce.run.report import RunInfo, RunState, note_jobs
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Remaining, every_so_often
from bulkforce.vocabulary import Operation

AHEAD_BYTES: Final = 64_000_000
"""How much may wait on disk for a reader that is slower than the downloads, apart from the parts in progress."""


def extract(sitting: Sitting, options: ExtractOptions) -> ExtractReport:
    """Save what a query finds to a file; see `bulkforce.client.Client.extract`."""
    begun = time.monotonic()
    arguments.count(options.workers, "The number of workers", 1)
    arguments.flag(options.all_rows, "all_rows")
    on_progress = sitting.watched(options.on_progress, extract_standing)
    run_dir = None if options.run_dir is None else arguments.path(options.run_dir, "The run's folder")
    given = arguments.path(options.to, "The file to write to")
    place, keep = _place(options, given)
    to = STANDARD_OUTPUT if str(place) == STANDARD_OUTPUT else str(place.absolute())
    since_file = _since_file(options)
    outputs = [Path(os.path.realpath(path)) for path in (to, since_file) if path not in {STANDARD_OUTPUT, None}]
    if len(set(outputs)) < len(outputs):
        raise UsageError(f"{given} cannot be both the output and the file that keeps since when")
    token = new_token(*outputs)
    numbers = arguments.one_of(options.numbers, NUMBERS, "numbers")
    sink = sink_for(to if to == STANDARD_OUTPUT else place, options.format, sitting.warn, token, numbers, keep)
    query, mark = soql.read(text_of(sitting, options)), None
    soql.check_bulk(query)
    asked = ""
    if since_file is not None:
        asked = incremental.fingerprint(query, all_rows=options.all_rows)
        query, mark = incremental.narrow(query, since_file, all_rows=options.all_rows, repeats=options.repeats)
    if mark is not None and not options.append and not options.overwrite and place.is_file():
        raise UsageError(
            f"{given} exists, and the records changed since {incremental.text_of(mark.since)} would replace what it "
            "holds: append to it (append=True), name another file, or say that it may be overwritten (overwrite=True)"
        )
    operation = Operation.QUERY_ALL if options.all_rows else Operation.QUERY
    api = api_for(sitting, options.api, sitting.version, operation, query.object)
    if isinstance(sink, CsvSink) and api.keeps_order and not any("(" in column for column in query.columns):
        sink.check_columns(query.columns)
    chunking = chunking_for(sitting, options.pk_chunking, query, options.api)
    api.check_chunking(chunking)
    instance_url = sitting.instance_url()

    def begin(run: str, folder: Path, made: list[Path]) -> ExtractJournal:
        facts = ExtractFacts(
            run=run,
            begun=time.time(),
            instance_url=instance_url,
            soql=query.text,
            object=query.object,
            operation=operation,
            to=to,
            format=options.format,
            may_chunk=may_chunk(options.pk_chunking, query, options.api),
            since_file=None if since_file is None else str(since_file),
            workers=options.workers,
            token=token,
            numbers=numbers,
            keep=keep,
            since=None if mark is None else incremental.text_of(mark.since),
            repeats=options.repeats,
            asked=asked,
            seen=mark.seen if mark is not None and options.repeats == "drop" else "",
            api=options.api,
            version=sitting.version,
        )
        return ExtractJournal(
            folder, QueryJob(1, query.text, chunking.header() if chunking else None, None), facts, made
        )

    # The folder is private: only the user may read the org's records there, whoever may read the output file.
    journal = new_run(run_dir, operation, query.object, begin, journal=EXTRACT, private=True, outputs=outputs)
    with disk_told(journal.folder), closing(journal):
        try:
            sitting.trace("journal")
            return sitting.told(
                _begun(journal),
                ended,
                lambda: _carry_out(sitting, journal, sink, options.workers, on_progress, begun),
            )
        except Interrupted:
            raise
        except Exception:
            if not journal.state().on_disk:
                # Nothing was downloaded, so there is nothing to resume: clean up.
                journal.clear()
            raise


def _since_file(options: ExtractOptions) -> Path | None:
    repeats = arguments.one_of(options.repeats, incremental.REPEATS, "repeats")
    if options.since_file is not None:
        return Path(os.path.realpath(arguments.path(options.since_file, "The file that keeps since when")))
    if repeats == "drop":
        raise UsageError("Only with a file that keeps since when is it known which records come again")
    return None


def _place(options: ExtractOptions, given: Path) -> tuple[Path, int | None]:
    """Return where to write, and how much of the file to keep."""
    append = arguments.flag(options.append, "append")
    if arguments.flag(options.overwrite, "overwrite") and append:
        raise UsageError("A file is either appended to or overwritten: leave out one of the two")
    return place_to_append(given, options.format, time.time()) if append else (given, None)


def deliver(
    sitting: Sitting,
    text: str,
    sink: Sink,
    *,
    all_rows: bool = False,
    api: ApiName = "bulk1",
    pk_chunking: Chunking = "auto",
    workers: int = DOWNLOADS,
    on_progress: OnProgress | None = None,
) -> int:
    """Deliver what a query finds to a sink, part by part.

    If the sink is slow, no more than `AHEAD_BYTES` and the parts in progress wait on disk.

    Args:
        sitting: As for an extract.
        text: The query.
        sink: Where the parts go; a part is deleted once `Sink.add` has returned.
        all_rows: Whether to include deleted and archived records.
        api: As for an extract.
        pk_chunking: As for an extract.
        workers: Number of parallel downloads.
        on_progress: As for an extract.

    Returns:
        How many records there were.
    """
    begun, told = time.monotonic(), every_so_often(sitting.watched(on_progress, extract_standing))

    remaining = Remaining()

    def on_change(state: State, waits: str | None) -> None:
        told(lambda: progress_of(state, begun, 0, waits, remaining))

    query = soql.read(text)
    soql.check_bulk(query)
    operation = Operation.QUERY_ALL if all_rows else Operation.QUERY
    queries = api_for(sitting, api, sitting.version, operation, query.object)
    chunking = chunking_for(sitting, pk_chunking, query, api)
    queries.check_chunking(chunking)
    names = _names(sitting, queries, query)
    asked = ExtractSettings(
        all_rows, _columns(sitting, sink, query.object), names, in_order=queries.keeps_order, keep_parts=False
    )
    rules = Rules(
        workers, AHEAD_BYTES, may_chunk(pk_chunking, query, api), goes_on=False, sendings=sitting.patience.sendings
    )

    def work() -> int:
        with tempfile.TemporaryDirectory(prefix="bulkforce-") as name:
            folder = Path(name)
            journal = ExtractJournal(folder, QueryJob(1, query.text, chunking.header() if chunking else None, None))
            try:
                journal.make_folder(PARTS)
                state = journal.state()
                if stopped_by := bring(sitting, queries, journal, state, asked, rules, sink, on_change):
                    if asked_to := sitting.stop.asked:
                        raise Interrupted(f"The query stopped before its end: {asked_to}. Run it again")
                    raise stopped_by
                return state.rows
            finally:
                sink.discard()
                journal.close()

    run = RunBegun(verb="query", run="", run_dir=None, operation=operation, object=query.object)
    return sitting.told(run, lambda rows: RunEnded(run="", state="finished", rows=rows, succeeded=rows), work)


def resume_extract(
    sitting: Sitting, run: str | Path, *, workers: int | None = None, on_progress: OnProgress | None = None
) -> ExtractReport:
    """Resume an extract; see `bulkforce.client.Client.resume`."""
    begun = time.monotonic()
    if workers is not None:
        arguments.count(workers, "The number of workers", 1)
    folder = folder_of(run)
    if folder is None:
        raise UsageError(
            f"There is no extract {arguments.shown(str(run))}, neither as a folder nor in {RUNS.absolute()}; "
            "`bulkforce runs` lists them"
        )
    with disk_told(folder), closing(ExtractJournal(folder)) as journal:
        facts = journal.facts()
        if facts is None:
            raise JournalMismatch(
                f"The run in {folder} died before it recorded what to do: nothing was sent. Run its command again, "
                "with another folder"
            )
        if journal.finished:
            journal.remove(PARTS)
            return finished(sitting, journal, facts)
        here = sitting.instance_url()
        if facts.instance_url != here:
            raise JournalMismatch(
                f"The run in {folder} belongs to {facts.instance_url}, not to {here}; nothing was touched"
            )
        sink = sink_for(facts.to, facts.format, sitting.warn, facts.token, facts.numbers, facts.keep)
        count, own = facts.workers if workers is None else workers, sitting.watched(on_progress, extract_standing)
        return sitting.told(
            _begun(journal, resumed=True),
            ended,
            lambda: _carry_out(sitting, journal, sink, count, own, begun),
        )


def _begun(journal: ExtractJournal, *, resumed: bool = False) -> RunBegun:
    facts = journal.facts()
    assert facts is not None
    return RunBegun(
        verb="extract",
        run=facts.run,
        run_dir=journal.folder,
        operation=facts.operation,
        object=facts.object,
        resumed=resumed,
    )


def folder_of(run: str | Path) -> Path | None:
    """Find an extract by its folder or its id; ``None`` if there is none."""
    return find(run, EXTRACT)


def runs(folder: Path | None = None) -> list[RunInfo]:
    """List the extracts in a folder, oldest first."""
    return list_runs(folder, EXTRACT, partial(ExtractJournal, migrate=False), info_of)


def info_of(journal: ExtractJournal) -> RunInfo:
    """Return the info on a run, given its journal."""
    known, folder = journal.known(), journal.folder
    if not known:
        return RunInfo(folder.name, folder, "", "unasked", None)
    state = RunState.FINISHED if journal.finished else RunState.INTERRUPTED
    return RunInfo(known["run"], folder, f"extract {known['object']} to {known['to']}", state, known["begun"])


def _carry_out(
    sitting: Sitting, journal: ExtractJournal, sink: Sink, workers: int, on_progress: OnProgress | None, begun: float
) -> ExtractReport:
    facts = journal.facts()
    assert facts is not None
    journal.begin_time(sitting.clock.today)
    query = soql.read(facts.soql)
    columns = _columns(sitting, sink, query.object)
    api = api_for(sitting, facts.api, facts.version or sitting.version, facts.operation, facts.object)
    names = _names(sitting, api, query)
    plain = sink.plain if isinstance(sink, CsvSink) and facts.numbers == "plain" else None
    asked = ExtractSettings(
        facts.operation == Operation.QUERY_ALL, columns, names, in_order=api.keeps_order, plain=plain
    )
    rules = Rules(workers, may_chunk=facts.may_chunk, sendings=sitting.patience.sendings)
    told = every_so_often(on_progress)
    folder, state = journal.make_folder(PARTS), journal.state()
    earlier, remaining = state.rows, Remaining()
    fresh = incremental.Fresh(sink, facts.seen) if facts.seen else None
    try:
        stopped_by = bring(
            sitting,
            api,
            journal,
            state,
            asked,
            rules,
            fresh or sink,
            lambda state, waits: told(lambda: progress_of(state, begun, earlier, waits, remaining)),
        )
        report = report_of(journal, state, facts, sitting, begun, stopped_by)
        if stopped_by:
            with suppress(OSError):  # a full disk may be the very reason
                write_whole(journal.folder / REPORT, report.to_json().encode())
            _write_page(journal, report)
            raise stopped(state, report, stopped_by)
        if on_progress:
            on_progress(progress_of(state, begun, earlier))
        if fresh is not None:
            report = replace(report, rows=report.rows - fresh.dropped, repeated=fresh.dropped)
        elif facts.since is not None:
            # Nothing is left out if the last extract did not keep which records came.
            known = facts.repeats == "keep"
            report = replace(report, repeated=incremental.again(state, folder, facts.since), repeats_known=known)
        if facts.since_file is not None:
            since_file = Path(facts.since_file)
            token = facts.token or new_token(since_file)
            if warning := incremental.remember(since_file, query, state, folder, token, facts.repeats, facts.asked):
                sitting.warn(warning)
        # The report holds no values of records except those in the query, which the journal has anyway.
        content, page = report.to_json(), partial(_write_page, journal, report)
        journal.finish(content.encode(), content, elsewhere=file_of(facts), page=page)
        sitting.trace("journal")
        journal.remove(PARTS)
    except KeyboardInterrupt as at_once:
        if not journal.finished:
            note_jobs(at_once, left_at_work(state), journal.folder)
        raise
    finally:
        sink.discard()
    return report


def _write_page(journal: ExtractJournal, report: ExtractReport) -> None:
    from bulkforce.extract import page  # once a sitting, at its end: it need not be there at the start

    page.write(journal, report)


def _names(sitting: Sitting, api: QueryApi, query: soql.Query) -> Sequence[str]:
    """Return the columns of a query in the order in which the org returns them."""
    if api.keeps_order:
        return query.columns
    sitting.warn(
        "Before version 50.0, Bulk API 2.0 returns the columns of a query in alphabetical order, not as they are "
        "selected; so do these results. For the order of the query, use a later version"
    )
    return sorted(query.columns, key=str.lower)


def _columns(sitting: Sitting, sink: Sink, object_name: str) -> Callable[[Sequence[str]], Sequence[Column]]:
    """Return a function from names to columns; CSV asks the org for them only where it has to."""

    def describe(name: str) -> rest.SObjectDescription | None:
        try:
            described: rest.SObjectDescription = sitting.run(ask(rest.describe(name)))
        except (NotFound, NotPermitted):
            return None
        return described

    if isinstance(sink, CsvSink):
        sink.types = lambda names: columns_of(names, object_name, describe)
        return lambda names: [Column(name) for name in names]
    return lambda names: columns_of(names, object_name, describe)
