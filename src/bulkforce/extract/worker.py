"""Carry out the orders of an extract: make exchanges, download result files, and deliver them to the sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from bulkforce.apis.abc import BatchSeen, JobSeen, Looked, QueryApi
from bulkforce.errors import Error, Facts, FormatError, NoAnswer, ProtocolError, RefusedError, TransportError
from bulkforce.extract import result_file
from bulkforce.extract.columns import Column
from bulkforce.extract.orders import (
    Answer,
    AskQuery,
    Deliver,
    EndJob,
    FetchPart,
    ListResults,
    LookAtJob,
    OpenJob,
    Order,
    ReadRange,
)
from bulkforce.extract.rules import TRIES
from bulkforce.extract.sinks import Sink
from bulkforce.extract.state import State, named
from bulkforce.protocol import rest, soql
from bulkforce.protocol.exchange import Stream
from bulkforce.protocol.flow import ask
from bulkforce.run.sitting import Sitting
from bulkforce.transport.stopping import Stop


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """The settings of an extract, apart from the query itself.

    Attributes:
        all_rows: Whether to include deleted and archived records.
        columns: Looks up columns by name.
        names: Names of the columns, as selected: for an extract that finds nothing.
        in_order: Whether the org returns them in this order.
        keep_parts: Whether parts stay on disk after delivery, so that the run can be resumed.
        plain: Collects the parts in which no number has an exponent; ``None`` if the sink need not know.
    """

    all_rows: bool
    columns: Callable[[Sequence[str]], Sequence[Column]]
    names: Sequence[str]
    in_order: bool = True
    keep_parts: bool = True
    plain: set[Path] | None = None


class ExtractWorker:
    """Carries out orders, many at once, but only one `Deliver` at a time.

    Memory is bounded by ``workers x 1 MB`` plus a constant.

    Args:
        sitting: Runs flows, and knows how to wait.
        api: The API to use.
        asked: The settings.
        folder: Where parts are kept.
        sink: Where records go.

    Attributes:
        delivered: How many records the sink has got.
    """

    def __init__(self, sitting: Sitting, api: QueryApi, asked: ExtractSettings, folder: Path, sink: Sink) -> None:
        self._sitting, self._api, self._asked, self._folder, self._sink = sitting, api, asked, folder, sink
        self._run, self._trace = sitting.run, sitting.trace
        self._sink_begun = False
        self.delivered = 0
        self._files_end = False

    @property
    def ends_alone(self) -> bool:
        """See `QueryApi`."""
        return self._api.ends_alone

    def carry_out(self, order: Order) -> Answer:
        """See `bulkforce.run.plan.Worker`."""
        match order:
            case OpenJob(_, text, chunking):
                return self._open(text, chunking)
            case AskQuery():
                return self._ask(order)
            case LookAtJob(_, job_id, original, known, splits):
                return self._run(self._api.look(job_id, original, known, splits=splits))
            case ReadRange(_, facts, text):
                return self._run(self._api.read_range(str(facts.job_id), str(facts.batch_id), soql.read(text)))
            case ListResults(_, facts, more):
                return self._run(self._api.list_results(str(facts.job_id), str(facts.batch_id), more))
            case FetchPart():
                return self._fetch(order)
            case Deliver():
                self._deliver(order)
                return None
            case EndJob():
                return self.end(order)
            case _:
                assert_never(order)

    def _open(self, text: str, chunking: str | None) -> JobSeen:
        seen = self._run(self._api.open(text, chunking))
        self._trace("open")
        return seen

    def _ask(self, order: AskQuery) -> BatchSeen:
        try:
            return self._run(self._api.ask(order.job_id, order.soql))
        finally:
            self._trace("ask")

    def _fetch(self, order: FetchPart) -> result_file.Fetched:
        facts, part = order.facts, order.part
        assert part is not None
        path = self._folder / part.file
        before: result_file.Fetched | None = None
        for attempt in range(1, TRIES + 1):
            try:
                file = self._run(self._api.fetch(str(facts.job_id), str(facts.batch_id), part.result_id))
                stream = _Stoppable(file.stream, self._sitting.stop)
                expected = order.records if file.records is None else file.records
                fetched = result_file.fetch(
                    stream,
                    path,
                    self._asked.names,
                    expected,
                    in_order=self._asked.in_order,
                    exponents=self._asked.plain is not None,
                )
                fetched = replace(fetched, records=file.records, following=file.following)
            except NoAnswer:
                # A download that breaks off must start again; the org cannot send just the rest.
                if attempt == TRIES:
                    raise
                continue
            except FormatError as error:
                if not self._asked.keep_parts:
                    raise
                raise FormatError(f"{error}; it is kept as {result_file.aside(path)}") from error
            # Proof that a file is complete: its end was marked on the wire, or its records can be compared with the
            # org's count and the last one has its line end.
            proven = stream.framed or (bool(file.records or order.records) and fetched.ended)
            # Something in between may truncate an answer and mark a false end: then it lacks the line end that other
            # files of the same query have.
            if (proven and (fetched.ended or not self._files_end)) or fetched == before:
                self._files_end = self._files_end or fetched.ended
                self._trace("fetch")
                if self._asked.plain is not None and fetched.plain:
                    self._asked.plain.add(path)
                return fetched
            before = fetched
        raise NoAnswer(
            f"A result file of {named(facts)} was different each time, and the answer does not say where it ends",
            facts,
        )

    def _deliver(self, order: Deliver) -> None:
        if (part := order.part) is None:
            return
        path = self._folder / part.file
        if part.rows:
            self._begin_sink(result_file.names_of(path))
            self._hand_over(order.facts, path, part.rows)
            self.delivered += part.rows
            self._trace("deliver")
        if not self._asked.keep_parts:
            path.unlink(missing_ok=True)

    def _hand_over(self, facts: Facts, path: Path, rows: int) -> None:
        what = f"A result file of {named(facts)}"
        try:
            delivered = self._sink.add(path)
        except (FormatError, ProtocolError) as error:
            problem = f"{what} cannot be used: {error.text}"
        except (Error, OSError):
            raise
        except Exception as error:  # noqa: BLE001  (whatever a library raises for bytes that it does not expect; its message may show them)
            problem = f"{what} cannot be read: {type(error).__name__}"
        else:
            if delivered in {None, rows}:
                return
            problem = f"{what} has {rows} records, but {delivered} of them were read"
        # Outside the handlers: a chained error would show records.
        raise ProtocolError(f"{problem}; it is kept as {path}" if self._asked.keep_parts else problem, facts)

    def _begin_sink(self, names: Sequence[str]) -> None:
        if not self._sink_begun:
            self._sink.begin(self._asked.columns(names))
            self._sink_begun = True

    def finish_sink(self) -> None:
        """Put the file in place, even if it is empty, once everything was delivered."""
        self._begin_sink(self._asked.names)
        self._sink.finish()
        self._trace("publish")

    def end(self, order: EndJob) -> Looked | None:
        """Close a job, or abort it.

        Returns:
            For a split query, the list of its batches if it has more than are known.
        """
        looked = None
        if order.close:
            looked = self._run(self._api.close(order.job_id, order.original, order.chunks))
        else:
            self._run(self._api.abort(order.job_id))
        self._trace("end")
        return looked

    def count(self, state: State) -> None:
        """Ask how many records the query finds, and warn if that differs from what was fetched."""
        query = soql.read(state.root.soql)
        try:
            count = self._run(ask(rest.count(query.counting(), all_rows=self._asked.all_rows)))
        except (RefusedError, TransportError, ProtocolError) as error:
            self._sitting.warn(f"The org did not say how many records the query finds: {error}")
            return
        if count != state.rows:
            self._sitting.warn(
                f"The org now counts {count:,} records for the query, but {state.rows:,} were extracted: check whether "
                "records have changed in the meantime"
            )


class _Stoppable:
    """A download that ends when asked to stop; it may be a gigabyte long.

    See `bulkforce.protocol.exchange.Stream`.
    """

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
