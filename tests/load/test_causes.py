"""The cause of a failure, from messages that orgs sent; the source of each is beside it."""

from __future__ import annotations

import random
import string

import pytest

from bulkforce.load.causes import Cause, cause_of, merged, value_of
from bulkforce.load.groups import GROUPS, OTHER, Groups
from bulkforce.protocol.wire_csv import record_error

# What the org said, what is left of it, and the value that it complains about.
SAID = [
    pytest.param(
        "INVALID_TYPE_ON_FIELD_IN_RECORD:Close Date: value not of required type: 2019-12-05:CloseDate --",
        "Close Date: value not of required type: ...",
        "2019-12-05",
        id="sfdx-mass-action-scheduler/sfdx-mass-action-scheduler#130",
    ),
    pytest.param(
        "INVALID_FIELD:Failed to deserialize field at col 0. Due to, '2018-09-28' is not a valid value for the type "
        "xsd:dateTime:CreatedDate --",
        "Failed to deserialize field at col .... Due to, '...' is not a valid value for the type xsd:dateTime",
        "2018-09-28",
        id="SFDO-Tooling/Snowfakery#793",
    ),
    pytest.param(
        "STRING_TOO_LONG:Billing City: data value too large: Giugliano in Campania, Metropolitan City of Naples "
        "(max length=40):BillingCity --",
        "Billing City: data value too large: ... (max length=40)",
        "Giugliano in Campania, Metropolitan City of Naples",
        id="CoderDojo/community-platform#762",
    ),
    pytest.param(
        "DUPLICATE_VALUE:duplicate value found: B2C_Customer_ID__c duplicates value on record with id: "
        "0035400000hDwBh:--",
        "duplicate value found: B2C_Customer_ID__c duplicates value on record with id: ...",
        "0035400000hDwBh",
        id="sfb2csolutionarchitects/b2c-crm-sync#98",
    ),
    pytest.param(
        "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 4 records: a2E0J000000i8bpUAA,"
        "a2Eb0000000gONHEA2,a2E0J0000001HBUUA2,a2E0J000000i8YqUAI:--",
        "unable to obtain exclusive access to this record or ... records: ...",
        "",
        id="SFDO-Community/declarative-lookup-rollup-summaries#847",
    ),
    pytest.param(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:hed.TDTM_Contact: execution of AfterInsert\n\ncaused by: "
        "System.DmlException: Update failed. First exception on row 0 with id 0030W00003M7aeKQAR; first error: "
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY, hed.TDTM_Contact: execution of AfterUpdate\n\ncaused by: "
        "System.TypeException: Cannot have more than 10 chunks in a single operation.:--",
        "hed.TDTM_Contact: execution of AfterInsert\n\ncaused by: System.DmlException: Update failed. First exception "
        "on row ... with id ...; first error: CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY, hed.TDTM_Contact: execution of "
        "AfterUpdate\n\ncaused by: System.TypeException: Cannot have more than ... chunks in a single operation.",
        "",
        id="SalesforceFoundation/EDA#429",
    ),
    pytest.param(
        "JSON_PARSER_ERROR:Cannot deserialize instance of datetime from VALUE_STRING value 2017-10-17 00:00:00 or "
        "request may be missing a required field at [line:1, column:129]:--",
        "Cannot deserialize instance of datetime from VALUE_STRING value ... or request may be missing a required "
        "field at [line:..., column:...]",
        "2017-10-17 00:00:00",
        id="regican/Salesforce#2",
    ),
    pytest.param(
        "UNKNOWN_EXCEPTION:An unexpected error occurred. Please include this ErrorId if you contact support: "
        "239246477-13773 (-172180249):--",
        "An unexpected error occurred. Please include this ErrorId if you contact support: ... (...)",
        "",
        id="theswamis/dataloadercliq#86",
    ),
    pytest.param(
        "REQUIRED_FIELD_MISSING:Required fields are missing: [ActivityDateTime]:ActivityDateTime --",
        "Required fields are missing: [ActivityDateTime]",
        "",
        id="jsforce/jsforce#217",
    ),
    pytest.param(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY:insufficient access rights on cross-reference id: "
        "a0P7F0000012EnA:--",
        "insufficient access rights on cross-reference id: ...",
        "",
        id="SalesforceFoundation/NPSP#2664",
    ),
]


