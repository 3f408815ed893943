"""Zip batches with attachments, and transformation specs."""

import base64
import io
import zipfile
from collections.abc import Iterator

import pytest
from tests.emulator.wire import Wire, rows

from bulkforce_emulator import Emulator, Limits, Settings


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


def archive(**files: bytes | str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


def test_files_of_a_zip_become_bodies(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "A"}])
    request = (
        f"Name,ParentId,Body\na,{account},#a.gif\nb,{account},#sub/b.doc\nc,{account},#missing\nd,{account},inline\n"
    )
    job = wire.create("insert", "Attachment", "ZIP_CSV")
    batch = wire.run(job, archive(request_txt=request, a_gif=b"\0GIF", sub__b_doc=b"doc"), "zip/csv")
    outcome = rows(wire.ask("GET", f"job/{job}/batch/{batch.id}/result"))
    assert [row[1] for row in outcome] == ["true", "true", "false", "false"]
    assert all(row[3].startswith("INVALID_FIELD:") for row in outcome[2:])
    bodies = {record["Name"]: base64.b64decode(record["Body"]) for record in wire.org.records("Attachment")}
    assert bodies == {"a": b"\0GIF", "b": b"doc"}
    assert [record["BodyLength"] for record in wire.org.records("Attachment")] == [4, 3]


def test_zip_echo_has_its_own_media_type(wire: Wire) -> None:
    job = wire.create("insert", "Attachment", "ZIP_JSON")
    body = archive(request_txt="[]")
    batch = wire.add(job, body, "zip/json")
    assert batch.type == "application/json"
    echo = wire.ask("GET", f"job/{job}/batch/{batch.id}/request")
    assert (echo.type, echo.body) == ("zip/json", body)


@pytest.mark.parametrize("body", [b"no zip", archive(data_csv="x"), archive(folder__request_txt="x")])
def test_zip_without_its_request_fails(wire: Wire, body: bytes) -> None:
    batch = wire.run(wire.create("insert", "Attachment", "ZIP_CSV"), body, "zip/csv")
    assert batch.element("stateMessage").startswith("InvalidBatch : ")


def test_zip_bombs_and_crowds_fail() -> None:
    limits = Limits(unzipped_bytes=1000, zip_files=3)
    with Emulator(settings=Settings(limits=limits)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Attachment", "ZIP_CSV")
        for body in (archive(request_txt="x" * 5000), archive(request_txt="x", a="", b="", c="")):
            assert wire.run(job, body, "zip/csv").element("state") == "Failed"


def test_spec_maps_foreign_columns(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    spec = (
        "Salesforce Field,Csv Header,Value,Hint\nName,Full Name,,\nTitle,Job,Clerk,\n"
        "Description,,Imported,\nBirthdate,Born,,dd MM yy\nDoNotCall,Quiet,,(?i)ja\n"
    )
    assert wire.ask("POST", f"job/{job}/spec", spec, {"Content-Type": "text/csv; charset=UTF-8"}).status == 201
    body = 'Full Name,Job,Born,Quiet\n"Cat, Tom",,07 06 40,Ja\nJerry Mouse,Chief,10 02 40,nein\n'
    batch = wire.run(job, body.encode("iso-8859-1"), "text/csv;charset=ISO-8859-1")
    assert batch.element("numberRecordsFailed") == "0"
    tom, jerry = wire.org.records("Contact")
    assert (tom["FirstName"], tom["LastName"], tom["Title"], tom["Description"]) == ("Tom", "Cat", "Clerk", "Imported")
    assert (jerry["FirstName"], jerry["LastName"], jerry["Title"]) == ("Jerry", "Mouse", "Chief")
    assert (tom["DoNotCall"], jerry["DoNotCall"]) == (True, False)
    assert tom["Birthdate"].strftime("%m-%d") == "06-07"


def test_spec_is_for_csv_jobs_and_not_too_long(wire: Wire) -> None:
    json_job = wire.create("insert", "Contact", "JSON")
    assert wire.ask("POST", f"job/{json_job}/spec", "x").error[1] == "InvalidJob"
    csv_job = wire.create("insert", "Contact")
    assert wire.ask("POST", f"job/{csv_job}/spec", "x" * 8192).error[1] == "ClientInputError"


def test_spec_that_is_none_fails_the_batch(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    wire.ask("POST", f"job/{job}/spec", "nonsense\n")
    assert wire.run(job, "a\nb\n").element("stateMessage") == "InvalidBatch : Invalid transformation spec"
