"""Staged loads of real processes, killed at each of their requests: every record arrives once, and none that does not count."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.crash.killing import MOMENTS, Forge, Moment, forging

import bulkforce as bf

PARTS = 3
NUMBERS = count()


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        yield forge


class Crew:
    """Processes that work on one stage, one after another."""

    def __init__(self, forge: Forge, client: bf.Client, folder: Path, name: str) -> None:
        self._forge = forge
        self.org = forge.org
        self.client = client
        self.parts = [folder / f"{number}.csv" for number in range(PARTS)]
        self.codes = [f"{name} {number}" for number in range(2 * PARTS)]
        for number, part in enumerate(self.parts):
            part.write_text("Code__c\n" + "".join(f"{code}\n" for code in self.codes[2 * number : 2 * number + 2]))

    def run(self, verb: str, stage: bf.Stage, part: Path | None = None) -> list[str] | None:
        """Run one process; return the jobs that it has made or committed, or ``None`` if it was killed."""
        return self._forge.order(verb=verb, stage=stage.state(), part=str(part or "")).jobs

    def arrived(self) -> list[str]:
        self.org.wait_until_idle()
        return sorted(row["Code__c"] for row in self.org.records("Row__c") if row["Code__c"] in self.codes)


@pytest.fixture
def crew(forge: Forge, tmp_path: Path) -> Iterator[Crew]:
    forge.org.gate.arm()
    with bf.Client(forge.org.base_url, bf.BearerToken(forge.org.session_id)) as client:
        yield Crew(forge, client, tmp_path, f"stage {next(NUMBERS)}")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("nth", [1, 2])
def test_writer_that_dies_leaves_nothing_that_counts(crew: Crew, nth: int, moment: Moment) -> None:
    """At the create and at the upload."""
    stage = crew.client.stage("Row__c", "insert")
    for part in crew.parts:
        crew.org.gate.arm(*((nth, moment) if part is crew.parts[1] else ()))
        told = crew.run("write", stage, part)
        if told is None:
            crew.org.gate.arm()
            told = crew.run("write", stage, part)
        else:
            # Death after the last answer is too late to matter: it may have told its ids, or not.
            assert part is not crew.parts[1] or moment == "after answering"
        assert told
        stage.add(told)
    assert crew.arrived() == []
    crew.org.gate.arm()
    stage.commit()
    assert crew.arrived() == crew.codes


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("nth", range(1, 2 * PARTS + 1))
def test_commit_that_dies_is_finished_by_another(crew: Crew, nth: int, moment: Moment) -> None:
    """At each look and at each commit."""
    stage = crew.client.stage("Row__c", "insert")
    for part in crew.parts:
        stage.write(part)
    crew.org.gate.arm(nth, moment)
    first = crew.run("commit", stage)
    assert first is None or (nth, moment) == (2 * PARTS, "after answering")
    crew.org.gate.arm()
    assert crew.run("commit", stage) == stage.jobs
    assert crew.arrived() == crew.codes


@pytest.mark.parametrize("nth", range(PARTS, 3 * PARTS + 1))
def test_abort_that_dies_is_finished_by_another(crew: Crew, nth: int) -> None:
    """At the last look, each abort and each delete."""
    stage = crew.client.stage("Row__c", "insert")
    for part in crew.parts:
        stage.write(part)
    crew.org.gate.arm(nth, "before answering")
    assert crew.run("abort", stage) is None
    crew.org.gate.arm()
    crew.run("abort", stage)
    assert not {job.id for job in crew.client.list_ingest_jobs()} & set(stage.jobs)
    assert crew.arrived() == []
