"""Asks the org about its jobs, not more often than every few seconds, however many look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bulkforce.cli.site.views import SeenJob
from bulkforce.conversations2 import any_job
from bulkforce.errors import Error, NotFound

if TYPE_CHECKING:
    from bulkforce.client import Client

_AGAIN_SECONDS: Final = 10.0
_OF_RUNS: Final = 50
_READ: Final = 2_000
_OF_ORG: Final = 100
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Jobs:
    """The jobs of an org.

    Attributes:
        client: Asks the org.
        of_runs: The jobs of runs.
        of_org: All jobs, the latest first.
        looked: When the org was asked, in seconds since 1970.
        trouble: Why it did not answer; empty if it did.
    """

    client: Client
    of_runs: Sequence[SeenJob] = ()
    of_org: Sequence[SeenJob] = ()
    looked: float = 0.0
    trouble: str = ""
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def org(self) -> str:
        """The org's host."""
        return urlsplit(self.client.driver.instance_url or "").netloc

    def look(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Ask the org, unless it was asked just now.

        Args:
            jobs: Runs and the ids of their jobs, the latest first.
        """
        with self._lock:
            if time.monotonic() < self._due:
                return
            try:
                self.of_runs = [self._ask(run, job) for run, job in jobs[:_OF_RUNS]]
                self.of_org = self._list()
                self.trouble = ""
            except Error as error:
                self.trouble = str(error)
            self.looked, self._due = time.time(), time.monotonic() + _AGAIN_SECONDS

    def _ask(self, run: str, job: str) -> SeenJob:
        try:
            info = self.client.driver.run(any_job(job))
        except NotFound:
            return SeenJob(job, run, None)
        processed, failed = info.number_records_processed, getattr(info, "number_records_failed", None)
        return SeenJob(job, run, str(info.state), f"{info.operation} {info.object}", processed, failed)

    def _list(self) -> list[SeenJob]:
        """List what Bulk API 2.0 lists, in no order: the jobs of both APIs, without counts."""
        listed = chain(self.client.list_ingest_jobs(), self.client.list_query_jobs())
        found = {info.id: info for info in islice(listed, _READ)}
        latest = sorted(found.values(), key=lambda info: info.created_date or _LONG_AGO, reverse=True)
        return [
            SeenJob(info.id, _created(info.created_date), str(info.state), f"{info.operation} {info.object}")
            for info in latest[:_OF_ORG]
        ]


def _created(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""
