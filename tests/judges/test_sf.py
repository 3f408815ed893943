"""The `sf` command line judges: it logs in with an access token, then upserts, deletes and asks for states.

The commands that use this API are those below `sf force data bulk`; `Command` runs any other of the plugin as well.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.judges.lineup import CLIENTS, NASTY, as_csv_keeps_it, org

from bulkforce_emulator import Emulator

SF = CLIENTS / "sf"
_SECONDS = 300


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What it gives with `--json`; it must not have failed."""
        assert self.code == 0, (self.out, self.err)
        return json.loads(self.out)["result"]

    @property
    def error(self) -> tuple[int, str]:
        """Its exit code, and the message that it gives with `--json` when it fails."""
        return self.code, json.loads(self.out).get("message", "")


@dataclass(frozen=True)
class Command:
    """The `sf` command in a home of its own, which is also its working directory."""

    home: Path
    org: Emulator

    def __call__(self, words: str, *arguments: str) -> Said:
        """Run one command, such as `force data bulk status`."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "NO_COLOR": "1",
            # Most of a command's time is spent on compiling its modules.
            "NODE_COMPILE_CACHE": str(self.home / "compiled"),
            "SF_ACCESS_TOKEN": self.org.session_id,
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_DISABLE_TELEMETRY": "true",
            # Without it the command looks for a keyring of the desktop.
            "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        }
        done = subprocess.run(
            [SF / "node_modules" / "node" / "bin" / "node", SF / "sf.mjs", *words.split(), *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def log_in(self) -> Said:
        """Make the emulated org the one that commands are about."""
        login = ("--instance-url", self.org.base_url, "--no-prompt", "--alias", "emulated", "--set-default", "--json")
        said = self("org login access-token", *login)
        assert said.code == 0, said
        return said

    def file(self, name: str, rows: Sequence[Sequence[str]]) -> str:
        """Write a CSV file; returns its name."""
        lines = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
        (self.home / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
        return name


@dataclass(frozen=True)
class Verdict:
    """What each command said, and the org as they left it."""

    org: Emulator
    said: dict[str, Said]


def nasty_rows() -> list[list[str]]:
    """Contacts with nasty descriptions, and one that the org refuses."""
    return [
        ["LastName", "Badge__c", "Department", "Description"],
        *([str(place), f"n{place}", "nasty", value or ""] for place, value in enumerate(NASTY)),
        ["", "none", "nasty", "no last name"],
    ]


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdict]:
    with org() as served:
        sf = Command(tmp_path_factory.mktemp("home"), served)
        said = {"login": sf.log_in()}
        said |= together(_first(sf))
        said |= together(_then(sf, said))
        yield Verdict(served, said)


def together(commands: dict[str, Callable[[], Said]]) -> dict[str, Said]:
    """Run commands side by side: each spends most of its time on starting."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        running: dict[str, Future[Said]] = {name: pool.submit(command) for name, command in commands.items()}
        return {name: future.result() for name, future in running.items()}


def _first(sf: Command) -> dict[str, Callable[[], Said]]:
    gone = sf.org.insert("Contact", [{"LastName": "gone", "Department": "gone"} for _ in range(3)])
    kept = sf.org.insert("Contact", [{"LastName": "kept", "Department": "kept"} for _ in range(2)])
    nasty = sf.file("nasty.csv", nasty_rows())
    many = sf.file("many.csv", [["LastName", "Badge__c"], *(["many", f"m{number}"] for number in range(10_050))])
    unknown = sf.file("unknown.csv", [["LastName", "Badge__c", "Nope__c"], ["x", "u1", "x"]])
    ids = sf.file("ids.csv", [["Id"], *([one] for one in gone), ["003000000000001AAA"]])
    bare = sf.file("bare.csv", [[one] for one in kept])
    one_line = sf.file("one line.csv", [[kept[0]]])
    people = [{"attributes": {"type": "Contact", "referenceId": "p1"}, "LastName": "Leaf", "Department": "tree"}]
    tree = {"attributes": {"type": "Account", "referenceId": "a1"}, "Name": "Root", "Contacts": {"records": people}}
    (sf.home / "tree.json").write_text(json.dumps({"records": [tree]}))
    upsert = ("--sobject", "Contact", "--external-id", "Badge__c", "--json", "--file")
    delete = ("--sobject", "Contact", "--json", "--file")
    return {
        "upsert": lambda: sf("force data bulk upsert", *upsert, nasty, "--wait", "2"),
        "delete": lambda: sf("force data bulk delete", *delete, ids, "--wait", "2"),
        "many": lambda: sf("force data bulk upsert", *upsert, many, "--serial"),
        "unknown column": lambda: sf("force data bulk upsert", *upsert, unknown),
        "bare ids": lambda: sf("force data bulk delete", *delete, bare),
        "unknown object": lambda: sf("force data bulk delete", "--sobject", "Nothing__c", *delete[2:], ids),
        "tree": lambda: sf("data import tree", "--files", "tree.json", "--json"),
        "one line": lambda: sf("force data bulk delete", *delete, one_line),
    }


