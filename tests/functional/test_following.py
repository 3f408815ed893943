"""`retry` and `undo`: which rows and records they take, and which never."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS, run, start
from tests.support.rehearsal import SCHEMA, TOO_LONG, Books, Rows, contents, nasty_rows, read_csv, settle

from bulkforce import AsyncClient, BearerToken, Client, LoadReport, errors
from bulkforce.load.journal import LoadJournal
from bulkforce.load.mapping import ColumnMap
from bulkforce.objects.texts import TextNotation
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Limits, Settings

APIS = pytest.mark.parametrize("api", ["bulk1", "bulk2"])
LOCKED = Mishap(every=2)
HALF_WAY = Mishap(message="InternalServerError : later", after_rows=3)


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


@pytest.fixture
def client(org: Emulator) -> Iterator[Client]:
    with Client(org.base_url, BearerToken(org.session_id)) as client:
        yield client


def load(client: Client, folder: Path, source: Any = None, **options: Any) -> LoadReport:
    if source is None:
        source = nasty_rows().write(folder / "source.csv")
    given = {"object": "Row__c", "operation": "insert", "run_dir": folder / "first", "batch_records": 6, **options}
    return client.load(source, **given)


def left_of(folder: Path) -> Rows:
    failed, unprocessed = (read_csv(folder / name) for name in ("failed.csv", "unprocessed.csv"))
    return Rows(failed[0][2:], [*(row[2:] for row in failed[1:]), *(row[1:] for row in unprocessed[1:])])


@APIS
def test_retry_loads_what_failed_or_was_not_processed_and_nothing_else(
    org: Emulator, client: Client, tmp_path: Path, api: str
) -> None:
    org.mishaps.plan(LOCKED)
    org.mishaps.plan(HALF_WAY, nth=2)
    first = load(client, tmp_path, api=api)
    left, books = left_of(tmp_path / "first"), Books(org)
    assert min(first.succeeded, first.failed, first.unprocessed) > 0
    assert client.retry(first.run_dir, dry_run=True).read == first.failed + first.unprocessed
    assert books.jobs == []
    again = client.retry(first.run_dir, run_dir=tmp_path / "again")
    assert (again.retry_of, again.undo_of, again.operation, again.object) == ("first", None, "insert", "Row__c")
    assert (again.read, again.succeeded, again.failed) == (len(left.rows), len(left.good), len(left.bad))
    assert books.accepted(left.header) == Counter(left.good)
    assert "insert Row__c (retry of first): finished" in str(again)
    assert json.loads((tmp_path / "again" / "report.json").read_text())["retry_of"] == "first"


def test_retry_of_a_retry_takes_what_that_one_left(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    org.mishaps.plan(LOCKED, nth=2)
    source = Rows(("Code__c",), [(f"row {number}",) for number in range(6)])
    first = load(client, tmp_path, source.write(tmp_path / "source.csv"))
    second = client.retry(first.run_dir, run_dir=tmp_path / "second")
    third = client.retry(second.run_dir, run_dir=tmp_path / "third")
    assert [report.succeeded for report in (first, second, third)] == [3, 2, 1]
    with pytest.raises(errors.UsageError, match="third has nothing to retry: no row failed"):
        client.retry(third.run_dir)


def test_a_run_is_retried_once(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path)
    client.retry(first.run_dir, run_dir=tmp_path / "again")
    books = Books(org)
    for options in ({}, {"dry_run": True}, {"run_dir": tmp_path / "third"}):
        with pytest.raises(errors.UsageError, match=r"first was retried already, by again in .*bulkforce retry"):
            client.retry(first.run_dir, **options)
    shutil.rmtree(tmp_path / "again")
    with pytest.raises(errors.JournalMismatch, match=r"whose folder .* is gone"):
        client.retry(first.run_dir)
    assert books.jobs == []


def test_retry_whose_run_was_replaced_is_not_gone_on_with(org: Emulator, client: Client, tmp_path: Path) -> None:
    """It died before it claimed that run, and another run is in its folder now."""
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path)
    with pytest.raises(errors.Interrupted):
        client.retry(first.run_dir, run_dir=tmp_path / "again", max_api_calls=4)
    with closing(LoadJournal(first.run_dir)) as journal:
        journal.set_follower("retry", None)
    with closing(LoadJournal(tmp_path / "again")) as journal, journal.transaction():
        journal._database.execute("DELETE FROM fact WHERE name = 'claimed'")
    shutil.rmtree(first.run_dir)
    books = Books(org)
    with pytest.raises(errors.JournalMismatch, match=r"whose folder .* is gone"):
        client.resume(tmp_path / "again")
    load(client, tmp_path, [{"Code__c": "other"}])
    (other,) = books.jobs
    with pytest.raises(errors.JournalMismatch, match=r"whose folder .* is gone"):
        client.resume(tmp_path / "again")
    assert books.jobs == [other]


def test_a_copy_of_a_run_is_not_retried_a_second_time(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path)
    shutil.copytree(first.run_dir, tmp_path / "copy")
    client.retry(first.run_dir, run_dir=tmp_path / "again")
    books = Books(org)
    with pytest.raises(errors.JournalMismatch, match="retried already, by way of another copy"):
        client.retry(tmp_path / "copy", run_dir=tmp_path / "third")
    assert books.jobs == []
    assert not (tmp_path / "third").exists()


@APIS
def test_retry_that_stopped_is_gone_on_with(org: Emulator, client: Client, tmp_path: Path, api: str) -> None:
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path, api=api, batch_records=50)
    left, books = left_of(tmp_path / "first"), Books(org)
    with pytest.raises(errors.Interrupted):
        client.retry(first.run_dir, run_dir=tmp_path / "again", max_api_calls=4)
    with pytest.raises(errors.UsageError, match="is being retried by again already"):
        client.retry(first.run_dir, dry_run=True)
    report = client.retry(first.run_dir, run_dir=tmp_path / "elsewhere")
    assert report.run_dir == tmp_path / "again"
    assert not (tmp_path / "elsewhere").exists()
    assert (report.succeeded, report.state) == (len(left.good), "finished")
    assert books.accepted(left.header) == Counter(left.good)


def test_retry_that_sent_nothing_leaves_nothing_behind(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(limits=Limits(daily_batches=1))) as org:
        org.mishaps.plan(LOCKED)
        with Client(org.base_url, BearerToken(org.session_id)) as client:
            first = load(client, tmp_path, batch_records=50)
            for _ in range(2):
                with pytest.raises(errors.LimitReached):
                    client.retry(first.run_dir, run_dir=tmp_path / "again")
        assert not (tmp_path / "again").exists()


def test_values_go_again_as_they_were_sent(org: Emulator, client: Client, tmp_path: Path) -> None:
    """What the first load made of the source (notation, map, constants, null, Excel) is not done a second time."""
    org.mishaps.plan(Mishap(every=1))
    source = tmp_path / "werte.csv"
    source.write_bytes(b'Zahl;Notiz;Name;Weg\n2.500,00;"=a;""b""\nc";A;x\n1.234;;B;y\n')
    books = Books(org, "Account")
    first = load(
        client,
        tmp_path,
        source,
        object="Account",
        mapping=ColumnMap({"Zahl": "AnnualRevenue", "Notiz": "Description", "Weg": ""}, {"Site": "S, 1"}),
        notation=TextNotation(decimal_comma=True),
        empty_as_null=True,
        excel=True,
    )
    assert first.failed == 2
    org.mishaps.plan(Mishap(every=1))
    second = client.retry(first.run_dir, run_dir=tmp_path / "second")
    client.retry(second.run_dir, run_dir=tmp_path / "third")
    sent = [org.state.jobs.spool.get(batch.request) for job in books.jobs for batch in job.batches.values()]
    assert sent[0].count(b"\r\n") == 2
    assert sent == [sent[0]] * 3
    ids = [row[0] for row in read_csv(tmp_path / "third" / "success.csv")[1:]]
    names = ("AnnualRevenue", "Description", "Site")
    assert [tuple(map(str, row)) for row in contents(org, ids, names, "Account")] == [
        ("2500.0", '=a;"b"\nc', "S, 1"),
        ("1234.0", "", "S, 1"),
    ]


def test_ids_of_an_earlier_load_go_again_as_ids(org: Emulator, client: Client, tmp_path: Path) -> None:
    """The source is an output of a load, whose column of ours is sent."""
    created = load(client, tmp_path, [{"Code__c": "a"}, {"Code__c": "b"}])
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path, created.run_dir / "success.csv", operation="delete", run_dir=tmp_path / "delete")
    again = client.retry(first.run_dir, run_dir=tmp_path / "again")
    assert (first.succeeded, again.read, again.succeeded) == (1, 1, 1)


def test_column_that_outputs_do_not_hold_is_told(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    source = tmp_path / "source.csv"
    source.write_text("Code__c,sf__Error\na,x\nb,y\n")
    first = load(client, tmp_path, source, mapping={"sf__Error": "Text__c"})
    with pytest.raises(errors.UsageError, match="sent sf__Error, a column of ours that its files do not hold"):
        client.retry(first.run_dir)


def test_files_go_again(org: Emulator, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"content")
    (parent,) = org.insert("Account", [{"Name": "A"}])
    org.mishaps.plan(LOCKED)
    source = Rows(("Name", "ParentId", "Body"), [(f"{number}", parent, "#a.bin") for number in range(4)])
    first = load(client, tmp_path, source.write(tmp_path / "source.csv"), object="Attachment")
    again = client.retry(first.run_dir, run_dir=tmp_path / "again")
    ids = [row[0] for row in read_csv(tmp_path / "again" / "success.csv")[1:]]
    assert (first.succeeded, again.succeeded) == (2, 2)
    assert contents(org, ids, ("Name", "Body"), "Attachment") == [("1", "Y29udGVudA=="), ("3", "Y29udGVudA==")]


def test_rows_in_doubt_need_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows beyond the day's records are in none of the org's files."""
    rows = [{"Code__c": f"row {number}"} for number in range(10_050)]
    settings = Settings(limits=Limits(daily_batches=1))
    with Emulator(SCHEMA, settings=settings) as org, Client(org.base_url, BearerToken(org.session_id)) as client:
        org.faults.add(Fault("status", "GET", "*/limits", status=500, times=99))
        first = load(client, tmp_path, rows, api="bulk2", batch_records=50_000)
        books = Books(org)
        assert (first.succeeded, first.in_doubt) == (10_000, 50)
        for accept_as in (None, "sent"):
            with pytest.raises(errors.UsageError, match="nothing to retry"):
                client.retry(first.run_dir, accept_as=accept_as)
        assert "50 rows in doubt are not sent again" in caplog.text
        assert client.retry(first.run_dir, accept_as="not-sent", dry_run=True).read == 50
        assert books.jobs == []


