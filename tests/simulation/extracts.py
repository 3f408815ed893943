"""One simulated extract, and what must be true of it, whatever happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tests.simulation.org import Org
from tests.simulation.process import Process
from tests.simulation.queries2 import Queries2
from tests.simulation.scenario import Scenario
from tests.simulation.world import World
from tests.support.rehearsal import read_csv

from bulkforce import ExtractReport, errors
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.run.report import RunState
from bulkforce.run.sitting import Sitting


def simulate(scenario: Scenario) -> str:
    """Carry out the extract of a scenario, and see that what must be true is.

    Returns:
        How it ended.

    Raises:
        AssertionError: It is not.
    """
    with TemporaryDirectory(prefix="bulkforce-simulation-") as name:
        return _Extract(scenario, Path(name)).check()


class _Extract:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.world = World(scenario.seed)
        self.rows = [f"row {row}" for row in range(scenario.rows)]
        self.api: Literal["bulk1", "bulk2"] = "bulk2" if scenario.seed % 2 else "bulk1"
        self.org = (
            Queries2(self.world, scenario.faults, self.rows, scenario.size)
            if self.api == "bulk2"
            else Org(self.world, scenario.faults, self.rows)
        )
        self.process = Process(scenario, folder, self.org, self.world, self.resume)
        self.process.passing += (errors.JobAborted, errors.BatchFailed)
        self.out = folder / "out.csv"

    def begin(self, sitting: Sitting) -> ExtractReport:
        scenario = self.scenario
        # What goes on is of another version, perhaps.
        version = "57.0" if self.api == "bulk2" and not scenario.chunked else sitting.version
        return extract.extract(
            replace(sitting, version=version),
            ExtractOptions(
                soql="SELECT Code__c FROM Row__c",
                to=self.out,
                api=self.api,
                pk_chunking=scenario.size if scenario.chunked and self.api == "bulk1" else False,
                workers=scenario.workers,
                run_dir=self.process.run_dir,
            ),
        )

    def resume(self, sitting: Sitting) -> ExtractReport:
        return extract.resume_extract(sitting, self.process.run_dir)

    def check(self) -> str:
        end = self.process.until_it_ends(self.begin)
        assert isinstance(end, ExtractReport), f"ended by {type(end).__name__}: {end}"
        assert (end.state, end.rows) == (RunState.FINISHED, len(self.rows))
        self.is_complete()
        if self.api == "bulk1":
            assert not [job.id for job in self.org.jobs.values() if job.state == "Open" and job.batches]
        if self.process.go_on_with_copy():
            self.is_complete()
        return "finished"

    def is_complete(self) -> None:
        header, *rows = read_csv(self.out)
        assert header == ("Code__c",)
        got, expected = Counter(value for (value,) in rows), Counter(self.rows)
        assert got == expected, f"missing {expected - got}, doubled {got - expected}"