@pytest.mark.parametrize(("text", "message", "value"), SAID)
def test_cause_keeps_what_went_wrong_and_leaves_out_the_value_it_went_wrong_with(
    text: str, message: str, value: str
) -> None:
    error = record_error(text)
    assert cause_of(error.status_code, error.fields, error.message) == Cause(error.status_code, error.fields, message)
    assert value_of(error.message) == value


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("No such column 'BadField' on entity 'Account'.", "No such column 'BadField' on entity 'Account'."),
        ("Order 'A 17' is closed", "Order ... is closed"),
        ("ada@example.com is taken", "... is taken"),
        ("Asset 9f8b2c3d-0001-4a5b-8c7d-0123456789ab is gone", "Asset ... is gone"),
        ("Address1__c or B2C_Id__c must be set", "Address1__c or B2C_Id__c must be set"),
        ("Ticket ISSUE-123 on 2026-02-31 at 10:30 costs -1,234.50, +7%", "Ticket ISSUE-... on ... at ... costs ..."),
        (
            "We can't save it because the “Case 2” process failed",
            "We can't save it because the “Case ...” process failed",
        ),
        ("3 fields where the header has 2", "... fields where the header has 2"),
        (
            "field 3 has 131,073 characters; a field has at most 131,072",
            "field ... has ... characters; a field has at most 131,072",
        ),
        ("bad value for restricted picklist field: 7: a, 'b'", "bad value for restricted picklist field: ..."),
    ],
)
def test_values_in_any_message_are_left_out_and_names_stay(message: str, left: str) -> None:
    assert cause_of("X", (), message).message == left


def test_text_without_a_code_is_all_message() -> None:
    assert cause_of("No such thing, Sir", (), "gone") == Cause("", (), "No such thing, Sir:gone")


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("Customer Ada is blocked", "Customer Grace Hopper is blocked", "Customer ... is blocked"),
        ("Customer ... is blocked", "Customer Ada is blocked", "Customer ... is blocked"),
        ("Customer Ada is blocked", "No budget is left", None),
        ("Ada", "Grace", None),
    ],
)
def test_messages_with_the_same_beginning_and_end_have_that_in_common(one: str, other: str, common: str | None) -> None:
    assert merged(one, other) == common


def grouped(texts: list[str]) -> list[tuple[Cause, int]]:
    groups = Groups()
    for text in texts:
        groups.of_text(text).count += 1
    assert sum(group.count for group in groups) == len(texts)
    return [(group.cause, group.count) for group in groups]


def test_a_thousand_bad_dates_are_one_cause_and_another_field_is_another() -> None:
    text = "INVALID_TYPE_ON_FIELD_IN_RECORD:Birthdate: value not of required type: {}:{} --"
    texts = [text.format(f"{day}/13/{year}", "Birthdate") for day in range(1, 21) for year in range(1950, 2000)]
    texts += [text.format("soon", "Birthdate"), text.format("soon", "Due__c")]
    cause = Cause("INVALID_TYPE_ON_FIELD_IN_RECORD", ("Birthdate",), "Birthdate: value not of required type: ...")
    assert grouped(texts) == [(cause, 1_001), (cause._replace(fields=("Due__c",)), 1)]


def test_names_that_differ_in_a_digit_are_different_causes() -> None:
    text = "FIELD_CUSTOM_VALIDATION_EXCEPTION:{0} must be set in row {1}:{0} --"
    texts = [text.format(field, row) for row in range(50) for field in ("Line1__c", "Line2__c")]
    assert {cause.fields: count for cause, count in grouped(texts)} == {("Line1__c",): 50, ("Line2__c",): 50}


def test_values_that_nothing_marks_are_found_by_what_many_messages_share() -> None:
    chance = random.Random(7)
    names = [" ".join("".join(chance.choices(string.ascii_letters, k=6)) for _ in range(n % 3 + 1)) for n in range(999)]
    texts = [f"FIELD_CUSTOM_VALIDATION_EXCEPTION:The customer {name} is blocked since May:--" for name in names]
    other = "FIELD_CUSTOM_VALIDATION_EXCEPTION:Nothing of the kind:--"
    assert [(cause.message, count) for cause, count in grouped([*texts, other])] == [
        ("The customer ... is blocked since May", 999),
        ("Nothing of the kind", 1),
    ]


@pytest.mark.parametrize("form", ["{0}", "{0}:x:--", "CODE:{0}:--", "CODE:x:{0} --", "{0}:{1}:{2} --"])
def test_groups_are_bounded_whatever_the_messages_are(form: str) -> None:
    chance = random.Random(11)
    texts = [
        form.format(*("".join(chance.choices(string.ascii_letters, k=12)) for _ in range(3))) for _ in range(5_000)
    ]
    found = grouped(texts)
    assert len(found) <= 2 * GROUPS
    assert any(cause.message == OTHER for cause, _ in found)
