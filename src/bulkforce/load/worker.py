"""Carries out the orders of a load: sends requests, saves results to disk, and joins them with their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import assert_never

from bulkforce.apis.abc import (
    BatchEnd,
    BatchSeen,
    ContentRefused,
    Counts,
    Found,
    IngestApi,
    JobSeen,
    Outcomes,
    Piece,
    Results,
    Sent,
    Uploaded,
)
from bulkforce.errors import FormatError, UnreadableResults
from bulkforce.load.batches import IN_DOUBT, Outcome
from bulkforce.load.cutter import Batch
from bulkforce.load.feed import Feed
from bulkforce.load.journal import results_file, unreadable_file
from bulkforce.load.orders import (
    Answer,
    AuditJob,
    CloseJob,
    CommitBatch,
    FetchResults,
    JoinBatch,
    LookAtJob,
    OpenJob,
    Order,
    SendBatch,
    SettleJob,
)
from bulkforce.load.outputs import Ended, Outputs
from bulkforce.load.rules import RESULT_TRIES
from bulkforce.protocol.exchange import Body
from bulkforce.run.files import Draft, write_whole
from bulkforce.run.seal import Seal
from bulkforce.run.sitting import RunFlow
from bulkforce.vocabulary import Operation


class LoadWorker:
    """Carries out orders, many at once, but only one `JoinBatch` at a time.

    Memory is bounded by the batches and results under way.

    Args:
        run: Runs a flow.
        api: The API to use.
        batches: The batches of the source.
        feed: Holds their rows.
        outputs: Takes rows and results.
        folder: The run's folder.
        trace: See `bulkforce.run.engine.Engine`.
    """

    def __init__(
        self,
        run: RunFlow,
        api: IngestApi,
        batches: Mapping[int, Batch],
        feed: Feed,
        outputs: Outputs,
        folder: Path,
        trace: Callable[[str], None],
    ) -> None:
        self._run, self._api, self._batches, self._feed, self._outputs = run, api, batches, feed, outputs
        self._folder, self._trace = folder, trace
        # Whether a row names its record by id.
        by_key = api.operation is Operation.UPSERT and str(api.external_id).lower() != "id"
        self._by_id = api.operation is not Operation.INSERT and not by_key
        # One thread reads and joins results: each reuses the memory of the last, while many threads would each keep
        # their own, and be no faster.
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
            case CommitBatch(job_id=job_id):
                return self._commit(job_id)
            case SettleJob():
                return self._settle(order)
            case CloseJob(job_id=job_id):
                self._close(job_id)
                return None
            case AuditJob():
                return self._audit(order)
            case LookAtJob(job_id=job_id, waiting=waiting):
                return self._run(self._api.look(job_id, waiting))
            case FetchResults():
                return self._fetch(order)
            case JoinBatch(outcome=outcome):
                assert outcome is not None
                return self._joining.submit(self.join, order, outcome).result()
            case _:
                assert_never(order)

    def _open(self) -> JobSeen:
        seen = self._run(self._api.open())
        self._trace("open")
        return seen

    def _close(self, job_id: str) -> None:
        self._run(self._api.close(job_id))
        self._trace("close")

    def _commit(self, job_id: str) -> BatchSeen | JobSeen:
        try:
            return self._run(self._api.commit(job_id))
        finally:
            self._trace("commit")

    def _send(self, order: SendBatch) -> BatchSeen | Uploaded | ContentRefused | JobSeen:
        try:
            if not self._api.one_batch_a_job:
                return self._run(self._api.send(order.job_id, Body.of(self._content(order.batch))))
            upload = self._feed.upload(self._batches[order.batch])
            answer = self._run(self._api.send(order.job_id, upload.body))
            if isinstance(answer, Uploaded):
                # It does not count yet: time enough to see that it is what was read.
                upload.check()
            return answer
        finally:
            self._trace("send")

    def _settle(self, order: SettleJob) -> Found:
        doubtful = {
            number: Sent(self._batches[number].sha256, partial(self._content, number), number in order.committing)
            for number in order.doubtful
        }
        found = self._run(self._api.settle(order.job_id, order.known, doubtful))
        self._trace("settle")
        return found

    def _content(self, number: int) -> bytes:
        return self._feed.content(self._batches[number])

    def _audit(self, order: AuditJob) -> JobSeen:
        return self._run(
            self._api.audit(
                order.job_id, order.known, doubts=order.doubts, ours_to_close=order.ours_to_close, closed=order.closed
            )
        )

    def _fetch(self, order: FetchResults) -> Seal:
        facts, path = order.facts, self._folder / results_file(order.batch)
        draft = Draft(path)
        try:
            found = self._run(
                self._api.fetch_results(
                    str(facts.job_id), str(facts.batch_id), draft.file.write, whole=order.whole, counts=order.counts
                )
            )
            draft.file.flush()
            if problem := self._problem(order, draft.temporary, found=found):
                raise self._unreadable(order, draft.temporary, problem)
            seal = Seal.of_file(draft.temporary)
            draft.publish()
        finally:
            draft.discard()
        self._trace("fetch")
        return seal

    def _problem(self, order: FetchResults, path: Path, *, found: bool) -> str | None:
        counts = self._counts(order) if order.whole or not found else Counts(None, None)
        if not found:
            processed = counts.processed
            return f"the org processed {processed:,} records but returned no results" if processed else None
        check = partial(self._api.check_results, whole=order.whole, failed=counts.failed)
        return self._joining.submit(check, path, self._piece(order.batch)).result()

    def _piece(self, number: int) -> Piece:
        batch = self._batches[number]
        return Piece(
            batch.records,
            self._feed.header,
            partial(self._feed.records_sent, batch),
            partial(self._feed.ids, batch) if self._by_id else tuple,
        )

    def _counts(self, order: FetchResults) -> Counts:
        """Return the org's counts for a batch; ask again if this sitting did not see it end."""
        if order.counts is not None:
            return order.counts
        seen = self._run(self._api.look_at_batch(str(order.facts.job_id), str(order.facts.batch_id)))
        return Counts(seen.processed, seen.failed)

    def _unreadable(self, order: FetchResults, results: Path, problem: str) -> UnreadableResults:
        text = f"The results of batch {order.facts.batch_id} of job {order.facts.job_id} cannot be read: {problem}"
        if order.last_try:
            path = self._folder / unreadable_file(order.batch)
            write_whole(path, results.read_bytes())
            text += f". They were fetched {RESULT_TRIES} times; what the org sent is in {path}"
        return UnreadableResults(text, order.facts)

    def join(self, order: JoinBatch, outcome: Outcome) -> bool:
        """Write the rows of a batch with their outcomes, unless its results on disk are missing or changed.

        Args:
            order: The batch, and the seal of its results.
            outcome: How it ended.

        Returns:
            Whether the rows were written.
        """
        in_doubt = outcome.state == IN_DOUBT
        self._feed.check()
        has_results = not in_doubt and outcome.state != "refused"
        found = (
            self._results(order, whole=outcome.state == BatchEnd.COMPLETED) if has_results else Results(Outcomes(()))
        )
        if found is None:
            return False
        reason, unknown = outcome.message or "no reason given", found.unknown
        if not in_doubt:
            what = "job" if self._api.one_batch_a_job else "batch"
            why = f"its {what} is {outcome.state}: {reason}"
            reason = f"The org did not process this record; {why}"
            unknown += f"; {why}" if unknown and outcome.state != BatchEnd.COMPLETED else ""
        self._outputs.add(
            Ended(
                order.batch,
                self._firsts[order.batch],
                order.records,
                self._feed.proven(self._batches[order.batch]),
                found.outcomes,
                reason,
                in_doubt=in_doubt,
                unknown=unknown,
                untied=found.untied,
                sent=self._feed.header,
            )
        )
        return True

    def _results(self, order: JoinBatch, *, whole: bool) -> Results | None:
        """Read a batch's results from disk; return ``None`` if they are missing or changed."""
        path = self._folder / results_file(order.batch)
        try:
            sealed = Seal.of_file(path)
        except FileNotFoundError:
            return None
        if not order.results or Seal(*order.results) != sealed:
            return None
        if not sealed.size and not whole:
            # The org said that there are no results.
            return Results(Outcomes(()))
        try:
            return self._api.read_results(path, self._piece(order.batch), whole=whole)
        except FormatError:
            # Only an earlier version could have fetched these: it did not check them.
            return None
