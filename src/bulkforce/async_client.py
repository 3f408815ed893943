"""`AsyncClient`: the twin of `Client` for asyncio; a parity test keeps the two alike. `Client` has the full docs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Self, TypeVar

from bulkforce import conversations
from bulkforce.client import Client
from bulkforce.conversations import BatchResult, Pace
from bulkforce.formats.content import Content
from bulkforce.protocol import bulk1, limits, rest
from bulkforce.protocol.bulk1 import JobRef
from bulkforce.protocol.flow import Auth, ask
from bulkforce.protocol.info import BatchInfo, BatchList, JobInfo
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.run.manner import Manner
from bulkforce.transport.base import LARGEST_ANSWER_BYTES, TLS, Timeouts, Transport
from bulkforce.transport.drive import Driver, make_driver
from bulkforce.transport.stopping import Stop, in_thread
from bulkforce.transport.stream import AsyncResultStream, ResultStream
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce.extract.query import QueryResult

P = ParamSpec("P")
T = TypeVar("T")


class _InThread(Client):
    """The client in a worker thread: it does the work of one `AsyncClient` call, and stops if that is cancelled."""

    def __init__(self, driver: Driver, stop: Stop) -> None:
        self.driver = driver
        self._stop = stop

    def _do(self, work: Callable[[Stop], T]) -> T:
        return work(self._stop)


def _in_thread(
    verb: Callable[Concatenate[Client, P], T],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[object, object, T]]:
    """Make the twin of a long-running method, which only `Client` declares."""

    @wraps(verb)
    async def twin(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.driver.acarry_out(lambda stop: verb(_InThread(self.driver, stop), *args, **kwargs))

    return twin


class AsyncClient:
    """A client for one Salesforce org, for asyncio; takes the arguments of `Client`, and every method is awaited.

    Each call does its work in a worker thread, since bulk work is a few large requests. A cancelled call (also by
    ``asyncio.timeout``) ends when its requests on the wire have ended, which `Timeouts` limits, and sends no further
    ones. A cancelled load or extract settles what it can and can then be resumed: the cause of the ``CancelledError``
    is an `Interrupted` that says how. A second cancellation waits as well, because a thread left behind would keep
    running.
    """

    def __init__(
        self,
        instance_url: str | None = None,
        auth: Auth | None = None,
        *,
        version: str = limits.API_VERSION,
        tls: TLS | None = None,
        proxy: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        gzip_requests: bool = False,
        largest_answer_bytes: int = LARGEST_ANSWER_BYTES,
        allow_http: bool = False,
        transport: Transport | None = None,
    ) -> None:
        self.driver = make_driver(
            instance_url,
            auth,
            version=version,
            tls=tls,
            proxy=proxy,
            timeouts=timeouts,
            retry=retry,
            gzip_requests=gzip_requests,
            largest_answer_bytes=largest_answer_bytes,
            allow_http=allow_http,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.driver.instance_url!r}, version={self.driver.version!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the work of other tasks, wait until it has stopped, and close all connections; see `Client.close`."""
        await in_thread(self.driver.close)

    async def create_job(
        self,
        operation: Operation | str,
        object: str,  # noqa: A002  (the field's own word)
        content_type: ContentType | str,
        *,
        external_id_field: str | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        assignment_rule_id: str | None = None,
        pk_chunking: PKChunking | bool | int | None = None,
        line_ending: LineEnding | str | None = None,
        disable_batch_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JobInfo:
        """Open a job."""
        settings = bulk1.settings(
            operation,
            object,
            content_type,
            external_id_field=external_id_field,
            concurrency_mode=concurrency_mode,
            assignment_rule_id=assignment_rule_id,
            pk_chunking=pk_chunking,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry,
            headers=headers,
        )
        return await self.driver.arun(ask(bulk1.create_job(settings)))

    async def get_job_info(self, job: JobRef) -> JobInfo:
        """Return the state of a job, given as `JobInfo` or id."""
        return await self.driver.arun(ask(bulk1.get_job_info(job)))

    async def close_job(self, job: JobRef) -> JobInfo:
        """Close a job: it accepts no more batches, and those already queued still run."""
        return await self.driver.arun(ask(bulk1.set_state(job, JobState.CLOSED)))

    async def abort_job(self, job: JobRef) -> JobInfo:
        """Abort a job: queued batches do not run, running ones finish, and nothing is undone."""
        return await self.driver.arun(ask(bulk1.set_state(job, JobState.ABORTED)))

    async def add_batch(self, job: JobRef, content: Content) -> BatchInfo:
        """Add one batch to an open job."""
        return await self.driver.arun(conversations.add_batch(job, content))

    async def get_batch_info(self, job: JobRef, batch_id: str) -> BatchInfo:
        """Return the state of a batch."""
        return await self.driver.arun(ask(bulk1.get_batch_info(job, batch_id)))

    async def get_all_batches(self, job: JobRef) -> list[BatchInfo]:
        """Return the state of every batch of a job."""
        return BatchList(await self.driver.arun(ask(bulk1.get_all_batches(job))))

    async def get_batch_request(self, job: JobRef, batch_id: str) -> bytes:
        """Return the bytes that the batch was created from; for a query, its SOQL."""
        return await self.driver.arun(ask(bulk1.get_batch_request(job, batch_id)))

    async def get_batch_result(self, job: JobRef, batch_id: str) -> BatchResult:
        """Fetch the results of a batch."""
        return await self.driver.arun(conversations.get_batch_result(job, batch_id))

    async def get_query_result_ids(self, job: JobRef, batch_id: str) -> list[str]:
        """List the result files of a query batch, in order."""
        return await self.driver.arun(conversations.get_query_result_ids(job, batch_id))

    async def get_query_result(self, job: JobRef, batch_id: str, result_id: str) -> AsyncResultStream:
        """Stream one result file, of any size, of a query batch."""
        return AsyncResultStream(
            ResultStream(await self.driver.arun(ask(bulk1.get_query_result(job, batch_id, result_id))))
        )

    async def wait_for_batch(
        self,
        job: JobRef,
        batch_id: str,
        *,
        timeout_seconds: float = conversations.DAY_SECONDS,
        pace: Pace | None = None,
    ) -> BatchInfo:
        """Wait until a batch is ``Completed``, ``Failed`` or ``NotProcessed``."""
        return await self.driver.arun(conversations.wait_for_batch(job, batch_id, timeout_seconds, pace))

    async def wait_for_job(
        self, job: JobRef, *, timeout_seconds: float = conversations.DAY_SECONDS, pace: Pace | None = None
    ) -> JobInfo:
        """Wait until every batch of a job, PK chunks included, is ``Completed``, ``Failed`` or ``NotProcessed``."""
        return await self.driver.arun(conversations.wait_for_job(job, timeout_seconds, pace))

    load = _in_thread(Client.load)
    check = _in_thread(Client.check)
    suggest_map = _in_thread(Client.suggest_map)
    resume = _in_thread(Client.resume)
    extract = _in_thread(Client.extract)
    resume_extract = _in_thread(Client.resume_extract)

    async def query(
        self,
        soql: str,
        *,
        all_rows: bool = False,
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 4,
        poll: float | None = None,
        max_api_calls: int | None = None,
    ) -> QueryResult:
        """Query records as in `Client.query`; iterate over the result with ``async for``."""
        from bulkforce.extract import query  # see above

        manner = Manner(poll=poll, max_api_calls=max_api_calls)
        return query.query(self.driver, soql, manner, all_rows=all_rows, pk_chunking=pk_chunking, workers=workers)

    async def count(self, soql: str, *, all_rows: bool = False) -> int:
        """Count the records that a query finds, over REST."""
        return await self.driver.arun(rest.count_found(soql, all_rows=all_rows))

    async def create_spec(self, job: JobRef, mapping_csv: str) -> None:
        """Upload a transformation spec to a CSV job: it maps the columns of other systems' CSV files to fields."""
        await self.driver.arun(ask(bulk1.create_spec(job, mapping_csv)))
