"""tap-salesforce judges: every object described, extracts by REST and by bulk queries, PK chunking after a time-out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.judges.lineup import CLIENTS, NASTY, Verdict, judge, org, python

from bulkforce_emulator import Mishap

LEADS = 45
TITLES = {str(place): value for place, value in enumerate(NASTY) if value and "\r" not in value}


@pytest.fixture(scope="module")
def verdict() -> Iterator[Verdict]:
    with org() as served:
        served.insert("Contact", [{"LastName": place, "Title": value} for place, value in TITLES.items()])
        served.insert("Lead", [{"LastName": f"{number:02d}", "Company": "Acme"} for number in range(LEADS)])
        served.mishaps.plan(
            Mishap(message="InvalidBatch : Failed to process query: QUERY_TIMEOUT: Your query ran too long"),
            object="Lead",
        )
        yield judge([python("tap-salesforce"), CLIENTS / "tap_salesforce_judge.py"], served)


def test_every_object_is_described_with_its_fields(verdict: Verdict) -> None:
    schema = verdict.org.state.schema
    streams = verdict.saw("discovery")
    # It leaves compound fields out of bulk queries, and objects without a moment of change.
    assert streams.keys() <= schema.sobjects.keys()
    assert {"Account", "Contact", "Lead", "Opportunity", "Case", "Task", "User", "Campaign"} <= streams.keys()
    assert all(count >= len(schema.sobjects[name].columns) - 1 for name, count in streams.items())


def test_values_come_out_by_rest_as_they_are(verdict: Verdict) -> None:
    assert verdict.saw("by_rest") == TITLES


def test_finding_results_of_bulk_queries_are_taken_for_latin_1(verdict: Verdict) -> None:
    """A `text/csv` without a charset, which is how results were recorded, is decoded as its HTTP library guesses."""
    assert verdict.saw("by_bulk_query") == {place: value.encode().decode("latin-1") for place, value in TITLES.items()}


def test_query_that_takes_too_long_is_done_in_chunks(verdict: Verdict) -> None:
    assert verdict.saw("with_chunks_after_a_timeout") == [f"{number:02d}" for number in range(LEADS)]
    chunked = [job for job in verdict.org.state.jobs.all() if job.chunking is not None]
    assert [len(job.batches) > LEADS // 10 for job in chunked] == [True]


def test_refused_login_is_told(verdict: Verdict) -> None:
    assert "expired access/refresh token" in verdict.raised("refused_login")[1]
