"""Batches that a real server refuses for their columns, whatever their values are."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Settings


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def wire(org: Emulator) -> Wire:
    return Wire(org)


@pytest.mark.parametrize("operation", ["delete", "hardDelete"])
@pytest.mark.parametrize("header", ["Id,LastName", "LastName", "003000000000001AAA"])
def test_delete_takes_ids_alone(wire: Wire, operation: str, header: str) -> None:
    row = ",".join("x" for _ in header.split(","))
    words = f"InvalidBatch : The '{operation}' batch must contain only ids"
    assert wire.failure(operation, "Contact", f"{header}\n{row}\n") == words


@pytest.mark.parametrize("header", ["Id", "id", "ID"])
def test_ids_are_deleted_however_their_column_is_written(wire: Wire, header: str) -> None:
    (record_id,) = wire.org.insert("Contact", [{"LastName": "x"}])
    assert '"true"' in wire.load("delete", "Contact", f"{header}\n{record_id}\n").text


def test_org_that_takes_more_than_ids_can_be_had() -> None:
    with Emulator(settings=Settings(deletes_take_ids_alone=False)) as org:
        (record_id,) = org.insert("Contact", [{"LastName": "x"}])
        assert '"true"' in Wire(org).load("delete", "Contact", f"Id,LastName\n{record_id},x\n").text


ATTACHMENT = {"Name": "a.txt", "ParentId": "001000000000001AAA", "Body": "aGVsbG8="}


@pytest.mark.parametrize(
    ("content_type", "media", "body"),
    [
        ("CSV", "text/csv", f"{','.join(ATTACHMENT)}\n{','.join(ATTACHMENT.values())}\n"),
        ("JSON", "application/json", json.dumps([ATTACHMENT])),
        (
            "XML",
            "application/xml",
            '<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload"><sObject>'
            + "".join(f"<{name}>{value}</{name}>" for name, value in ATTACHMENT.items())
            + "</sObject></sObjects>",
        ),
    ],
)
def test_binary_fields_come_in_zips_alone(wire: Wire, content_type: str, media: str, body: str) -> None:
    job = wire.create("insert", "Attachment", content_type)
    batch = wire.run(job, body, media)
    words = "InvalidBatch : Binary field Body is only supported for content types ZIP_XML and ZIP_CSV"
    assert (batch.element("state"), batch.element("stateMessage")) == ("Failed", words)


def test_parent_without_a_field_is_no_column_of_a_csv_file(wire: Wire) -> None:
    words = "InvalidBatch : Field name not found : Account"
    assert wire.failure("insert", "Contact", "LastName,Account\nx,#N/A\n") == words


def test_parent_that_is_null_in_json_means_none(wire: Wire) -> None:
    batch = wire.run(
        wire.create("insert", "Contact", "JSON"), json.dumps([{"LastName": "x", "Account": None}]), "application/json"
    )
    assert (batch.element("state"), batch.element("numberRecordsFailed")) == ("Completed", "0")
