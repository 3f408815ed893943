"""`Stage`: pieces that any number of processes upload, and that count for nothing until one commit."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from bulkforce import arguments, conversations2
from bulkforce.apis import staged
from bulkforce.apis.staged import StageState
from bulkforce.conversations import Pace
from bulkforce.protocol.info2 import IngestJobInfo
from bulkforce.protocol.limits import DAY_SECONDS
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop

if TYPE_CHECKING:
    from bulkforce.load.job_data import JobData


class _Handle:
    """What both colours share: which pieces there are."""

    def __init__(self, driver: Driver, state: StageState) -> None:
        self._driver = driver
        self._current = state
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        settings = self._current.settings
        return f"{type(self).__name__}({settings.operation} {settings.object}, {len(self.jobs)} pieces)"

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs of all pieces that this handle knows."""
        return list(self._current.jobs)

    def state(self) -> str:
        """Return what another process needs to go on, as a small JSON text: for `Client.resume_stage`.

        Write it down before `commit`: then a commit that dies can be finished by anyone, any number of times.
        """
        return self._current.to_json()

    def add(self, jobs: Collection[str]) -> None:
        """Add pieces that were written elsewhere, by the ids that `write` returned; each counts once."""
        for one in jobs:
            arguments.text(one, "A job's id")
        with self._lock:
            self._current = self._current.with_jobs(jobs)


class Stage(_Handle):
    """A staged load: each `write` uploads pieces that count for nothing, and `commit` makes all of them count.

    Comes from `Client.stage` and `Client.resume_stage`; safe to use from many threads. A piece is a job of Bulk API 2.0
    that is open: the org removes it after 24 hours, so commit before that.

    Example:
        >>> stage = client.stage("Contact", "upsert", external_id="Email__c")  # doctest: +SKIP
        >>> stage.write(Path("part-1.csv"))  # doctest: +SKIP
        ['750Kf00000R1wzSIAR']
        >>> stage.commit()  # doctest: +SKIP
        >>> [job.number_records_failed for job in stage.wait()]  # doctest: +SKIP
        [0]
    """

    def write(self, content: JobData) -> list[str]:
        """Upload content as one piece or more, of at most 100,000,000 bytes each; the org writes nothing of it yet.

        If the upload's answer is lost, the job is aborted, and the piece goes into a new one.

        Args:
            content: As in `Client.upload`, but of any size.

        Returns:
            The ids of the pieces' jobs. A writer in another process returns them to whoever commits, for `add`: pieces
            that are never added, such as those of a writer that died, never count.

        Raises:
            FormatError: The content cannot be sent; no piece of it is added.
        """
        return self._driver.carry_out(lambda stop: self._write(content, stop))

    def _write(self, content: JobData, stop: Stop) -> list[str]:
        from bulkforce.load.job_data import job_data, pieces_of  # only data needs what reads it

        settings = self._current.settings
        ids: list[str] = []
        with job_data(content, settings.column_delimiter, settings.line_ending, most=None) as body:
            try:
                for piece in pieces_of(body):
                    ids += [self._driver.run(staged.write(settings, piece), stop.sleep)]
                    stop.sleep(0)  # raises if the work is to stop
            except BaseException:
                # A part of the content must not count.
                self._driver.run(staged.discard(ids))
                raise
        self.add(ids)
        return ids

    def commit(self) -> list[IngestJobInfo]:
        """Make all pieces count: the org now writes their records. Repeat it, from anywhere, until it succeeds.

        It first looks at every piece; if one is gone, none is committed. Each piece is committed once, however often
        this is called and by whomever.

        Raises:
            JobAborted: A piece was aborted, or removed after 24 hours; nothing was committed.
            Unsettled: The same, and other pieces are committed.
        """
        return self._driver.run(staged.commit(self._current))

    def abort(self, *, strays: bool = False) -> None:
        """Abort and delete all pieces, so that nothing of them is left in the org.

        Args:
            strays: Also those of writers that died before they returned: all open jobs of this user for the same object
                and operation that were created since the stage began. Only if no other program of this user could own
                them.

        Raises:
            Unsettled: Pieces are committed; nothing was aborted.
        """
        self._driver.run(staged.abort(self._current, strays=arguments.flag(strays, "strays")))

    def wait(self, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None) -> list[IngestJobInfo]:
        """Wait until every piece has ended, after `commit`; return their jobs.

        Args:
            timeout_seconds: How long to wait at most.
            pace: How often to poll, as in `Client.wait_for_ingest_job`.

        Raises:
            JobNotDone: The time is up; or a piece is not committed.
        """
        return [
            self._driver.run(conversations2.wait_for_ingest_job(job, timeout_seconds, pace))
            for job in self._current.jobs
        ]


class AsyncStage(_Handle):
    """A staged load, for asyncio; see `Stage`."""

    async def write(self, content: JobData) -> list[str]:
        """Upload content as one piece or more; the org writes nothing of it yet. Cancelled, it leaves no piece."""
        stage = Stage(self._driver, self._current)
        ids = await self._driver.acarry_out(lambda stop: stage._write(content, stop))  # noqa: SLF001  (its twin)
        self.add(ids)
        return ids

    async def commit(self) -> list[IngestJobInfo]:
        """Make all pieces count."""
        return await self._driver.arun(staged.commit(self._current))

    async def abort(self, *, strays: bool = False) -> None:
        """Abort and delete all pieces."""
        await self._driver.arun(staged.abort(self._current, strays=arguments.flag(strays, "strays")))

    async def wait(self, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None) -> list[IngestJobInfo]:
        """Wait until every piece has ended."""
        return await self._driver.arun(conversations2.wait_for_ingest_jobs(self.jobs, timeout_seconds, pace))
