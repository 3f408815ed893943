"""Tests of contacts.py; run them with `pytest examples/testing/python`."""

from __future__ import annotations

import pytest
from contacts import send

import bulkforce as bf
from bulkforce_emulator import Emulator

pytestmark = pytest.mark.salesforce_schema({"Contact": {"fields": {"Badge__c": "string(20) unique external_id"}}})


def test_members_become_contacts(salesforce_environment: Emulator) -> None:
    salesforce_environment.insert("Contact", [{"LastName": "Hopper", "Badge__c": "B-1"}])
    assert send([{"badge": "B-1", "name": "Murray"}, {"badge": "B-2", "name": "Lovelace"}]) == []
    assert [contact["LastName"] for contact in salesforce_environment.records("Contact")] == ["Murray", "Lovelace"]


def test_refused_members_are_reported(salesforce_environment: Emulator) -> None:
    assert send([{"badge": "B-1", "name": ""}]) == ["B-1: Required fields are missing: [LastName]"]
    assert salesforce_environment.count("Contact") == 0


@pytest.mark.salesforce_faults({"kind": "answer lost", "method": "POST", "path": "*/batch"})
def test_lost_answer_is_no_reason_to_send_twice(salesforce_environment: Emulator) -> None:
    with pytest.raises(bf.OutcomeUnknown):
        send([{"badge": "B-1", "name": "Hopper"}])
    assert salesforce_environment.wait_until_idle()
    assert salesforce_environment.count("Contact") == 1
