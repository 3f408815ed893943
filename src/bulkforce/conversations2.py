"""Conversations of Bulk API 2.0 that take several exchanges: waiting for a job, its results, the list of all jobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from bulkforce import arguments
from bulkforce.conversations import Pace, pause_before, pauses_of
from bulkforce.errors import Facts, Intercepted, InvalidRequest, JobNotDone, NotFound, ProtocolError
from bulkforce.protocol import bulk1, bulk2
from bulkforce.protocol.bulk2 import IngestJobRef, JobPage, QueryJobRef, QueryResults, ResultPages
from bulkforce.protocol.exchange import Exchange, Stream
from bulkforce.protocol.flow import Elapsed, Flow, ask, seconds
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
from bulkforce.vocabulary import Job2State

J = TypeVar("J", IngestJobInfo, QueryJobInfo)
Listed = TypeVar("Listed", bound=IngestJobInfo | QueryJobInfo)
AnyJob: TypeAlias = JobInfo | IngestJobInfo | QueryJobInfo

# The codes with which v1 says that it does not know a job.
_UNKNOWN: Final = frozenset({"InvalidJob", "InvalidEntity"})
_QUERY_TYPE: Final = "V2Query"


@dataclass(frozen=True, slots=True)
class Csv:
    """A result file on the wire.

    Attributes:
        stream: The file.
        delimiter: What separates its columns.
        locator: For a part of a query's records: where the next begins.
        number_of_records: How many records the org says it has, if it says.
    """

    stream: Stream
    delimiter: str
    locator: str | None = None
    number_of_records: int | None = None

    def close(self) -> None:
        """Return the connection, whether or not everything was read."""
        self.stream.close()


class _Nothing:
    """The content of an answer without content."""

    framed = True

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


def ingest_job(job: IngestJobRef) -> Flow[IngestJobInfo]:
    """Return a job with its delimiter and line ending, which neither an id nor the answer to complete or abort has."""
    if isinstance(job, IngestJobInfo) and job.column_delimiter is not None and job.line_ending is not None:
        return job
    return (yield from ask(bulk2.get_ingest_job(job)))


def query_job(job: QueryJobRef) -> Flow[QueryJobInfo]:
    """Return a query job with its delimiter and its version."""
    if isinstance(job, QueryJobInfo) and job.column_delimiter is not None and job.api_version is not None:
        return job
    return (yield from ask(bulk2.get_query_job(job)))


def any_job(job_id: str) -> Flow[AnyJob]:
    """Get a job of which only the id is known: the APIs share one space of ids.

    Raises:
        NotFound: Neither API knows it.
    """
    # v1 first, since 2.0 knows v1's jobs, too, and says less of them.
    try:
        return (yield from ask(bulk1.get_job_info(job_id)))
    except Intercepted:
        raise
    except (NotFound, InvalidRequest, ProtocolError) as fault:
        # What v1 says of a job of 2.0 is not known; it may be in words that v1 does not have.
        if isinstance(fault, InvalidRequest) and fault.code not in _UNKNOWN:
            raise
        unknown = fault
    try:
        found = yield from ask(bulk2.get_ingest_job(job_id))
        if found.job_type != _QUERY_TYPE:
            return found
    except NotFound:
        pass
    try:
        return (yield from ask(bulk2.get_query_job(job_id)))
    except NotFound:
        raise unknown from None


def result_file(job: IngestJobRef, asking: Callable[[IngestJobRef], Exchange[Stream | None]]) -> Flow[Csv]:
    """Fetch a result file of a job."""
    known = yield from ingest_job(job)
    stream = yield from ask(asking(known))
    if stream is None:
        yield from _check_nothing(known, asking)
    return Csv(stream or _Nothing(), bulk2.form_of(known)[0].character)


def _check_nothing(job: IngestJobInfo, asking: Callable[[IngestJobRef], Exchange[Stream | None]]) -> Flow[None]:
    """Check that no content means no records: a fault of the org's answers so for failed records that there are."""
    if asking is bulk2.get_unprocessed_records:
        return
    now = yield from ask(bulk2.get_ingest_job(job))
    failed, processed = now.number_records_failed or 0, now.number_records_processed or 0
    count = failed if asking is bulk2.get_failed_results else processed - failed
    if count:
        raise ProtocolError(
            f"The org says that the job has {count:,} of these records, but returns no content (204): which ones they "
            "are is not known; look at the records of the job in the org",
            Facts(status=204, job_id=job.id),
        )


def query_results(job: QueryJobRef, locator: str | None, max_records: int | None) -> Flow[Csv]:
    """Fetch a part of a query's records."""
    known = yield from query_job(job)
    found: QueryResults = yield from ask(bulk2.get_query_results(known, locator, max_records))
    return Csv(found.stream, bulk2.form_of(known)[0].character, found.locator, found.number_of_records)


def query_result_pages(job: QueryJobRef, locator: str | None) -> Flow[ResultPages]:
    """Ask for links to parts of a query's records."""
    known = yield from query_job(job)
    return (yield from ask(bulk2.get_query_result_pages(known, locator)))


def wait_for_ingest_job(job: IngestJobRef, timeout_seconds: float, pace: Pace | None) -> Flow[IngestJobInfo]:
    """Poll a job until it has ended."""
    return (yield from _wait_for(bulk2.get_ingest_job(job), timeout_seconds, pace))


def wait_for_ingest_jobs(jobs: Sequence[str], timeout_seconds: float, pace: Pace | None) -> Flow[list[IngestJobInfo]]:
    """Poll several jobs, one after another, until all of them have ended."""
    begun = yield from seconds(Elapsed())
    ended = []
    for job in jobs:
        left = max(timeout_seconds - (yield from seconds(Elapsed())) + begun, 0)
        ended.append((yield from wait_for_ingest_job(job, left, pace)))
    return ended


def wait_for_query_job(job: QueryJobRef, timeout_seconds: float, pace: Pace | None) -> Flow[QueryJobInfo]:
    """Poll a query job until it has ended."""
    return (yield from _wait_for(bulk2.get_query_job(job), timeout_seconds, pace))


def _wait_for(getting: Exchange[J], timeout_seconds: float, pace: Pace | None) -> Flow[J]:
    deadline = (yield from seconds(Elapsed())) + arguments.number(timeout_seconds, "timeout_seconds", 0, math.inf)
    pauses = pauses_of(pace)
    while True:
        job = yield from ask(getting)
        facts = Facts(job_id=job.id)
        if job.is_final:
            return job
        if job.state == Job2State.OPEN:
            raise JobNotDone("The job is open, and the org does nothing with it before complete_upload", facts)
        yield from pause_before(next(pauses), deadline, f"Job {job.id} is still {job.state}", facts, timeout_seconds)


def following(page: JobPage[Listed], locator: str | None) -> str | None:
    """Return where a list goes on; ``None`` at its end.

    Raises:
        ProtocolError: It would go on where it was.
    """
    if page.locator is not None and page.locator == locator:
        raise ProtocolError("The org's list of jobs goes on where it was, without end")
    return page.locator
