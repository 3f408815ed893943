"""What a load costs over each API, before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bulkforce as bf
from bulkforce.load.costs import Cost, costs_of
from bulkforce_emulator import Emulator


def test_costs_are_those_of_the_limits_of_each_api() -> None:
    one = [10_000] * 100
    assert costs_of(one, 150_000_000, "bulk1") == (Cost("bulk1", 1, 100, 204), Cost("bulk2", 20, 100, 160))
    two = [100_000] * 10
    assert costs_of(two, 150_000_000, "bulk2") == (Cost("bulk1", 1, 100, 204), Cost("bulk2", 10, 100, 80))
    # Large records: v1 takes 10 MB a batch.
    assert costs_of([20_000], 90_000_000, "bulk2") == (Cost("bulk1", 1, 9, 22), Cost("bulk2", 1, 2, 8))
    assert costs_of([5, 5], 100, "bulk1", with_files=True) == (Cost("bulk1", 1, 2, 8),)
    assert costs_of([], 0, "bulk1") == ()


@pytest.mark.parametrize("api", ["bulk1", "bulk2"])
def test_check_and_dry_run_say_what_a_load_costs_and_it_does(api: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("LastName\n" + "x\n" * 12)
    with Emulator() as org, bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        check = client.check(path, "Contact", "insert", api=api)
        plan = client.load(path, "Contact", "insert", api=api, dry_run=True)
        assert check.costs == plan.costs == (Cost("bulk1", 1, 1, 6), Cost("bulk2", 1, 1, 8))
        assert "bulk2" in str(check)
        assert json.loads(check.to_json())["costs"][0] == {"api": "bulk1", "jobs": 1, "batches": 1, "api_calls": 6}
        own = next(cost for cost in plan.costs if cost.api == api)
        assert plan.api_calls == own.api_calls
        before = client.driver.calls
        report = client.load(path, "Contact", "insert", api=api, run_dir=tmp_path / "run")
        assert len(report.jobs) == own.jobs
        assert bf.LoadReport.from_json(report.to_json()) == report
        assert client.driver.calls - before >= own.api_calls


def test_cost_is_a_sentence() -> None:
    assert str(Cost("bulk2", 2, 12, 18)) == "bulk2: 2 jobs, 12 batches, at least 18 API calls"
