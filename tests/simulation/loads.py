"""One simulated load, and what must be true of it, whatever happened."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tests.simulation.org import Org
from tests.simulation.org2 import Org2
from tests.simulation.process import Process
from tests.simulation.scenario import Scenario
from tests.simulation.world import World
from tests.support.rehearsal import read_csv

from bulkforce import LoadReport, errors
from bulkforce.load import verb as load
from bulkforce.load.asking import LoadOptions
from bulkforce.run.report import RunState
from bulkforce.run.sitting import Sitting


def simulate(scenario: Scenario) -> str:
    """Carry out the load of a scenario, and see that what must be true is.

    Returns:
        How it ended.

    Raises:
        AssertionError: It is not.
    """
    with TemporaryDirectory(prefix="bulkforce-simulation-") as name:
        return _Load(scenario, Path(name)).check()


class _Load:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        self.world = World(scenario.seed)
        self.api: Literal["bulk1", "bulk2"] = "bulk2" if scenario.seed % 2 else "bulk1"
        self.org = Org2(self.world, scenario.faults) if self.api == "bulk2" else Org(self.world, scenario.faults)
        self.process = Process(scenario, folder, self.org, self.world, self.resume)
        self.values = [f"{'bad' if row in scenario.bad else 'row'} {row}" for row in range(scenario.rows)]
        self.source = folder / "source.csv"
        self.source.write_text("Code__c\n" + "\n".join(self.values) + "\n", "utf-8")

    def begin(self, sitting: Sitting) -> LoadReport:
        scenario = self.scenario
        return load.load(
            sitting,
            LoadOptions(
                source=self.source,
                object="Row__c",
                operation="insert",
                api=self.api,
                batch_records=scenario.size,
                workers=scenario.workers,
                run_dir=self.process.run_dir,
            ),
        )

    def resume(self, sitting: Sitting) -> LoadReport:
        return load.resume(sitting, self.process.run_dir)

    def check(self) -> str:
        end = self.process.until_it_ends(self.begin)
        self.world.pass_time(60.0)
        self.org.process()
        good = Counter(value for value in self.values if value.startswith("row"))
        went_in = Counter(self.org.records)
        if isinstance(end, LoadReport):
            assert end.state is RunState.FINISHED
            assert (end.read, end.pending, end.rejected, end.in_doubt) == (len(self.values), 0, 0, 0)
            assert went_in == good, f"rows in the org {went_in} are not those sent"
            self.outputs_agree()
            if self.process.go_on_with_copy():
                self.org.process()
                assert Counter(self.org.records) == went_in, "a copy of the run has doubled rows"
            return "finished"
        assert isinstance(end, errors.Unsettled), f"ended by {type(end).__name__}: {end}"
        assert self.org.tampered, f"nobody else did anything: {end}"
        assert not any(value not in went_in for value in self.succeeded()), (
            "rows are told as succeeded that are not in the org"
        )
        return str(end.why)

    def outputs_agree(self) -> None:
        success = read_csv(self.process.run_dir / "success.csv")[1:]
        failed = read_csv(self.process.run_dir / "failed.csv")[1:]
        unprocessed = read_csv(self.process.run_dir / "unprocessed.csv")[1:]
        assert [row[-1] for row in success] == [value for value in self.values if value.startswith("row")]
        assert [row[-1] for row in failed] == [value for value in self.values if value.startswith("bad")]
        assert unprocessed == []
        assert all(self.org.by_id[row[0]] == row[-1] for row in success)

    def succeeded(self) -> list[str]:
        path = self.process.run_dir / "success.csv"
        return [row[-1] for row in read_csv(path)[1:]] if path.exists() else []