def test_a_run_of_another_org_is_not_touched(org: Emulator, client: Client, tmp_path: Path) -> None:
    first = load(client, tmp_path)
    with Emulator(SCHEMA) as other, Client(other.base_url, BearerToken(other.session_id)) as stranger:
        for verb in (stranger.retry, stranger.undo):
            with pytest.raises(errors.JournalMismatch, match=r"belongs to .* nothing was sent"):
                verb(first.run_dir)
        assert other.state.jobs.all() == []


def test_outputs_that_were_changed_are_not_trusted(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path)
    failed, books = first.run_dir / "failed.csv", Books(org)
    whole = failed.read_bytes()
    failed.write_bytes(whole.replace(b"sf__Id", b"SF__Id"))
    with pytest.raises(errors.SourceChanged, match=r"failed.csv was removed or changed since the run finished"):
        client.retry(first.run_dir)
    failed.unlink()
    with pytest.raises(errors.SourceChanged, match=r"failed.csv was removed or changed since the run finished"):
        client.retry(first.run_dir)
    assert books.jobs == []
    failed.write_bytes(whole)
    assert client.retry(first.run_dir, run_dir=tmp_path / "again").succeeded


def test_only_a_finished_load_can_be_followed(org: Emulator, client: Client, tmp_path: Path) -> None:
    with pytest.raises(errors.Interrupted):
        load(client, tmp_path, max_api_calls=4)
    client.extract("SELECT Id FROM Row__c", to=tmp_path / "out.csv", run_dir=tmp_path / "extract")
    books = Books(org)
    for verb in (client.retry, client.undo):
        with pytest.raises(errors.UsageError, match=r"not finished.*bulkforce resume"):
            verb(tmp_path / "first")
        with pytest.raises(errors.UsageError, match="is an extract"):
            verb(tmp_path / "extract")
        with pytest.raises(errors.UsageError, match="There is no run"):
            verb(tmp_path / "none")
    assert books.jobs == []


