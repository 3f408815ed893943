"""Carries out the orders of a load: makes exchanges, brings results to disk, and joins them with the rows they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from bulkforce.conversations import close_for_good
from bulkforce.errors import Facts, FormatError, InvalidRequest, NotFound, ProtocolError, RefusedError, UnreadableResults
from bulkforce.load import reconcile, results
from bulkforce.load.batches import IN_DOUBT, Counts, Outcome
from bulkforce.load.cutter import Batch
from bulkforce.load.feed import Feed
from bulkforce.load.journal import results_file, unreadable_file
from bulkforce.load.orders import (
    Answer,
    AuditJob,
    CloseJob,
    Fetched,
    FetchResults,
    JoinBatch,
    LookAtJob,
    Looked,
    OpenJob,
    Order,
    SendBatch,
    SettleJob,
)
from bulkforce.load.outputs import Ended, Outputs
from bulkforce.load.rules import RESULT_TRIES
from bulkforce.load.verdicts import was_never_run
from bulkforce.protocol import bulk1
from bulkforce.protocol.bulk1 import JobSettings
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.wire import short
from bulkforce.run.files import write_whole
from bulkforce.run.journal import Seal
from bulkforce.run.sitting import RunFlow
from bulkforce.run.waiting import Patience
from bulkforce.vocabulary import BatchState, ContentType, JobState, Operation

_NO_RESULTS: Final = b'"Id","Success","Created","Error"\n'


class LoadWorker:
    """Carries out orders, many at once; of `JoinBatch` one at a time. Memory is bounded by what is under way: the batches and their results.

    Args:
        run: Runs a flow.
        settings: What jobs are created with.
        batches: What the source was cut into.
        feed: Where their rows come from.
        outputs: Where rows and results go.
        folder: The run's.
        patience: How to wait between looks at a closed job.
        trace: See `bulkforce.run.engine.Engine`.
    """

    def __init__(
        self,
        run: RunFlow,
        settings: JobSettings,
        batches: Mapping[int, Batch],
        feed: Feed,
        outputs: Outputs,
        folder: Path,
        patience: Patience,
        trace: Callable[[str], None],
    ) -> None:
        self._run, self._settings, self._batches, self._feed, self._outputs = run, settings, batches, feed, outputs
        self._folder, self._trace = folder, trace
        # Whether the record that a row is about is told by an id in it.
        by_key = settings.operation is Operation.UPSERT and str(settings.external_id_field).lower() != "id"
        self._by_id = settings.operation is not Operation.INSERT and not by_key
        self._looks = reconcile.Looks(patience.fence_seconds, patience.fence_looks)
        # One thread joins: the next join takes the memory of the last, where each of many threads would keep its own.
        self._joining = ThreadPoolExecutor(1, "bulkforce-join")
        self._firsts: dict[int, int] = {}
        first = 1
        for batch in batches.values():
            self._firsts[batch.number] = first
            first += batch.records

    def carry_out(self, order: Order) -> Answer:
        """See `bulkforce.run.plan.Worker`."""
        match order:
            case OpenJob():
                return self._open()
            case SendBatch():
                return self._send(order)
            case SettleJob():
                return self._settle(order)
            case CloseJob(job_id=job_id):
                self._close(job_id)
                return None
            case AuditJob():
                return self._audit(order)
            case LookAtJob():
                return self._look(order)
            case FetchResults():
                return self._fetch(order)
            case JoinBatch(outcome=outcome):
                assert outcome is not None
                return self._joining.submit(self.join, order, outcome).result()
            case _:
                assert_never(order)

    def _open(self) -> JobInfo:
        info: JobInfo = self._run(ask(bulk1.create_job(self._settings)))
        self._trace("open")
        return info

    def _close(self, job_id: str) -> None:
        # A job that was purged takes no more batches either.
        with suppress(NotFound):
            self._run(close_for_good(job_id))
        self._trace("close")

    def _send(self, order: SendBatch) -> BatchInfo | JobInfo:
        body = Body.of(self._content(order.batch))
        try:
            info: BatchInfo = self._run(ask(bulk1.add_batch(order.job_id, ContentType.CSV, body)))
        except RefusedError as error:
            if error.code == "InvalidJobState" or "not Open" in str(error.message):
                job: JobInfo = self._run(ask(bulk1.get_job_info(order.job_id)))
                return job
            raise
        finally:
            self._trace("send")
        return info

    def _settle(self, order: SettleJob) -> reconcile.Found:
        doubtful = {number: reconcile.Sent(self._batches[number].sha256, partial(self._content, number)) for number in order.doubtful}
        found: reconcile.Found = self._run(reconcile.settle(order.job_id, order.known, doubtful, self._looks))
        self._trace("settle")
        return found

    def _content(self, number: int) -> bytes:
        return self._feed.content(self._batches[number])

    def _audit(self, order: AuditJob) -> JobInfo:
        info: JobInfo = self._run(
            reconcile.audit(
                order.job_id, order.known, self._looks, doubts=order.doubts, ours_to_close=order.ours_to_close, closed=order.closed
            )
        )
        return info

    def _look(self, order: LookAtJob) -> Looked:
        job_id = order.job_id
        listed = {short(batch.id): batch for batch in self._run(ask(bulk1.get_all_batches(job_id)))}
        if missing := next((batch_id for batch_id in order.waiting if batch_id not in listed), None):
            raise ProtocolError(f"The org's list lacks batch {missing}, which it has accepted", Facts(job_id=job_id, batch_id=missing))
        if not any(was_never_run(listed[batch_id]) for batch_id in order.waiting):
            return Looked(listed)
        state = self._run(ask(bulk1.get_job_info(job_id))).state
        if state not in {JobState.ABORTED, JobState.FAILED}:
            raise ProtocolError(
                f"The org says that a batch was not processed, which happens to batches of a job that was aborted, and that the job is {state}",
                Facts(job_id=job_id),
            )
        return Looked(listed, state)

    def _fetch(self, order: FetchResults) -> Fetched:
        job_id, batch_id = str(order.facts.job_id), str(order.facts.batch_id)
        try:
            content = self._run(ask(bulk1.get_raw_result(job_id, batch_id, ContentType.CSV))).body
        except InvalidRequest:
            # A batch that failed in the middle may have results for what it did, or none; the org itself says so, a stranger's 400 is `Intercepted`.
            if order.whole:
                raise
            if processed := self._counts(order).processed:
                raise self._unreadable(order, b"", f"the org processed {processed:,} records and gives no results") from None
            content = _NO_RESULTS
        failed = self._counts(order).failed if order.whole else None
        inserted = self._settings.operation is Operation.INSERT
        ids = self._feed.ids(self._batches[order.batch]) if self._by_id else []
        if problem := results.check(content, order.records, whole=order.whole, failed=failed, inserted=inserted, ids=ids):
            raise self._unreadable(order, content, problem)
        write_whole(self._folder / results_file(order.batch), content)
        self._trace("fetch")
        seal = Seal.of(content)
        return Fetched(seal.size, seal.sha256)

    def _counts(self, order: FetchResults) -> Counts:
        """Say what the org counts of a batch; a sitting that did not see it end looks again."""
        if order.counts is not None:
            return order.counts
        info: BatchInfo = self._run(ask(bulk1.get_batch_info(str(order.facts.job_id), str(order.facts.batch_id))))
        return Counts(info.number_records_processed, info.number_records_failed)

    def _unreadable(self, order: FetchResults, content: bytes, problem: str) -> UnreadableResults:
        text = f"The results of batch {order.facts.batch_id} of job {order.facts.job_id} cannot be read: {problem}"
        if order.last_try:
            path = self._folder / unreadable_file(order.batch)
            write_whole(path, content)
            text += f". They were fetched {RESULT_TRIES} times; as they came they are in {path}"
        return UnreadableResults(text, order.facts)

    def join(self, order: JoinBatch, outcome: Outcome) -> bool:
        """Write what became of a batch, unless its results are not on disk any more as they were.

        Args:
            order: The batch, and what its results must be.
            outcome: How it ended.

        Returns:
            Whether it was written.
        """
        in_doubt, content = outcome.state == IN_DOUBT, None
        self._feed.check()
        if not in_doubt and outcome.state != "refused":
            content = self._results(order)
            if content is None:
                return False
        ended = Ended(
            order.batch,
            self._firsts[order.batch],
            order.records,
            self._feed.rows(self._batches[order.batch]),
            content,
            outcome.message or "no reason given"
            if in_doubt
            else f"The org did not process this record; its batch is {outcome.state}: {outcome.message or 'no reason given'}",
            whole=outcome.state == BatchState.COMPLETED,
            in_doubt=in_doubt,
        )
        try:
            self._outputs.add(ended)
        except FormatError:
            # Only if an earlier version has fetched them, which did not look at them.
            return False
        return True

    def _results(self, order: JoinBatch) -> bytes | None:
        try:
            content = (self._folder / results_file(order.batch)).read_bytes()
        except FileNotFoundError:
            return None
        return content if order.results and Seal(*order.results) == Seal.of(content) else None
