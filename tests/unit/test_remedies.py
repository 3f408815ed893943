"""What helps when the org refuses something."""

from __future__ import annotations

import pytest

from bulkforce.protocol.remedies import QUOTAS, REMEDIES, remedy_for


def test_fifty_codes_and_the_quotas_have_a_remedy() -> None:
    assert len(REMEDIES) >= 50
    assert {"REQUEST_LIMIT_EXCEEDED", "OPERATION_TOO_LARGE", "ExceededQuota"} <= set(QUOTAS) <= set(REMEDIES)


@pytest.mark.parametrize("code", REMEDIES)
def test_remedy_is_a_sentence(code: str) -> None:
    said = remedy_for(code)
    assert said[0].isupper()
    assert said.endswith(".")
    assert not said.endswith("..")


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (
            "INVALID_FIELD",
            "Foreign key external ID: ... not found for field Ext__c in entity Account",
            ["parents first"],
        ),
        ("INVALID_FIELD", "Failed to deserialize field at col ...", ["2026-12-31"]),
        ("DUPLICATE_VALUE", "Duplicate external id specified: ...", ["one row of each key"]),
        ("DUPLICATE_VALUE", "duplicate value found: Key__c duplicates value on record with id: ...", ["unique"]),
        ("BATCH", "TooManyLockFailure : Too many lock failure 200 Trying again later.", ["serial"]),
        ("BATCH", "InvalidBatch : Field name not found : Foo__c", ["map it"]),
        ("BATCH", "InvalidBatch : Failed to process query: OPERATION_TOO_LARGE: exceeded ...", ["PK chunking"]),
        (
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "T: execution of AfterInsert caused by: Update failed; first error: UNABLE_TO_LOCK_ROW, unable to obtain",
            ["trigger", "serial"],
        ),
        ("NO_SUCH_CODE", "What a thing", []),
    ],
)
def test_words_of_the_message_tell_causes_of_one_code_apart(code: str, message: str, words: list[str]) -> None:
    said = remedy_for(code, message)
    assert all(word in said for word in words)
    assert bool(said) == bool(words)
