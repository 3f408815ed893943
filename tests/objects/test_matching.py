"""A first map: which field each column is probably meant for."""

from __future__ import annotations

from dataclasses import replace

from tests.objects.contacts import CONTACT, PARENTS

from bulkforce.objects.matching import match
from bulkforce.vocabulary import Operation


def fields(*names: str, operation: Operation = Operation.INSERT) -> list[str | None]:
    matches, _ = match(names, CONTACT, operation, describe=PARENTS.get)
    return [one.field for one in matches]


def test_columns_are_found_by_name_in_any_letter_case_by_label_and_as_a_parent() -> None:
    assert fields("LASTNAME", "First Name", "Account.Ext__c") == ["LastName", "FirstName", "Account.Ext__c"]
    (by_label,), _ = match(["First Name"], CONTACT, Operation.INSERT)
    assert by_label.why == "by its label"


def test_field_goes_to_the_column_with_its_very_name_otherwise_to_the_first() -> None:
    matches, _ = match(["First Name", "firstname", "LastName"], CONTACT, Operation.INSERT)
    assert [one.field and one.field.lower() for one in matches] == [None, "firstname", "lastname"]
    assert matches[0].why == "'firstname' goes to FirstName already."
    matches, _ = match(["First Name", "first_name"], CONTACT, Operation.INSERT)
    assert [one.field is None for one in matches] == [False, True]


def test_label_of_several_fields_is_a_question() -> None:
    twins = replace(
        CONTACT,
        fields=tuple(
            replace(one, label="Same") if one.name in {"FirstName", "Email"} else one for one in CONTACT.fields
        ),
    )
    (one,), missing = match(["Same"], twins, Operation.INSERT)
    assert (one.field, sorted(one.suggestions), one.why) == (None, ["Email", "FirstName"], "The label of 2 fields.")
    assert [finding.column for finding in missing] == [None]


def test_column_of_nothing_is_told_with_what_may_be_meant() -> None:
    (one,), _ = match(["Emial"], CONTACT, Operation.INSERT)
    assert one.field is None
    assert "Email" in one.suggestions
    assert "Did you mean" in one.why


def test_parent_is_no_field() -> None:
    (one,), _ = match(["Account"], CONTACT, Operation.INSERT, describe=PARENTS.get)
    assert (one.field, one.suggestions) == (None, ("AccountId",))
