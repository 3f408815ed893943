from __future__ import annotations

from bulkforce.vocabulary import BatchState


def test_final_states_are_those_that_no_batch_leaves() -> None:
    assert {state for state in BatchState if state.is_final} == {
        BatchState.COMPLETED,
        BatchState.FAILED,
        BatchState.NOT_PROCESSED,
    }


def test_not_processed_is_read_in_both_spellings() -> None:
    assert BatchState("Not Processed") is BatchState("NotProcessed") is BatchState.NOT_PROCESSED
