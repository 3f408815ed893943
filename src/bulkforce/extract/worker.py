"""Carries out the orders of an extract: makes exchanges, brings result files to disk, and hands them to the sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from bulkforce.conversations import close_for_good
from bulkforce.errors import (
    Error,
    Facts,
    FormatError,
    InvalidRequest,
    NoAnswer,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    TransportError,
)
from bulkforce.extract import chunks, result_file
from bulkforce.extract.columns import Column
from bulkforce.extract.orders import Answer, AskQuery, Deliver, EndJob, FetchPart, ListResults, LookAtJob, OpenJob, Order, ReadRange
from bulkforce.extract.rules import TRIES
from bulkforce.extract.sinks import Sink
from bulkforce.extract.state import State
from bulkforce.protocol import bulk1, rest, soql
from bulkforce.protocol.bulk1 import PKChunking
from bulkforce.protocol.exchange import Body, Stream
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.wire import short
from bulkforce.run.sitting import Sitting
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import BatchState, ContentType, JobState, Operation


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, besides the query itself.

    Attributes:
        operation: ``query`` or ``queryAll``.
        object: The object behind FROM.
        columns: Tells the columns by their names.
        names: Of the columns, as they were selected: for an extract that finds nothing.
        keep_parts: Whether parts stay on disk after they were delivered, so that the run can be resumed.
    """

    operation: str
    object: str
    columns: Callable[[Sequence[str]], Sequence[Column]]
    names: Sequence[str]
    keep_parts: bool = True


