"""The report of a load: counts that add up, and errors grouped by cause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bulkforce.display import Display, Shown, Table, counted
from bulkforce.errors import RecordsFailed
from bulkforce.load.costs import Cost, costs_shown
from bulkforce.run.folder import UNTIED
from bulkforce.run.report import ErrorGroup, RunState, causes_shown, in_seconds, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a load at one moment.

    At the end, ``read = succeeded + failed + unprocessed + rejected + in_doubt``; until then, ``sent`` is the number of
    records that the org has accepted. ``batches`` counts our batches by state: ``pending``, ``sending``, ``accepted``,
    ``ended``, ``done``. ``earlier`` is the number of records that were done before this sitting, whose pace does not
    include them. ``waits_for`` says in words what is waited for, if nothing else goes on. ``seconds_left`` is ``None``
    while it cannot be estimated.
    """

    phase: str
    read: int
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    rejected: int = 0
    in_doubt: int = 0
    batches: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    seconds_left: float | None = None
    earlier: int = 0
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LoadReport(Shown):
    """The report of a load.

    Attributes:
        run: The run's id.
        run_dir: The run's folder, with ``success.csv``, ``failed.csv``, ``unprocessed.csv``, ``rejected.csv``,
            ``report.json`` and, to look at, ``report.html``.
        state: ``finished``, ``interrupted`` (resume it), ``unsettled`` (it needs your decision, see ``accept_as`` of
            `Client.resume`), or ``planned`` (a dry run).
        operation: As in the job.
        object: As in the job.
        read: Number of records in the source.
        succeeded: Records that the org saved.
        failed: Records that the org refused, each with a reason.
        unprocessed: Records without a result, because the org refused their batch or gave up on it.
        rejected: Records that exceed a limit of the org; never sent.
        skipped: Rows that are nothing but commas, as Excel writes below a table; like blank lines, they do not count as
            read.
        in_doubt: Records in ``in_doubt.csv``: either their outcome cannot be determined, or the run stopped before they
            were sent; the file says which.
        untied: Results that the org returned and that belong to no record for certain, in ``untied.csv`` as it wrote
            them; not in the counts of records, of which as many are in doubt.
        batches: Number of batches.
        bytes: Bytes of all batches.
        jobs: Ids of the jobs used.
        jobs_left_open: Jobs that may be in the org, open and empty, because the answer to their creation was lost; each
            is identified by the time of the request.
        api_calls: Calls made in this sitting; for a plan, the minimum to expect.
        remaining_batches: For a plan, how many more batches the org accepts today; ``None`` if it did not say.
        remaining_api_calls: For a plan, how many more API calls the org accepts today; ``None`` if it did not say.
        costs: For a plan, what a load costs at least, over each API that can do it.
        fits: For a plan, whether the check found nothing that the org would refuse; see `CheckReport.fits`.
        errors: Why records did not succeed, the most frequent cause first; for a plan, why records would be rejected.
        seconds: How long the last sitting took.
        sittings: How many there were: more than one if the run was resumed.
        stopped_by: Why the run was interrupted.
        retry_of: The id of the run whose rows this run loads again; see `Client.retry`.
        undo_of: The id of the run whose records this run deletes; see `Client.undo`.
    """

    run: str
    run_dir: Path
    state: RunState
    operation: str
    object: str
    read: int
    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    rejected: int = 0
    skipped: int = 0
    in_doubt: int = 0
    untied: int = 0
    batches: int = 0
    bytes: int = 0
    jobs: tuple[str, ...] = ()
    jobs_left_open: tuple[str, ...] = ()
    api_calls: int = 0
    remaining_batches: int | None = None
    remaining_api_calls: int | None = None
    costs: tuple[Cost, ...] = ()
    fits: bool | None = None
    errors: tuple[ErrorGroup, ...] = ()
    seconds: float = 0.0
    sittings: int = 1
    stopped_by: str | None = None
    retry_of: str | None = None
    undo_of: str | None = None

    @property
    def pending(self) -> int:
        """Records whose outcome is still open; 0 when finished."""
        return self.read - self.succeeded - self.failed - self.unprocessed - self.rejected - self.in_doubt

    def __repr__(self) -> str:
        counts = ", ".join(f"{what}={count}" for what, count, _ in self._counts() if count)
        return f"<LoadReport {self.operation} {self.object}: {self.state}, read={self.read}{counts and ', ' + counts}>"

    def _counts(self) -> list[tuple[str, int, str]]:
        """Return the outcomes, with their counts and files."""
        return [
            ("succeeded", self.succeeded, "success.csv"),
            ("failed", self.failed, "failed.csv"),
            ("unprocessed", self.unprocessed, "unprocessed.csv"),
            ("rejected", self.rejected, "rejected.csv"),
            ("in doubt", self.in_doubt, "in_doubt.csv"),
        ]

    def _display(self) -> Display:
        planned, final = self.state is RunState.PLANNED, self.state is RunState.FINISHED
        rows: list[tuple[str, int | str, str]] = [
            (what, count, str(self.run_dir / file) if final else "")
            for what, count, file in self._counts()
            if (count or what != "in doubt") and (not planned or what == "rejected")
        ]
        rows += [] if final or planned else [("open", self.pending, "")]
        rows += [("skipped", self.skipped, "rows of nothing but commas")] if self.skipped else []
        if self.untied:
            where = f": {self.run_dir / UNTIED}" if final else ""
            rows.append(("untied", self.untied, f"results that belong to no row for certain{where}"))
        doing = f"{what_of(self)}: {self.state}"
        took = in_seconds(self.seconds, self.sittings)
        done = f"{counted(self.read, 'row')} in {counted(self.batches, 'batch')}, {took}"
        calls = f"{'at least ' if planned else ''}{counted(self.api_calls, 'API call')}"
        causes = causes_shown(self.errors, "Why rows would be rejected" if planned else "Why rows failed")
        stopped = [Table("", (), [("stopped by", self.stopped_by)])] if self.stopped_by else []
        return Display(f"{doing}; {done}, {calls}", [Table("", (), rows), *costs_shown(self.costs), *stopped, *causes])

    def raise_for_failures(self) -> LoadReport:
        """Return this report if every record succeeded.

        Raises:
            RecordsFailed: At least one did not.
        """
        if self.succeeded != self.read:
            counts = (
                f"{self.failed:,} failed, {self.unprocessed:,} unprocessed, "
                f"{self.rejected:,} rejected, {self.in_doubt:,} in doubt, {self.pending:,} open"
            )
            raise RecordsFailed(
                f"{self.read - self.succeeded:,} of {self.read:,} records did not succeed: {counts}; see {self.run_dir}"
            )
        return self

    @classmethod
    def from_json(cls, text: str) -> LoadReport:
        """Read a report that `to_json` wrote.

        Raises:
            FormatError: The text is not such a report.
        """
        return read_json(text, cls, left_out={"pending", "costs"})

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(
            asdict(self) | {"run_dir": str(self.run_dir), "pending": self.pending}, indent=2, ensure_ascii=False
        )


def what_of(report: LoadReport) -> str:
    """Return what a load does, and which run it follows."""
    follows = ""
    if report.retry_of or report.undo_of:
        follows = f" (retry of {report.retry_of})" if report.retry_of else f" (undo of {report.undo_of})"
    return f"{report.operation} {report.object}{follows}"
