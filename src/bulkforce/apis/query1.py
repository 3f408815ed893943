"""Get records out of the org with Bulk API v1: which batches a query's job has, which of them are chunks of the query,
and what they found.

The org splits a query by adding batches to its job; once the original is NotProcessed, all of them exist. But the list
may lag behind, and a job may hold batches that are not ours: a request that reached the org twice, or someone else's.
So the list is trusted when it agrees with the job's own count of its batches, and a batch counts as a chunk when its
request is our query with a range of ids that no other batch has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bulkforce.apis import jobs1
from bulkforce.apis.abc import (
    BatchEnd,
    BatchSeen,
    JobSeen,
    JobStanding,
    Listed,
    Looked,
    Looks,
    ResultFile,
)
from bulkforce.apis.query_faults import fault_of
from bulkforce.errors import Facts, NotFound, ProtocolError
from bulkforce.protocol import bulk1, soql
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.wire import short
from bulkforce.vocabulary import BatchState, ContentType, Operation

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Query1:
    """See `bulkforce.apis.abc.QueryApi`.

    Attributes:
        operation: ``query`` or ``queryAll``.
        object: The object after FROM.
        looks: How often a job is looked at before its list of batches is trusted.
    """

    operation: Operation | str
    object: str
    looks: Looks

    @property
    def ends_alone(self) -> bool:
        """See `QueryApi`. A job stays open until somebody closes it."""
        return False

    @property
    def keeps_order(self) -> bool:
        """See `QueryApi`."""
        return True

    def check_chunking(self, chunking: PKChunking | None) -> None:
        """See `QueryApi`."""
        bulk1.settings(self.operation, self.object, ContentType.CSV, pk_chunking=chunking)

    def open(self, _text: str, chunking: str | None) -> Flow[JobSeen]:
        """See `QueryApi`."""
        pk_chunking = None if chunking is None else PKChunking.of_header(chunking)
        settings = bulk1.settings(self.operation, self.object, ContentType.CSV, pk_chunking=pk_chunking)
        return jobs1.job_seen((yield from ask(bulk1.create_job(settings))))

    def ask(self, job_id: str, text: str) -> Flow[BatchSeen]:
        """See `QueryApi`."""
        return jobs1.batch_seen((yield from ask(bulk1.add_batch(job_id, ContentType.CSV, Body.of(text.encode())))))

    def look(self, job_id: str, original: str, known: Collection[str], *, splits: bool) -> Flow[Looked]:
        """See `QueryApi`."""
        # Once the original is NotProcessed, all chunks exist.
        return self._look(
            job_id, original, known, lambda batches: splits and batches[short(original)].end is BatchEnd.NOT_PROCESSED
        )

    def _look(
        self, job_id: str, original: str, known: Collection[str], is_whole: Callable[[Mapping[str, BatchSeen]], bool]
    ) -> Flow[Looked]:
        seen: list[Looked] = []
        what = ""
        pauses = list(self.looks.pauses())
        for pause in (*pauses, None):
            listed = yield from ask(bulk1.batches_by_id(job_id, _seen))
            missing = next((batch_id for batch_id in known if short(batch_id) not in listed), None)
            if missing is not None:
                what = f"lacks batch {missing}, which the org has accepted"
                seen.clear()
            elif not is_whole(listed):
                stopped = any(
                    batch.end is BatchEnd.NOT_PROCESSED and name != short(original) for name, batch in listed.items()
                )
                return Looked(listed, jobs1.job_seen((yield from ask(bulk1.get_job_info(job_id)))) if stopped else None)
            else:
                info = yield from ask(bulk1.get_job_info(job_id))
                seen.append(Looked(listed, job := jobs1.job_seen(info)))
                never_run = sum(batch.end is BatchEnd.NOT_PROCESSED for batch in listed.values())
                agrees = _agree(len(listed) - never_run, never_run, info)
                if agrees or job.standing is JobStanding.ABORTED:
                    return seen[-1]
                what = f"has {len(listed)} batches while the job counts {info.number_batches_total}"
                if agrees is False:
                    seen.clear()
            if pause is not None:
                yield Sleep(pause)
        if len(seen) > len(pauses) and all(one.batches.keys() == seen[0].batches.keys() for one in seen):
            return seen[-1]
        raise ProtocolError(
            f"The org's list of the batches of job {job_id} {what}, even after {len(pauses) + 1} looks, so it may be "
            "incomplete. Try again later",
            Facts(job_id=job_id),
        )

    def read_range(self, job_id: str, batch_id: str, query: soql.Query) -> Flow[str | None]:
        """See `QueryApi`."""
        for _ in range(_TRIES):
            request = yield from ask(bulk1.get_batch_request(job_id, batch_id, ContentType.CSV))
            ids = query.range_in(request.decode("utf-8", "replace"))
            if ids is not None:
                return ids
        return None

    def list_results(self, job_id: str, batch_id: str, _more: str | None = None) -> Flow[Listed]:
        """See `QueryApi`."""
        found = yield from ask(bulk1.get_batch_result(job_id, batch_id))
        if isinstance(found, bulk1.ResultIds):
            return Listed(found.ids)
        if found:
            raise ProtocolError(
                "A query batch has record results, not result files", Facts(job_id=job_id, batch_id=batch_id)
            )
        return Listed(())

    def fetch(self, job_id: str, batch_id: str, name: str) -> Flow[ResultFile]:
        """See `QueryApi`."""
        return ResultFile((yield from ask(bulk1.get_query_result(job_id, batch_id, name, ContentType.CSV))))

    def close(self, job_id: str, original: str, chunks: int | None) -> Flow[Looked | None]:
        """See `QueryApi`."""
        with suppress(NotFound):
            info = yield from jobs1.close_for_good(job_id)
            if chunks is not None and info.number_batches_total is not None and not _agree(chunks, 1, info):
                return (yield from self._look(job_id, original, (), lambda _: True))
        return None

    def abort(self, job_id: str) -> Flow[None]:
        """See `QueryApi`."""
        with suppress(NotFound):
            yield from jobs1.abort(job_id)


def _agree(chunks: int, others: int, info: JobInfo) -> bool | None:
    """Whether a list of the batches of a split query agrees with the job's own count; ``None`` if that is unclear.

    It is not known whether the total includes the original. But the original is in none of the states with a count.

    Args:
        chunks: Batches in the list that run or ran.
        others: Batches in the list that never run: the original.
        info: The job, fetched after the list.
    """
    total = info.number_batches_total
    if total is None:
        return None
    by_state = (
        info.number_batches_queued,
        info.number_batches_in_progress,
        info.number_batches_completed,
        info.number_batches_failed,
    )
    counted = None if None in by_state else sum(number or 0 for number in by_state)
    if total > chunks + others or (counted or 0) > chunks:
        return False
    return total == chunks or (total == chunks + others and counted == chunks) or None


def _seen(info: BatchInfo) -> BatchSeen:
    return jobs1.batch_seen(info, fault_of(info.state_message or "") if info.state is BatchState.FAILED else None)