class ExtractWorker:
    """Carries out orders, many at once; of `Deliver` one at a time. Memory is bounded by ``workers x 1 MB`` and a constant.

    Args:
        sitting: Runs flows; how to wait.
        asked: What is asked.
        folder: Where parts are kept.
        sink: Where rows go.
    """

    def __init__(self, sitting: Sitting, asked: Asked, folder: Path, sink: Sink) -> None:
        self._sitting, self._asked, self._folder, self._sink = sitting, asked, folder, sink
        self._run, self._trace = sitting.run, sitting.trace
        self._sink_begun = False
        self._files_end = False
        patience = sitting.patience
        self._pauses = [patience.fence_seconds * 1.5**look for look in range(patience.fence_looks - 1)]

    def carry_out(self, order: Order) -> Answer:
        """See `bulkforce.run.plan.Worker`."""
        match order:
            case OpenJob(_, chunking):
                return self._open(chunking)
            case AskQuery():
                return self._ask(order)
            case LookAtJob():
                return self._look(order)
            case ReadRange(_, facts, text):
                return self._run(chunks.read_range(str(facts.job_id), str(facts.batch_id), soql.read(text)))
            case ListResults(_, facts):
                return self._results(facts)
            case FetchPart():
                return self._fetch(order)
            case Deliver():
                self._deliver(order)
                return None
            case EndJob():
                return self.end(order)
            case _:
                assert_never(order)

    def _open(self, chunking: str | None) -> JobInfo:
        pk_chunking = None if chunking is None else PKChunking.of_header(chunking)
        settings = bulk1.settings(self._asked.operation, self._asked.object, ContentType.CSV, pk_chunking=pk_chunking)
        info = self._run(ask(bulk1.create_job(settings)))
        self._trace("open")
        return info

    def _ask(self, order: AskQuery) -> BatchInfo:
        try:
            info = self._run(ask(bulk1.add_batch(order.job_id, ContentType.CSV, Body.of(order.soql.encode()))))
        finally:
            self._trace("ask")
        return info

    def _look(self, order: LookAtJob) -> chunks.Listed:
        def is_whole(listed: Mapping[str, BatchInfo]) -> bool:
            """The chunks are all there once the original is NotProcessed."""
            return order.splits and listed[short(order.original)].state is BatchState.NOT_PROCESSED

        return self._run(chunks.look(order.job_id, order.original, order.known, self._pauses, is_whole))

    def _results(self, facts: Facts) -> list[str]:
        found = self._run(ask(bulk1.get_batch_result(str(facts.job_id), str(facts.batch_id))))
        if isinstance(found, bulk1.ResultIds):
            return list(found.ids)
        if found:
            raise ProtocolError("A query batch has results of records, not result files", facts)
        return []

    def _fetch(self, order: FetchPart) -> result_file.Fetched:
        facts, part = order.facts, order.part
        assert part is not None
        exchange = bulk1.get_query_result(str(facts.job_id), str(facts.batch_id), part.result_id, ContentType.CSV)
        path = self._folder / part.file
        before: result_file.Fetched | None = None
        for attempt in range(1, TRIES + 1):
            try:
                stream = self._run(ask(exchange))
                fetched = result_file.fetch(_Stoppable(stream, self._sitting.stop), path, self._asked.names)
            except NoAnswer:
                # A download that breaks off is begun again; the org has no way to give the rest.
                if attempt == TRIES:
                    raise
                continue
            except FormatError as error:
                if not self._asked.keep_parts:
                    raise
                raise FormatError(f"{error}; it is kept as {result_file.aside(path)}") from error
            # What proves that a file is whole: that its end was told on the wire; or that its records are counted and the last one has its line end.
            proven = stream.framed or (bool(order.records) and fetched.ended)
            # Something between may cut an answer and tell another end: then it lacks the line end that other files of the same query have.
            if (proven and (fetched.ended or not self._files_end)) or fetched == before:
                self._files_end = self._files_end or fetched.ended
                self._trace("fetch")
                return fetched
            before = fetched
        raise NoAnswer(
            f"A result file of batch {facts.batch_id} of job {facts.job_id} came differently each time, and it is not told where it ends",
            facts,
        )

    def _deliver(self, order: Deliver) -> None:
        if (part := order.part) is None:
            return
        path = self._folder / part.file
        if part.rows:
            self._begin_sink(result_file.names_of(path))
            self._hand_over(order.facts, path, part.rows)
            self._trace("deliver")
        if not self._asked.keep_parts:
            path.unlink(missing_ok=True)

    def _hand_over(self, facts: Facts, path: Path, rows: int) -> None:
        what = f"A result file of batch {facts.batch_id} of job {facts.job_id}"
        try:
            delivered = self._sink.add(path)
        except (FormatError, ProtocolError) as error:
            problem = f"{what} cannot be taken: {error.text}"
        except (Error, OSError):
            raise
        except Exception as error:  # noqa: BLE001  (whatever a library makes of bytes that it does not expect; its own words may show them)
            problem = f"{what} cannot be read: {type(error).__name__}"
        else:
            if delivered in {None, rows}:
                return
            problem = f"{what} has {rows} records, but {delivered} of them were read"
        # Behind the handlers, not in them: an error's chain would show records.
        raise ProtocolError(f"{problem}; it is kept as {path}" if self._asked.keep_parts else problem, facts)

    def _begin_sink(self, names: Sequence[str]) -> None:
        if not self._sink_begun:
            self._sink.begin(self._asked.columns(names))
            self._sink_begun = True

    def finish_sink(self) -> None:
        """Everything was delivered: put the file in its place, be it empty."""
        self._begin_sink(self._asked.names)
        self._sink.finish()
        self._trace("publish")

    def end(self, order: EndJob) -> chunks.Listed | None:
        """Close a job, or abort it.

        Returns:
            Of a query that was split the list of its batches, if it has others than are known.
        """
        listed = None
        with suppress(NotFound):
            if order.close:
                info = self._run(close_for_good(order.job_id))
                counted = order.chunks is not None and info.number_batches_total is not None
                if counted and not chunks.agree(order.chunks or 0, 1, info):
                    listed = self._run(chunks.look(order.job_id, order.original, (), self._pauses, lambda _: True))
            else:
                self._run(_abort(order.job_id))
        self._trace("end")
        return listed

    def count(self, state: State) -> None:
        """Ask how many records the query finds, where the org did not tell with the results; warn if that differs from what came."""
        query = soql.read(state.root.soql)
        try:
            count = self._run(ask(rest.count(query.counting(), all_rows=self._asked.operation == Operation.QUERY_ALL)))
        except (RefusedError, TransportError, ProtocolError) as error:
            self._sitting.warn(f"The org does not tell how many records the query finds: {error}")
            return
        if count != state.rows:
            self._sitting.warn(
                f"The org now counts {count:,} records that the query finds, and {state.rows:,} came: look whether records have changed meanwhile"
            )


class _Stoppable:
    """A download that ends when it is asked to stop; it may be of a gigabyte. See `bulkforce.protocol.exchange.Stream`."""

    def __init__(self, stream: Stream, stop: Stop) -> None:
        self._stream, self._stop = stream, stop
        self.framed = stream.framed

    def __iter__(self) -> Iterator[bytes]:
        for block in self._stream:
            if stopped_by := self._stop.asked:
                raise stopped_by
            yield block

    def close(self) -> None:
        self._stream.close()


def _abort(job_id: str) -> Flow[None]:
    """Abort a job, whatever state it is in; what it still does is no matter."""
    try:
        yield from ask(bulk1.set_state(job_id, JobState.ABORTED))
    except (OutcomeUnknown, InvalidRequest):
        info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is JobState.OPEN:
            yield from close_for_good(job_id)
