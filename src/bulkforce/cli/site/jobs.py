"""Asks the org about the jobs of runs, not more often than every few seconds, however many look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from bulkforce.cli.site.views import SeenJob
from bulkforce.errors import Error, NotFound, RefusedError

if TYPE_CHECKING:
    from bulkforce.client import Client

_AGAIN_SECONDS: Final = 10.0
_MOST_JOBS: Final = 50
_UNKNOWN: Final = frozenset({"InvalidJob", "InvalidEntity"})


@dataclass(slots=True)
class Jobs:
    """The jobs of runs in their org.

    Attributes:
        client: Asks the org.
        found: The jobs.
        looked: When the org was asked, in seconds since 1970.
        trouble: Why it did not answer; empty if it did.
    """

    client: Client
    found: Sequence[SeenJob] = ()
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
                self.found, self.trouble = [self._ask(run, job) for run, job in jobs[:_MOST_JOBS]], ""
            except Error as error:
                self.trouble = str(error)
            self.looked, self._due = time.time(), time.monotonic() + _AGAIN_SECONDS

    def _ask(self, run: str, job: str) -> SeenJob:
        try:
            info = self.client.get_job_info(job)
        except (NotFound, RefusedError) as error:
            if not isinstance(error, NotFound) and error.facts.code not in _UNKNOWN:
                raise
            return SeenJob(job, run, None)
        what = f"{info.operation} {info.object}"
        return SeenJob(
            job, run, str(info.state), what, info.number_records_processed or 0, info.number_records_failed or 0
        )
