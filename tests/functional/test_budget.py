"""A call makes no more API calls than its budget, stops so that it can be resumed, and looks at jobs at its own pace."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bulkforce as bf
from bulkforce_emulator import Emulator
from bulkforce_emulator.state.lifecycle import Pace

QUERY = "SELECT Id, LastName FROM Contact WHERE LastName LIKE 'Budget%'"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def records(count: int) -> list[dict[str, str]]:
    return [{"LastName": f"Budget {number}"} for number in range(count)]


def test_load_and_its_resume_keep_to_their_budgets(org: Emulator, client: Any) -> None:
    before, asked = org.count("Contact"), len(org.requests)
    with pytest.raises(bf.Interrupted, match=r"The budget of 6 API calls is used up.*bulkforce resume run"):
        client.load(records(6), "Contact", "insert", batch_records=2, run_dir="run", max_api_calls=6)
    assert len(org.requests) - asked == 6
    asked = len(org.requests)
    with pytest.raises(bf.Interrupted, match="The budget of 2 API calls is used up"):
        client.resume("run", max_api_calls=2)
    assert len(org.requests) - asked == 2
    asked = len(org.requests)
    report = client.resume("run", max_api_calls=100)
    assert (report.succeeded, report.api_calls) == (6, len(org.requests) - asked)
    assert org.count("Contact") - before == 6


def test_extract_and_its_resume_keep_to_their_budgets(org: Emulator, client: Any) -> None:
    org.insert("Contact", records(3))
    client.count(QUERY)  # logs in
    sittings = [
        partial(client.extract, QUERY, to="a.csv", run_dir="run", pk_chunking=False),
        partial(client.resume_extract, "run"),
    ]
    for sitting, budget in zip(sittings, (3, 1), strict=True):
        asked = len(org.requests)
        with pytest.raises(bf.Interrupted, match=rf"The budget of {budget} API calls? is used up"):
            sitting(max_api_calls=budget)
        assert len(org.requests) - asked == budget
    assert client.resume("run").rows >= 3


def test_query_keeps_to_its_budget(org: Emulator, client: Any) -> None:
    org.insert("Contact", records(3))
    client.count(QUERY)  # logs in
    asked = len(org.requests)
    with pytest.raises(bf.Error, match="The budget of 2 API calls is used up"):
        list(client.query(QUERY, pk_chunking=False, max_api_calls=2))
    assert len(org.requests) - asked == 2
    assert list(client.query(QUERY, pk_chunking=False))


def test_pace_of_polling_is_that_of_the_call(org: Emulator, client: Any) -> None:
    """A job that is looked at once in an hour is not looked at before the call is over for another reason."""
    org.set_pace(Pace.manual())
    asked = len(org.requests)

    def on_progress(progress: bf.Progress) -> None:
        if progress.batches.get("accepted") == 1 and progress.seconds > 0.5:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        client.load(records(1), "Contact", "insert", run_dir="run", poll=3600, on_progress=on_progress)
    assert not [one.path for one in org.requests[asked:] if one.method == "GET" and one.path.endswith("/batch")]
