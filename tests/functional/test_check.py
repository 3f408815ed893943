"""What is known of a load before anything is sent: columns, keys and values are compared with what the org says of the
object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rehearsal import changes, read_csv

import bulkforce as bf
from bulkforce.cli.check import lines_of
from bulkforce.load import verb as load
from bulkforce.load.asking import LoadOptions
from bulkforce.objects.columns import Kind, Severity
from bulkforce.objects.notation import Cause
from bulkforce.run.sitting import Sitting
from bulkforce.transport.stopping import Stop
from bulkforce_emulator import Emulator, Fault

SCHEMA = {
    "Contact": {"fields": {"Ext__c": "string(10) unique external_id", "Score__c": "double(5,1)"}},
    "Account": {"fields": {"Symbol__c": "string(8) unique external_id"}},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    running.faults.clear()


@pytest.fixture
def client(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bf.Client]:
    monkeypatch.chdir(tmp_path)
    retry = bf.RetryPolicy(attempts=1)
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id), retry=retry) as client:
        yield client


def write(text: str) -> Path:
    path = Path("source.csv")
    path.write_text(text, "utf-8")
    return path


def found(report: bf.CheckReport) -> set[tuple[Kind, str | None]]:
    return {(one.kind, one.column) for one in report.columns}


def test_values_that_are_not_in_the_notation_given_are_said_once(client: bf.Client) -> None:
    source = write("LastName,Birthdate\nA,10.12.1815\nB,11.12.1815\nC,some day\n")
    (one,) = client.check(source, "Contact", "insert", notation=bf.TextNotation(date_format="dd.MM.yyyy")).values
    assert (one.problem.cause, one.first_row, one.problem.remedy) == (
        Cause.NOT_A_DATE,
        3,
        "Correct it, or give another notation.",
    )


def test_label_as_a_header_names_what_makes_a_map(client: bf.Client) -> None:
    (one,) = client.check(write("Last Name\nA\n"), "Contact", "update").unfit[:1]
    assert one.remedy == "Call the column LastName, or map it: suggest_map (bulkforce map) writes a first map."
    lines = list(lines_of(client.check(write("Last Name,Birthdate\nA,soon\n"), "Contact", "insert")))
    assert "  -> Call the column LastName, or map it: bulkforce map writes a first map." in lines
    assert "Rows that the org would refuse (row 1 is the first below the header):" in lines


def test_all_mistakes_of_a_file_are_found_at_once_and_nothing_is_sent(org: Emulator, client: bf.Client) -> None:
    before = len(org.requests)
    source = write(
        f"Last Name,Emial,Birthdate,Acount.Name,CreatedDate,Id,,MailingCity\nLovelace,a@x.org,10.12.1815,x,2020-01-01,003,0,{'L' * 41}\n"
    )
    report = client.check(source, "Contact", "insert")
    assert not report.fits
    assert found(report) == {
        (Kind.LABEL, "Last Name"),
        (Kind.UNKNOWN, "Emial"),
        (Kind.UNKNOWN_PARENT, "Acount.Name"),
        (Kind.UNWRITABLE, "CreatedDate"),
        (Kind.UNWRITABLE, "Id"),
        (Kind.NAMELESS, ""),
    }
    assert {one.severity for one in report.columns} == {Severity.REFUSE}
    assert [(one.column, one.count, one.first_row) for one in report.values] == [
        ("Birthdate", 1, 1),
        ("MailingCity", 1, 1),
    ]
    assert all(one.remedy for one in report.columns)
    assert changes(org, before) == []
    assert json.loads(report.to_json())["fits"] is False
    with pytest.raises(bf.DoesNotFit) as caught:
        client.load(source, "Contact", "insert")
    assert len(caught.value.lines) == 6
    assert isinstance(caught.value.report, bf.CheckReport)
    assert changes(org, before) == []
    assert not Path("bulkforce-runs").exists()


def test_file_that_fits_is_said_to_fit(client: bf.Client) -> None:
    report = client.check(
        write("LastName,Birthdate,Account.Symbol__c\nLovelace,1815-12-10,MMM\nBabbage,,#N/A\n"), "Contact", "insert"
    )
    assert (report.fits, report.read, report.columns, report.values) == (True, 2, (), ())


@pytest.mark.parametrize(
    ("operation", "external_id", "header", "kind"),
    [
        ("update", None, "LastName", Kind.MISSING_KEY),
        ("delete", None, "LastName", Kind.MISSING_KEY),
        ("upsert", "Ext__c", "LastName", Kind.MISSING_KEY),
        ("upsert", "LastName", "LastName", Kind.NO_KEY),
        ("upsert", "Etx__c", "LastName,Ext__c", Kind.NO_KEY),
        ("insert", None, "FirstName", Kind.REQUIRED),
    ],
)
def test_keys_and_required_fields_that_are_missing_are_found(
    client: bf.Client, operation: str, external_id: str | None, header: str, kind: Kind
) -> None:
    source = write(f"{header}\n{','.join('x' for _ in header.split(','))}\n")
    with pytest.raises(bf.DoesNotFit) as caught:
        client.load(source, "Contact", operation, external_id=external_id)
    report = caught.value.report
    assert isinstance(report, bf.CheckReport)
    assert kind in {one.kind for one in report.unfit}


def test_columns_that_cannot_be_sent_are_left_out_on_demand(org: Emulator, client: bf.Client) -> None:
    source = write("Note,LastName,CreatedDate,,Emial\nmine,Dropped,2020-01-01,7,x\n")
    report = client.load(source, "Contact", "insert", on_unknown_column="drop")
    assert report.succeeded == 1
    assert [one["LastName"] for one in org.records("Contact") if one["LastName"] == "Dropped"] == ["Dropped"]
    # What the user gets back has all that the user gave.
    assert read_csv(report.run_dir / "success.csv")[0] == (
        "sf__Id",
        "sf__Created",
        "Note",
        "LastName",
        "CreatedDate",
        "",
        "Emial",
    )


def test_names_that_other_tools_write_are_sent_as_the_org_reads_them(org: Emulator, client: bf.Client) -> None:
    org.insert("Account", [{"Name": "Minnesota Mining", "Symbol__c": "MMM"}])
    report = client.load(write("lastname,Account\\:Symbol__c\nParented,MMM\n"), "Contact", "insert")
    assert report.succeeded == 1
    (record,) = [one for one in org.records("Contact") if one["LastName"] == "Parented"]
    assert record["AccountId"]


@pytest.mark.parametrize("operation", ["delete", "hardDelete"])
def test_delete_sends_ids_alone_whatever_the_source_holds(org: Emulator, client: bf.Client, operation: str) -> None:
    (record_id,) = org.insert("Contact", [{"LastName": "Leaving"}])
    report = client.load(write(f"LastName,Id,Email\nLeaving,{record_id},x@y.z\n"), "Contact", operation)
    assert report.succeeded == 1
    job = client.get_all_batches(report.jobs[0])[0]
    assert client.get_batch_request(report.jobs[0], job.id).split() == [b"Id", record_id.encode()]
    assert read_csv(report.run_dir / "success.csv")[1][2:] == ("Leaving", record_id, "x@y.z")


def test_outputs_of_a_load_are_loaded_again_and_deleted_by_their_own_ids(org: Emulator, client: bf.Client) -> None:
    first = client.load(write("LastName\nAgain\n"), "Contact", "insert")
    report = client.load(first.run_dir / "success.csv", "Contact", "delete")
    assert report.succeeded == 1
    assert not [one for one in org.records("Contact") if one["LastName"] == "Again"]


@pytest.mark.parametrize("values", ["warn", "refuse", "skip"])
def test_values_that_the_org_would_refuse_warn_stop_or_are_not_looked_at(
    org: Emulator, client: bf.Client, caplog: pytest.LogCaptureFixture, values: str
) -> None:
    before = len(org.requests)
    source = write("LastName,Birthdate\nGood,1815-12-10\nBad,10.12.1815\n")
    if values == "refuse":
        with pytest.raises(bf.DoesNotFit, match=r"Birthdate: the value is no date \(row 2\)"):
            client.load(source, "Contact", "insert", values="refuse")
        assert changes(org, before) == []
    else:
        report = client.load(source, "Contact", "insert", values=values)  # type: ignore[arg-type]
        assert (report.succeeded, report.failed) == (1, 1)
    assert ("Birthdate: the value is no date" in caplog.text) == (values == "warn")
    assert "10.12.1815" not in caplog.text


def test_dry_run_never_says_that_what_cannot_work_fits(client: bf.Client) -> None:
    with pytest.raises(bf.DoesNotFit):
        client.load(write("Emial\nx\n"), "Contact", "insert", dry_run=True)
    assert client.load(write("LastName,Birthdate\nx,today\n"), "Contact", "insert", dry_run=True).fits is False
    assert client.load(write("LastName,Birthdate\nx,2000-01-01\n"), "Contact", "insert", dry_run=True).fits is True


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "GET", "*/describe", status=503),
        Fault("answer replaced", "GET", "*/describe", status=200),
        Fault("answer lost", "GET", "*/describe"),
    ],
    ids=lambda fault: fault.kind,
)
def test_org_that_does_not_describe_gets_a_warning_and_the_load(
    org: Emulator, client: bf.Client, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    org.faults.add(fault)
    report = client.load(write("LastName,Emial\nx,y\n"), "Contact", "insert")
    # As before: the org refuses the column, and each row says so.
    assert report.unprocessed == 1
    assert "so columns and values are not checked" in caplog.text


def test_object_is_described_once_and_a_resumed_run_sees_the_same(org: Emulator, client: bf.Client) -> None:
    source = write("LastName,Account.Symbol__c\n" + "Twice,MMM\n" * 4)
    before = len(org.requests)
    sitting = Sitting.of(client.driver)
    stop = Stop()
    sitting.stop, sitting.trace = stop, lambda effect: stop.ask("enough") if effect == "open" else None
    with pytest.raises(bf.Interrupted) as caught:
        load.load(sitting, LoadOptions(source=source, object="Contact", operation="insert"))
    assert isinstance(caught.value.report, bf.LoadReport)
    report = client.resume(caught.value.report.run_dir)
    assert isinstance(report, bf.LoadReport)
    assert report.read == 4
    described = [one.path for one in org.requests[before:] if one.path.endswith("/describe")]
    assert sorted(path.split("/")[-2] for path in described) == ["Account", "Contact"]


def test_column_without_a_name_needs_an_org_that_tells(client: bf.Client) -> None:
    with pytest.raises(bf.FormatError, match="no name"):
        client.load(write("LastName,\nx,1\n"), "Contact", "insert", check=False)


@pytest.mark.parametrize(
    ("option", "value"), [("on_unknown_column", "ignore"), ("values", True), ("check", "no"), ("values", "WARN")]
)
def test_options_that_are_none_are_refused(client: bf.Client, option: str, value: object) -> None:
    with pytest.raises(bf.UsageError, match=option):
        client.load(write("LastName\nx\n"), "Contact", "insert", **{option: value})  # type: ignore[arg-type]


def test_ids_of_another_object_are_told(org: Emulator, client: bf.Client) -> None:
    account, contact = (
        org.insert("Account", [{"Name": "Acme"}])[0],
        org.insert("Contact", [{"LastName": "Lovelace"}])[0],
    )
    asked = len([one for one in org.requests if one.path.endswith("/sobjects")])
    source = write(f"Id,AccountId\n{contact},{account}\n{account},{contact}\n")
    report = client.check(source, "Contact", "update")
    told = {(one.column, one.problem.cause, one.first_row) for one in report.values}
    assert told == {("Id", Cause.OTHER_OBJECT, 2), ("AccountId", Cause.OTHER_OBJECT, 2)}
    assert len([one for one in org.requests if one.path.endswith("/sobjects")]) == asked + 1
    assert client.check(write(f"Id,LastName\n{contact},x\n"), "Contact", "update").fits
    assert len([one for one in org.requests if one.path.endswith("/sobjects")]) == asked + 1