@APIS
def test_undo_deletes_what_an_insert_created(org: Emulator, client: Client, tmp_path: Path, api: str) -> None:
    other = org.insert("Row__c", [{"Code__c": "other"}])
    before = org.count("Row__c")
    org.mishaps.plan(HALF_WAY)
    first = load(client, tmp_path, api=api)
    assert org.count("Row__c") == before + first.succeeded
    assert client.undo(first.run_dir, dry_run=True).read == first.succeeded
    assert org.count("Row__c") == before + first.succeeded
    undone = client.undo(first.run_dir, run_dir=tmp_path / "undo")
    assert (undone.undo_of, undone.operation, undone.read, undone.succeeded) == (
        "first",
        "delete",
        first.succeeded,
        first.succeeded,
    )
    assert org.count("Row__c") == before
    assert contents(org, other, ("Code__c",)) == [("other",)]
    with pytest.raises(errors.UsageError, match="first was undone already, by undo"):
        client.undo(first.run_dir)
    with pytest.raises(errors.UsageError, match="undo cannot be undone: it is a delete"):
        client.undo(undone.run_dir)


@APIS
def test_undo_of_an_upsert_leaves_what_was_there_and_tells(
    org: Emulator, client: Client, tmp_path: Path, api: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [f"{api} {number}" for number in range(6)]
    org.insert("Row__c", [{"Code__c": "old", "Key__c": key} for key in keys[:2]])
    rows = [{"Code__c": "new" if number else TOO_LONG, "Key__c": key} for number, key in enumerate(keys)]
    first = load(client, tmp_path, rows, operation="upsert", external_id="Key__c", api=api)
    before = org.count("Row__c")
    undone = client.undo(first.run_dir, run_dir=tmp_path / "undo")
    assert (first.succeeded, undone.succeeded, org.count("Row__c")) == (5, 4, before - 4)
    assert "1 record of first existed before and was updated: they stay as they are" in caplog.text


def test_undo_names_the_retries_that_created_records_and_no_other(
    org: Emulator, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for nth, every in ((1, 2), (2, 1), (3, 2)):
        org.mishaps.plan(Mishap(every=every), nth=nth)
    source = Rows(("Code__c",), [(f"row {number}",) for number in range(6)])
    runs = [load(client, tmp_path, source.write(tmp_path / "source.csv"))]
    for name in ("second", "third", "fourth"):
        runs.append(client.retry(runs[-1].run_dir, run_dir=tmp_path / name))
    assert [report.succeeded for report in runs] == [3, 0, 2, 1]
    client.undo(tmp_path / "fourth", run_dir=tmp_path / "undo4")
    client.undo(tmp_path / "first", run_dir=tmp_path / "undo1")
    assert re.findall("What (.*) loaded as the retry of (.*) stays", caplog.text) == [("third", "second")]
    with pytest.raises(errors.UsageError, match="nothing to undo"):
        client.undo(tmp_path / "second")


def test_what_cannot_be_undone_is_told(org: Emulator, client: Client, tmp_path: Path) -> None:
    ids = org.insert("Row__c", [{"Code__c": "old", "Key__c": "k"}])
    load(client, tmp_path, [{"Id": ids[0], "Code__c": "new"}], operation="update")
    with pytest.raises(errors.UsageError, match="cannot be undone: it is an update"):
        client.undo(tmp_path / "first")
    load(client, tmp_path, [{"Key__c": "k"}], operation="upsert", external_id="Key__c", run_dir=tmp_path / "upsert")
    with pytest.raises(errors.UsageError, match=r"created no record\. The 1 record that it updated"):
        client.undo(tmp_path / "upsert")
    load(client, tmp_path, [{"Code__c": TOO_LONG}], run_dir=tmp_path / "failed")
    with pytest.raises(errors.UsageError, match="nothing to undo: it wrote no record"):
        client.undo(tmp_path / "failed")


def test_undo_whose_answers_are_lost_deletes_each_record_once(org: Emulator, client: Client, tmp_path: Path) -> None:
    first, books = load(client, tmp_path, api="bulk2"), Books(org)
    org.faults.add(Fault("answer lost", "PATCH", "*/jobs/ingest/*"))
    undone = client.undo(first.run_dir, run_dir=tmp_path / "undo")
    assert (undone.succeeded, undone.failed) == (first.succeeded, 0)
    assert max(Counter(entry.record_id for entry in books.entries).values()) == 1


def test_async_client_has_them_too(org: Emulator, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)

    async def work() -> tuple[LoadReport, LoadReport]:
        async with AsyncClient(org.base_url, BearerToken(org.session_id)) as client:
            first = await client.load(io.BytesIO(b"Code__c\na\nb\n"), "Row__c", "insert", run_dir=tmp_path / "first")
            again = await client.retry(first.run_dir, run_dir=tmp_path / "again")
            return again, await client.undo(first.run_dir, run_dir=tmp_path / "undo")

    again, undone = asyncio.run(work())
    assert (again.succeeded, undone.succeeded) == (1, 1)


def test_command_line_has_them_too(org: Emulator, client: Client, tmp_path: Path) -> None:
    org.mishaps.plan(LOCKED)
    load(client, tmp_path, io.BytesIO(b"Code__c\na\nb\n"))
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    first, again = str(tmp_path / "first"), str(tmp_path / "again")
    planned = run("retry", first, "--dry-run", "--json", environment=environment)
    assert (planned.returncode, json.loads(planned.stdout)["read"]) == (0, 1)
    retried = run("retry", first, "--run-dir", again, "--json", environment=environment)
    assert (retried.returncode, json.loads(retried.stdout)["retry_of"]) == (0, "first")
    refused = run("retry", first, environment=environment)
    assert (refused.returncode, "first was retried already" in refused.stderr) == (2, True)
    undone = run("undo", again, "--yes", "--run-dir", str(tmp_path / "undo"), environment=environment)
    assert (undone.returncode, "delete Row__c (undo of again): 1 row in" in undone.stdout) == (0, True)


@pytest.mark.parametrize(("verb", "change"), [("retry", 1), ("undo", -1)])
def test_of_several_processes_one_alone_follows(
    org: Emulator, client: Client, tmp_path: Path, verb: str, change: int
) -> None:
    org.mishaps.plan(LOCKED)
    first = load(client, tmp_path, io.BytesIO(b"Code__c\na\nb\n"))
    before = org.count("Row__c")
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    commands = [
        start(verb, str(first.run_dir), "--run-dir", str(tmp_path / f"{number}"), environment=environment)
        for number in range(3)
    ]
    for command in commands:
        command.communicate()
    # Whoever comes when it is done is told so, or is refused; whoever comes while it goes on may not disturb it.
    assert min(command.returncode or 0 for command in commands) == 0
    assert org.count("Row__c") == before + change
    assert len([number for number in range(3) if (tmp_path / f"{number}").exists()]) == 1


@pytest.mark.parametrize(("answer", "deleted"), [("n", 0), ("y", 2)])
def test_undo_asks_on_a_terminal(org: Emulator, client: Client, tmp_path: Path, answer: str, deleted: int) -> None:
    load(client, tmp_path, io.BytesIO(b"Code__c\na\nb\n"))
    before = org.count("Row__c")
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    ours, its = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    shown = subprocess.run(
        [*COMMAND, "undo", str(tmp_path / "first"), "--run-dir", str(tmp_path / "undo")],
        stdin=its,
        capture_output=True,
        text=True,
        env={**SURROUNDINGS, **environment},
        timeout=600,
        check=False,
    )
    os.close(ours)
    os.close(its)
    assert "Delete 2 Row__c records that first created? [y/N]" in shown.stderr
    assert (shown.returncode, before - org.count("Row__c")) == (0 if deleted else 1, deleted)
