"""The org's jobs, as Bulk API 2.0 lists them: page by page as one goes on, and shown as a table of the first page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, TypeVar

from bulkforce.conversations2 import following
from bulkforce.display import Display, Shown, Table, counted
from bulkforce.protocol.bulk2 import JobPage
from bulkforce.protocol.exchange import Exchange
from bulkforce.protocol.flow import ask
from bulkforce.protocol.info import worded
from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
from bulkforce.transport.drive import Driver

J = TypeVar("J", bound=IngestJobInfo | QueryJobInfo)

_HEADER = ("id", "state", "operation", "object", "type", "created")


class _Jobs(Shown, Generic[J]):
    """What lists of both colours share: the first page, which is fetched once, for whoever comes first.

    Args:
        driver: The client's driver.
        asking: Makes the request for a page, given its ``locator``.
        first: The request for the first page.
    """

    __slots__ = ("_asking", "_driver", "_first", "_page")

    def __init__(
        self, driver: Driver, asking: Callable[..., Exchange[JobPage[J]]], first: Exchange[JobPage[J]]
    ) -> None:
        self._driver = driver
        self._asking = asking
        self._first = first
        self._page: JobPage[J] | None = None

    def _display(self) -> Display:
        """Show the first page; what is iterated later still begins with it."""
        self._page = page = self._page or self._driver.run(ask(self._first))
        heading = counted(len(page.jobs), "job")
        if page.locator is not None:
            heading = f"The first {heading} of the org; iterate for all"
        rows = [
            (
                job.id,
                str(job.state),
                str(job.operation),
                job.object,
                job.job_type,
                worded(job.created_date) if job.created_date else "",
            )
            for job in page.jobs
        ]
        return Display(heading, [Table("", _HEADER, rows)] if rows else [])

    def __repr__(self) -> str:
        # A debugger or an error that names it sends nothing.
        return f"<{type(self).__name__}: {'not fetched yet' if self._page is None else self._display().heading}>"


class JobIterator(_Jobs[J], Iterator[J]):
    """Goes through the org's jobs. Printed, or shown in a notebook, it is a table of the first page."""

    __slots__ = ("_jobs",)

    def __init__(
        self, driver: Driver, asking: Callable[..., Exchange[JobPage[J]]], first: Exchange[JobPage[J]]
    ) -> None:
        super().__init__(driver, asking, first)
        self._jobs = self._all()

    def __next__(self) -> J:
        return next(self._jobs)

    def _all(self) -> Iterator[J]:
        self._page = page = self._page or self._driver.run(ask(self._first))
        yield from page.jobs
        locator: str | None = None
        while (locator := following(page, locator)) is not None:
            page = self._driver.run(ask(self._asking(locator=locator)))
            yield from page.jobs


class AsyncJobIterator(_Jobs[J], AsyncIterator[J]):
    """Goes through the org's jobs, awaited. Printed, or shown in a notebook, it is a table of the first page.

    Showing it fetches that page without ``await``, unless it is there already.
    """

    __slots__ = ("_jobs",)

    def __init__(
        self, driver: Driver, asking: Callable[..., Exchange[JobPage[J]]], first: Exchange[JobPage[J]]
    ) -> None:
        super().__init__(driver, asking, first)
        self._jobs = self._all()

    async def __anext__(self) -> J:
        return await anext(self._jobs)

    async def _all(self) -> AsyncIterator[J]:
        if self._page is None:
            self._page = await self._driver.arun(ask(self._first))
        page = self._page
        for job in page.jobs:
            yield job
        locator: str | None = None
        while (locator := following(page, locator)) is not None:
            page = await self._driver.arun(ask(self._asking(locator=locator)))
            for job in page.jobs:
                yield job