def _then(sf: Command, said: dict[str, Said]) -> dict[str, Callable[[], Said]]:
    job = said["upsert"].result[0]["id"]
    first = said["many"].result[0]
    return {
        "again": lambda: sf(
            "force data bulk upsert", "--sobject", "Contact", "--external-id", "Badge__c", "--file", "nasty.csv",
            "--wait", "2",
        ),
        "status": lambda: sf("force data bulk status", "--job-id", job, "--json"),
        "status of a batch": lambda: sf(
            "force data bulk status", "--job-id", first["jobId"], "--batch-id", first["id"], "--json"
        ),
        "query": lambda: sf(
            "data query", "--query", "SELECT LastName, Account.Name FROM Contact WHERE Department = 'tree'",
            "--result-format", "csv",
        ),
        "no such job": lambda: sf("force data bulk status", "--job-id", "750000000000001AAA", "--json"),
    }  # fmt: skip


def test_logs_in_with_an_access_token(verdict: Verdict) -> None:
    result = verdict.said["login"].result
    assert (result["username"], result["orgId"][:3]) == (verdict.org.username, "00D")
    # It stores the address with a slash at its end, so that all its later calls go to `//services/...`.
    assert result["instanceUrl"] == f"{verdict.org.base_url}/"


def test_upserts_and_counts_good_and_bad_rows(verdict: Verdict) -> None:
    (job,) = verdict.said["upsert"].result
    assert (job["state"], job["operation"], job["externalIdFieldName"]) == ("Closed", "upsert", "Badge__c")
    counts = job["numberBatchesCompleted"], job["numberRecordsProcessed"], job["numberRecordsFailed"]
    assert counts == ("1", str(len(NASTY) + 1), "1")


def test_nasty_values_arrive_as_they_are(verdict: Verdict) -> None:
    kept = {
        record["LastName"]: record["Description"]
        for record in verdict.org.records("Contact")
        if record["Department"] == "nasty"
    }
    assert kept == as_csv_keeps_it()


def test_a_second_upsert_changes_and_says_why_a_row_failed(verdict: Verdict) -> None:
    said = verdict.said["again"]
    assert said.code == 0, said
    assert "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --" in said.out + said.err
    assert sum(record["Department"] == "nasty" for record in verdict.org.records("Contact")) == len(NASTY)


def test_deletes_by_id(verdict: Verdict) -> None:
    (job,) = verdict.said["delete"].result
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("4", "1")
    assert not any(record["Department"] == "gone" for record in verdict.org.records("Contact"))


def test_finding_ids_without_a_header_delete_nothing(verdict: Verdict) -> None:
    """A finding: of each row its `Id` is sent and nothing else, so that a batch of nothing is what the org refuses."""
    assert verdict.said["bare ids"].error == (1, "InvalidBatch : Records not found")
    assert sum(record["Department"] == "kept" for record in verdict.org.records("Contact")) == 2


def test_finding_a_file_without_a_record_is_sent_and_ends_in_a_trace(verdict: Verdict) -> None:
    """A finding: an empty batch is posted, and its refusal is not caught: `--json` gives nothing."""
    said = verdict.said["one line"]
    assert (said.code, said.out) == (1, "")
    assert "Unable to find any data to create batch" in said.err


def test_many_rows_go_in_several_batches_of_a_serial_job(verdict: Verdict) -> None:
    batches = verdict.said["many"].result
    assert len(batches) == 2
    assert sum(record["LastName"] == "many" for record in verdict.org.records("Contact")) == 10_050
    job = verdict.org.state.jobs.get(batches[0]["jobId"])
    assert job.is_serial


def test_unknown_column_is_told_in_the_servers_words(verdict: Verdict) -> None:
    assert verdict.said["unknown column"].error == (1, "InvalidBatch : Field name not found : Nope__c")


def test_unknown_object_is_told_before_anything_is_sent(verdict: Verdict) -> None:
    code, message = verdict.said["unknown object"].error
    assert code == 1
    assert "Nothing__c" in message
    assert not any(job.sobject.name == "Nothing__c" for job in verdict.org.state.jobs.all())


def test_a_tree_is_planted_and_found(verdict: Verdict) -> None:
    assert [told["refId"] for told in verdict.said["tree"].result] == ["a1", "p1"]
    assert verdict.said["query"].out.splitlines() == ["LastName,Account.Name", "Leaf,Root"]


def test_states_of_jobs_and_batches(verdict: Verdict) -> None:
    job = verdict.said["status"].result
    assert (job["id"], job["state"]) == (verdict.said["upsert"].result[0]["id"], "Closed")
    assert (job["concurrencyMode"], job["numberRecordsFailed"]) == ("Parallel", "1")
    batch = verdict.said["status of a batch"].result
    assert str(verdict.said["many"].result[0]["id"]) in json.dumps(batch)
    assert "Completed" in json.dumps(batch)


def test_unknown_job_is_told(verdict: Verdict) -> None:
    code, message = verdict.said["no such job"].error
    assert code == 1
    assert "Invalid job id" in message
