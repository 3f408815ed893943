"""`AsyncClient`: the twin of `Client` for asyncio; a parity test keeps the two alike. `Client` has the full docs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Self, TypeVar

from bulkforce.calls1 import AsyncCalls1
from bulkforce.calls2 import AsyncCalls2
from bulkforce.client import Client
from bulkforce.protocol import limits, rest
from bulkforce.protocol.flow import Auth
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.run.manner import Manner
from bulkforce.transport.base import LARGEST_ANSWER_BYTES, TLS, Timeouts, Transport
from bulkforce.transport.drive import Driver, make_driver
from bulkforce.transport.stopping import Stop, in_thread

if TYPE_CHECKING:
    from bulkforce.events import OnEvent
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


class AsyncClient(AsyncCalls1, AsyncCalls2):
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

    load = _in_thread(Client.load)
    check = _in_thread(Client.check)
    suggest_map = _in_thread(Client.suggest_map)
    resume = _in_thread(Client.resume)
    retry = _in_thread(Client.retry)
    undo = _in_thread(Client.undo)
    extract = _in_thread(Client.extract)
    resume_extract = _in_thread(Client.resume_extract)

    async def query(
        self,
        soql: str,
        *,
        all_rows: bool = False,
        api: Literal["bulk1", "bulk2"] = "bulk1",
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 5,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
    ) -> QueryResult:
        """Query records as in `Client.query`; iterate over the result with ``async for``.

        Example:
            >>> async for batch in await client.query("SELECT Id FROM Account"):  # doctest: +SKIP
            ...     print(batch.num_rows)
        """
        from bulkforce.extract import query  # see above

        manner = Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress)
        return query.query(
            self.driver, soql, manner, all_rows=all_rows, api=api, pk_chunking=pk_chunking, workers=workers
        )

    async def count(self, soql: str, *, all_rows: bool = False) -> int:
        """Count the records that a query finds, over REST."""
        return await self.driver.arun(rest.count_found(soql, all_rows=all_rows))
