"""The report of an extract, and its progress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bulkforce.display import Display, Shown, Table, counted
from bulkforce.run.report import RunState, in_seconds, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractProgress:
    """The progress of an extract.

    Attributes:
        rows: Records on disk.
        bytes: Bytes on disk.
        total: Total number of records, once the org has answered every batch; ``None`` before that.
        batches: Number of batches by state: ``running``, ``completed``, ``fetching``, ``done``, ``failed``.
        seconds: How long this sitting has taken.
        seconds_left: Estimated time left; ``None`` while it cannot be estimated.
        earlier: Records that were on disk before this sitting, whose pace does not include them.
        waits_for: What is waited for, in words, if nothing else goes on.
    """

    rows: int = 0
    bytes: int = 0
    total: int | None = None
    batches: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    seconds_left: float | None = None
    earlier: int = 0
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExtractReport(Shown):
    """The outcome of an extract.

    Attributes:
        run: The run's id.
        run_dir: The run's folder, with ``report.json`` and, to look at, ``report.html``.
        state: ``finished``, or ``interrupted`` (resume it).
        object: The object after FROM.
        soql: The query.
        to: The file that was written; ``-`` is standard output.
        rows: Number of records: exactly as many as the org said, batch by batch; less those that were left out.
        repeated: With a file that keeps since when: records that had not changed after the last mark, most of which
            came the last time, too; or, with ``repeats="drop"``, records that came the last time and were left out.
        repeats: As asked.
        repeats_known: Whether ``repeats="drop"`` had anything to compare with: ``False`` if the extract before did not
            keep which records came, so that none was left out this time.
        parts: Number of result files.
        batches: Number of batches that they came from; over Bulk API 2.0, a job is one.
        bytes: Size of the result files.
        jobs: Ids of the jobs used.
        api: ``bulk1`` for Bulk API v1, ``bulk2`` for Bulk API 2.0.
        api_calls: API calls made in this sitting.
        seconds: How long the last sitting took.
        sittings: How many there were: more than one if the run was resumed.
        stopped_by: Why the run was interrupted.
    """

    run: str
    run_dir: Path
    state: RunState
    object: str
    soql: str
    to: str
    rows: int = 0
    repeated: int = 0
    repeats: str = "keep"
    repeats_known: bool = True
    parts: int = 0
    batches: int = 0
    bytes: int = 0
    jobs: tuple[str, ...] = ()
    api: str = "bulk1"
    api_calls: int = 0
    seconds: float = 0.0
    sittings: int = 1
    stopped_by: str | None = None

    def __repr__(self) -> str:
        return f"<ExtractReport {self.object}: {self.state}, rows={self.rows}, to={self.to!r}>"

    def _display(self) -> Display:
        pieces = counted(self.parts, "page") if self.api == "bulk2" else counted(self.batches, "batch")
        done = f"{counted(self.rows, 'row')} in {pieces}, {in_seconds(self.seconds, self.sittings)}"
        rows = [("to", self.to), ("bytes received", f"{self.bytes:,}")]
        rows += [("stopped by", self.stopped_by)] if self.stopped_by else []
        calls = counted(self.api_calls, "API call")
        return Display(f"extract {self.object}: {self.state}; {done}, {calls}", [Table("", (), rows)])

    @classmethod
    def from_json(cls, text: str) -> ExtractReport:
        """Read a report that `to_json` wrote.

        Raises:
            FormatError: It is not such a report.
        """
        return read_json(text, cls)

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self) | {"run_dir": str(self.run_dir)}, indent=2, ensure_ascii=False)
