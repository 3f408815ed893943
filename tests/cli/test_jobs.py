"""Jobs, batches and runs on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.processes import SURROUNDINGS, run

import bulkforce as bf
from bulkforce.run.manner import Manner
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Patience
from bulkforce_emulator import Emulator

RECORDS = b"LastName,Email\nLovelace,ada@example.com\nByron,no address\n"


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(RECORDS)
    with Emulator() as org:
        yield org


def output(org: Emulator, *arguments: str, code: int = 0) -> str:
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    done = run(*arguments, environment=environment)
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


def load(org: Emulator) -> str:
    """Load the file, and return the id of the job."""
    report = json.loads(
        output(org, "load", "a.csv", "--object=Contact", "--operation=insert", "--quiet", "--json", code=3)
    )
    return str(report["jobs"][0])


def batches(org: Emulator, job: str) -> list[str]:
    return [one["id"] for one in json.loads(output(org, "job", "show", job, "--json"))["batches"]]


def test_runs_have_counts_and_durations(org: Emulator) -> None:
    load(org)
    output(org, "extract", "SELECT Id FROM Contact", "--output=o.csv", "--quiet")
    lines = output(org, "runs").splitlines()
    assert [re.sub(r"[\d.]+ s$", "T s", line.strip()) for line in lines[1::2]] == [
        "2 rows, 1 failed, T s",
        "1 row, T s",
    ]
    listed = json.loads(output(org, "runs", "--json"))
    assert [(one["rows"], one["failed"]) for one in listed] == [(2, 1), (1, 0)]
    assert all(one["seconds"] > 0 and "T" in one["begun"] for one in listed)


def test_run_whose_report_is_gone_is_listed_without_counts(org: Emulator, tmp_path: Path) -> None:
    load(org)
    for report in tmp_path.glob("bulkforce-runs/*/report.json"):
        report.write_text("no report")
    assert output(org, "runs").count("\n") == 1


def test_jobs_of_runs_are_shown_with_their_states(org: Emulator) -> None:
    job = load(org)
    assert output(org, "jobs") == f"{job}  Closed  insert Contact (CSV): 2 processed, 1 failed\n"
    (document,) = json.loads(output(org, "jobs", "--json"))
    assert (document["id"], document["state"], document["run"][-19:-5]) == (job, "Closed", "insert-Contact")


def test_jobs_of_another_org_do_not_hide_the_others(org: Emulator) -> None:
    with Emulator() as another:
        load(another)
        mine = load(org)
        assert mine in output(org, "jobs", "--last", "1")
    with Emulator() as empty:
        lines = output(empty, "jobs").splitlines()
    assert len(lines) == 2
    assert all("not in this org" in line for line in lines)


def test_batch_shows_its_request_and_result_as_they_are(org: Emulator) -> None:
    job = load(org)
    (batch,) = batches(org, job)
    assert output(org, "batch", "request", job, batch) == RECORDS.decode()
    header, first, second = output(org, "batch", "result", job, batch).splitlines()
    assert header == '"Id","Success","Created","Error"'
    assert '"true","true"' in first
    assert "INVALID_EMAIL_ADDRESS" in second


def test_batch_of_a_query_shows_the_query_and_the_records(org: Emulator) -> None:
    org.insert("Contact", [{"LastName": "Lovelace"}])
    report = json.loads(output(org, "extract", "SELECT LastName FROM Contact", "--output=o.csv", "--quiet", "--json"))
    job = report["jobs"][0]
    (batch,) = batches(org, job)
    assert output(org, "batch", "request", job, batch) == "SELECT LastName FROM Contact"
    assert output(org, "batch", "result", job, batch) == '"LastName"\n"Lovelace"\n'


def test_time_line_of_a_job_fits_80_columns(org: Emulator) -> None:
    lines = output(org, "job", "show", load(org)).splitlines()
    assert re.fullmatch(r"  751\w+ Completed    \| *=+ *\| +\d+ s 2 processed, 1 failed", lines[2])
    assert max(map(len, lines)) <= 80


def test_budget_of_api_calls_stops_a_load_that_can_be_resumed(org: Emulator) -> None:
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    stopped = run(
        *("load", "a.csv", "--object=Contact", "--operation=insert", "--quiet", "--run-dir=run", "--max-api-calls=4"),
        environment=environment,
    )
    assert stopped.returncode == 4
    assert "The budget of 4 API calls is used up" in stopped.stderr
    assert "bulkforce resume run" in stopped.stderr
    assert len(org.requests) == 4
    assert "2 rows in 1 batch" in output(org, "resume", "run", "--quiet", code=3)
    assert org.count("Contact") == 1


def test_pace_of_polling_is_that_of_the_option() -> None:
    client = bf.Client("https://acme.my.salesforce.com", auth=bf.BearerToken("00D!x"))
    assert Sitting.of(client.driver).patience == Patience()
    patience = Sitting.of(client.driver, manner=Manner(poll=30)).patience
    assert (patience.look_seconds, patience.look_longest_seconds) == (30.0, 30.0)


@pytest.mark.parametrize("option", ["--poll=nan", "--poll=0", "--max-api-calls=0"])
def test_pace_and_budget_that_make_no_sense_are_refused(org: Emulator, option: str) -> None:
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    done = run("extract", "SELECT Id FROM Contact", "--output=o.csv", option, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert option.partition("=")[0] in done.stderr
    assert org.requests == []


def ingested(client: bf.Client, content: str) -> str:
    job = client.create_ingest_job("insert", "Contact")
    client.upload(job, content)
    client.complete_upload(job)
    return client.wait_for_ingest_job(job).id


def test_job_of_2_0_is_shown_like_those_of_v1(org: Emulator) -> None:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        job = ingested(client, RECORDS.decode())
        failed = ingested(client, "Nope__c\nx\n")
        query = client.create_query_job("SELECT LastName FROM Contact").id
        client.wait_for_query_job(query)
    assert output(org, "job", "show", job) == f"{job}  JobComplete  insert Contact (CSV): 2 processed, 1 failed\n"
    assert "InvalidBatch : Field name not found : Nope__c" in output(org, "job", "show", failed)
    document = json.loads(output(org, "job", "show", query, "--json"))
    assert (document["id"], document["job_type"], document["number_records_processed"]) == (query, "V2Query", 1)
    assert "batches" not in document


def test_results_of_a_job_of_2_0_are_printed_as_they_are(org: Emulator) -> None:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        job = ingested(client, RECORDS.decode())
        org.insert("Contact", [{"LastName": "x"} for _ in range(4)])
        query = client.create_query_job("SELECT LastName FROM Contact ORDER BY LastName").id
        client.wait_for_query_job(query)
    assert re.fullmatch(
        r'"sf__Id","sf__Created",.*\n"003\w+","true","Lovelace".*\n', output(org, "job", "results", job)
    )
    assert "INVALID_EMAIL_ADDRESS" in output(org, "job", "results", job, "--failed")
    assert output(org, "job", "results", job, "--unprocessed").splitlines() == ["LastName,Email"]
    assert output(org, "job", "results", query).splitlines() == ['"LastName"', '"Lovelace"', *['"x"'] * 4]


def test_job_of_2_0_is_completed_or_aborted(org: Emulator) -> None:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        job = client.create_ingest_job("insert", "Contact")
        client.upload(job, RECORDS.decode())
        other = client.create_ingest_job("insert", "Contact")
        assert "UploadComplete" in output(org, "job", "close", job.id)
        assert client.wait_for_ingest_job(job).number_records_processed == 2
        assert "Aborted" in output(org, "job", "abort", other.id)
    assert org.count("Contact") == 1


def test_all_jobs_of_the_org_are_listed_once(org: Emulator) -> None:
    old = load(org)
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        made = [client.create_ingest_job("insert", "Contact").id, client.create_query_job("SELECT Id FROM Contact").id]
    listed = [line.split()[0] for line in output(org, "jobs", "--all").splitlines()]
    assert sorted(listed) == sorted([old, *made])
    assert len(json.loads(output(org, "jobs", "--all", "--json"))) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "750000000000009AAA"), "The org refused"),
        (("results", "JOB"), "batch result"),
        (("results", "JOB", "--failed", "--unprocessed"), "not both"),
    ],
)
def test_what_a_job_cannot_do_is_told(org: Emulator, arguments: tuple[str, ...], said: str) -> None:
    job = load(org)
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    done = run("job", *(job if one == "JOB" else one for one in arguments), environment=environment)
    assert done.returncode != 0
    assert said in done.stderr


def test_load_over_2_is_asked_for_with_an_option_and_resume_remembers_it(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("LastName\nAda\nBo\n")
    asked = ("load", "a.csv", "--object=Contact", "--operation=insert", "--api=bulk2", "--quiet", "--json")
    report = json.loads(output(org, *asked, "--run-dir=run"))
    assert (report["succeeded"], report["untied"], len(report["jobs"])) == (2, 0, 1)
    assert json.loads(output(org, "resume", "run", "--quiet", "--json"))["jobs"] == report["jobs"]
    assert json.loads(output(org, *asked, "--dry-run"))["api_calls"] == 8
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    refused = run(*asked, "--serial", environment=environment)
    assert refused.returncode == 2
    assert "Serial mode cannot be had with Bulk API 2.0" in refused.stderr
    assert "--api bulk1" in refused.stderr


def test_jobs_of_runs_over_2_0_are_shown_too(org: Emulator) -> None:
    options = ("--object=Contact", "--operation=insert", "--api=bulk2", "--quiet", "--json")
    loaded = json.loads(output(org, "load", "a.csv", *options, code=3))["jobs"]
    extracted = json.loads(
        output(org, "extract", "SELECT Id FROM Contact", "--output=o.csv", "--api=bulk2", "--quiet", "--json")
    )["jobs"]
    lines = output(org, "jobs").splitlines()
    assert [line.split()[0] for line in lines] == [*loaded, *extracted]
    assert all("JobComplete" in line for line in lines)
