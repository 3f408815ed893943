"""Get records out of the org with Bulk API 2.0: a job is created with its query, and is its own only batch.

Its results come in pages. From 58.0 on, the org lists them, five at a time, and they can be fetched side by side;
before, each page says where the next one begins. The name of a page says how it was found, how many records it may
have at most (0: as the org likes), and its locator; journals store it.

The org lets results be read only with the version that the job was created with. So a run keeps its version.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from bulkforce.apis.abc import (
    BatchEnd,
    BatchSeen,
    JobSeen,
    JobStanding,
    Listed,
    Looked,
    ResultFile,
)
from bulkforce.apis.query_faults import fault_of
from bulkforce.errors import (
    Error,
    Facts,
    InvalidRequest,
    JournalMismatch,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    QueryRefused,
    Unavailable,
    Unsettled,
    UsageError,
)
from bulkforce.protocol import bulk2, settings2, soql
from bulkforce.protocol.exchange import Exchange
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info2 import QueryJobInfo
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.wire import short
from bulkforce.vocabulary import Job2State, Operation

T = TypeVar("T")

OLDEST: Final = 47.0
_KEEPS_ORDER: Final = 50.0
"""Before this version, the org returns the columns of a query in alphabetical order."""
_LISTS_PAGES: Final = 58.0

_LISTED: Final = "page"
_CHAINED: Final = "set"
_SET_RECORDS: Final = 50_000
"""Records of a page where we may say how many: few enough that the org sends them well within its 20 minutes."""
_FIRST: Final = f"{_CHAINED} {_SET_RECORDS} "

_TRIES: Final = 3
_ENDS: Final[Mapping[Job2State | str, BatchEnd]] = {
    Job2State.JOB_COMPLETE: BatchEnd.COMPLETED,
    Job2State.FAILED: BatchEnd.FAILED,
    Job2State.ABORTED: BatchEnd.NOT_PROCESSED,
}
_DAYS_QUOTA: Final = "LIMIT_EXCEEDED"
_TOO_EARLY: Final = "INVALIDJOBSTATE"
_NO_CONTENT: Final = 204
_CONFLICT: Final = 409


@dataclass(frozen=True, slots=True)
class Query2:
    """See `bulkforce.apis.abc.QueryApi`.

    Attributes:
        operation: ``query`` or ``queryAll``.
        version: The version of the API, such as ``66.0``.

    Raises:
        UsageError: The version is too old.
    """

    operation: Operation | str
    version: str

    def __post_init__(self) -> None:
        if float(self.version) < OLDEST:
            raise UsageError(
                f"A query over Bulk API 2.0 needs version {OLDEST} or later, not {self.version}: set another version, "
                "or use Bulk API v1"
            )

    @property
    def ends_alone(self) -> bool:
        """See `QueryApi`."""
        return True

    @property
    def keeps_order(self) -> bool:
        """See `QueryApi`."""
        return float(self.version) >= _KEEPS_ORDER

    def check_chunking(self, chunking: PKChunking | None) -> None:
        """See `QueryApi`."""
        if chunking is not None:
            raise UsageError(
                "PK chunking cannot be asked for in Bulk API 2.0: the org itself splits the queries that it can split. "
                "Leave pk_chunking out, or use Bulk API v1"
            )

    def open(self, text: str, _chunking: str | None) -> Flow[JobSeen]:
        """See `QueryApi`."""
        try:
            info = yield from self._ask(
                bulk2.create_query_job(settings2.query_settings(text, operation=self.operation))
            )
        except InvalidRequest as error:
            raise QueryRefused(f"The org refuses the query: {soql.explain(text, _said(error))}", error.facts) from error
        except LimitReached as error:
            if error.code != _DAYS_QUOTA:
                raise
            raise LimitReached(
                f"The org takes no more queries over Bulk API 2.0 today: {error.message}. They become possible again "
                "hour by hour; Bulk API v1 has another limit",
                error.facts,
                retry_after_seconds=error.retry_after_seconds,
            ) from error
        return replace(_job_seen(info), asked=info.id)

    def ask(self, job_id: str, _text: str) -> Flow[BatchSeen]:
        """See `QueryApi`. A job has its query from the beginning."""
        yield from ()
        return BatchSeen(job_id)

    def look(self, job_id: str, _original: str, _known: Collection[str], *, splits: bool) -> Flow[Looked]:
        """See `QueryApi`. Nothing tells of the parts in which the org works on a query."""
        del splits
        info = yield from self._ask(bulk2.get_query_job(job_id))
        end, message = _ENDS.get(info.state), info.error_message
        fault = fault_of(message or "") if end is BatchEnd.FAILED else None
        # The count grows while the job is under way.
        processed = None if end is None else info.number_records_processed
        return Looked({short(info.id): BatchSeen(info.id, end, message, processed, fault=fault)}, _job_seen(info))

    def read_range(self, _job_id: str, _batch_id: str, _query: soql.Query) -> Flow[str | None]:
        """See `QueryApi`. There are no chunks."""
        yield from ()
        return None

    def list_results(self, job_id: str, _batch_id: str, more: str | None = None) -> Flow[Listed]:
        """See `QueryApi`. Where the org does not list pages, there is the first one, which names the next."""
        if more is None and float(self.version) < _LISTS_PAGES:
            return Listed((_FIRST,))
        try:
            pages = yield from self._results(job_id, bulk2.get_query_result_pages(job_id, more))
        except (NotFound, InvalidRequest):
            if more is not None:
                raise
            # Either the job is gone, which this says, or the org does not list pages.
            yield from self._ask(bulk2.get_query_job(job_id))
            return Listed((_FIRST,))
        names = [f"{_LISTED} {link.max_records or 0} {link.locator or ''}" for link in pages.links]
        return Listed(names or (_FIRST,) if more is None else names, pages.locator)

    def fetch(self, job_id: str, _batch_id: str, name: str) -> Flow[ResultFile]:
        """See `QueryApi`."""
        how, most, locator = name.split(" ", 2)
        asked = bulk2.get_query_results(job_id, locator or None, int(most) or None)
        page = yield from self._results(job_id, asked)
        following = f"{_CHAINED} {most} {page.locator}" if how == _CHAINED and page.locator else None
        return ResultFile(page.stream, page.number_of_records, following)

    def close(self, _job_id: str, _original: str, _chunks: int | None) -> Flow[Looked | None]:
        """See `QueryApi`. A job that has ended needs no closing; the org keeps its results for 7 days."""
        yield from ()
        return None

    def abort(self, job_id: str) -> Flow[None]:
        """See `QueryApi`."""
        with suppress(NotFound):
            for attempt in range(_TRIES):
                try:
                    yield from self._ask(bulk2.abort_query_job(job_id))
                except (OutcomeUnknown, InvalidRequest):
                    # The answer was lost, or the job has ended: find out which.
                    info = yield from self._ask(bulk2.get_query_job(job_id))
                    if info.state not in _ENDS:
                        yield Sleep(float(attempt), jittered=True)
                        continue
                return
            raise Unsettled(f"Job {job_id} could not be aborted, so the org goes on with it", Facts(job_id=job_id))

    def _results(self, job_id: str, exchange: Exchange[T]) -> Flow[T]:
        """Make an exchange about the results of a job that was seen to be complete."""
        try:
            return (yield from self._ask(exchange))
        except (InvalidRequest, ProtocolError) as error:
            if error.status == _CONFLICT:
                raise JournalMismatch(
                    f"The org lets the results of job {job_id} be read only with the version of the API that the job "
                    f"was created with, and says that this is not {self.version}. Start a new extract. The org said: "
                    f"{_said(error)}",
                    error.facts,
                ) from error
            if error.code == _TOO_EARLY or error.status == _NO_CONTENT:
                raise Unavailable(
                    f"The org said that job {job_id} is complete, but it does not give its results yet", error.facts
                ) from error
            raise

    def _ask(self, exchange: Exchange[T]) -> Flow[T]:
        """Make an exchange with the version of the run, whatever the client's is."""
        path = exchange.request.path.replace("{version}", self.version)
        return ask(replace(exchange, request=replace(exchange.request, path=path)))


def _said(error: Error) -> str:
    return ": ".join(word for word in (error.code, error.message) if word) or error.text


def _job_seen(info: QueryJobInfo) -> JobSeen:
    created = info.created_date.timestamp() if info.created_date else None
    return JobSeen(info.id, JobStanding.ABORTED if info.state is Job2State.ABORTED else JobStanding.CLOSED, created)
