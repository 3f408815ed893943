from __future__ import annotations

from pathlib import Path

from bulkforce.protocol.states import BATCH_MOVES, JOB_MOVES, diagram
from bulkforce.vocabulary import BatchState, JobState


def test_tables_know_every_state() -> None:
    assert set(JOB_MOVES) == set(JobState)
    assert set(BATCH_MOVES) == set(BatchState)


def test_final_states_have_no_way_out() -> None:
    assert {state for state, moves in BATCH_MOVES.items() if not moves} == {state for state in BatchState if state.is_final}
    assert {state for state, moves in JOB_MOVES.items() if not moves} == {JobState.ABORTED, JobState.FAILED}


def test_every_state_can_be_reached_from_the_first() -> None:
    assert set().union(*JOB_MOVES.values()) == set(JobState) - {JobState.OPEN}
    assert set().union(*BATCH_MOVES.values()) == set(BatchState)


def test_a_job_never_opens_again() -> None:
    assert all(JobState.OPEN not in moves for moves in JOB_MOVES.values())


def test_not_processed_is_read_in_both_spellings() -> None:
    assert BatchState("Not Processed") is BatchState("NotProcessed") is BatchState.NOT_PROCESSED


def test_pictures_in_the_docs_are_drawn_from_the_tables() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lifecycles.md").read_text(encoding="utf-8")
    assert page.count("```mermaid") == 2
    assert f"```mermaid\n{diagram(JOB_MOVES)}\n```" in page
    assert f"```mermaid\n{diagram(BATCH_MOVES)}\n```" in page
