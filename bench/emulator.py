"""Measure the emulator: how soon it answers, how many records a second go in and come out, and what a record costs in
memory.

    python bench/emulator.py --rows 1000000
    python bench/emulator.py --rows 1000000 --api bulk2

The emulator is the command (`bulkforce emulator`), a process of its own; this one only sends, asks and counts. In: CSV
batches of 10,000 contacts of five columns (2.0: files of 250,000), four at a time, from the first POST until all are
done. Out: a bulk query of those columns and the Id, from the POST to the last byte of its CSV. Both are counted: no
record may be lost on the way.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

BATCH_RECORDS: Final = 10_000
FILE_RECORDS: Final = 250_000
WORKERS: Final = 4
COLUMNS: Final = "LastName,FirstName,Email,Title,Description"
POLL_SECONDS: Final = 0.05
JOBS: Final = "/services/data/v66.0/jobs"


class Org:
    """An emulator as a process, and calls to it."""

    def __init__(self) -> None:
        began = time.perf_counter()
        command = [sys.executable, "-m", "bulkforce.cli.main", "emulator", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout is None:
            raise AssertionError(command)
        about = json.loads(self.process.stdout.readline())
        self.netloc = urlsplit(about["base_url"]).netloc
        self.session_id = about["session_id"]
        self.call("GET", "/services/data")
        self.ready_seconds = time.perf_counter() - began

    def call(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None) -> bytes:
        """One call; its answer must be a good one."""
        connection = http.client.HTTPConnection(self.netloc, timeout=600)
        session = {"X-SFDC-Session": self.session_id, "Authorization": f"Bearer {self.session_id}"}
        headers = session | ({"Content-Type": content_type} if content_type else {})
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def job(self, operation: str) -> str:
        """A new job's path."""
        document = json.dumps({"operation": operation, "object": "Contact", "contentType": "CSV"}).encode()
        answer = self.call("POST", "/services/async/66.0/job", document, "application/json")
        return f"/services/async/66.0/job/{json.loads(answer)['id']}"

    def wait(self, job: str, batches: int) -> int:
        """Wait until all batches are Completed; how many records they processed."""
        while True:
            told = self.call("GET", job).decode()
            if int(_member(told, "numberBatchesCompleted")) == batches:
                return int(_member(told, "numberRecordsProcessed")) - int(_member(told, "numberRecordsFailed"))
            if int(_member(told, "numberBatchesFailed")):
                raise SystemExit(told)
            time.sleep(POLL_SECONDS)

    def ask2(self, method: str, path: str, **document: str) -> dict[str, Any]:
        """One call of 2.0, below `/jobs`."""
        body = json.dumps(document).encode() if document else None
        answer: dict[str, Any] = json.loads(self.call(method, f"{JOBS}/{path}", body, "application/json"))
        return answer

    def wait2(self, path: str) -> int:
        """Wait until a job of 2.0 is complete; how many records it processed."""
        while True:
            told = self.ask2("GET", path)
            if told["state"] == "JobComplete":
                return int(told["numberRecordsProcessed"]) - int(told.get("numberRecordsFailed", 0))
            if told["state"] in {"Failed", "Aborted"}:
                raise SystemExit(told)
            time.sleep(POLL_SECONDS)

    def resident_bytes(self, what: str = "VmRSS") -> int:
        """What the process has in memory; `VmHWM` is the most that it had."""
        found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text("ascii"))
        return int(found[1]) * 1024 if found else 0

    def cpu_seconds(self) -> float:
        """What the process has computed."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """How long something takes, on the clock and in the emulator's CPU."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.began, self.cpu = time.perf_counter(), org.cpu_seconds()

    def tell(self, way: str, records: int, size: int) -> None:
        """Print how fast so many records were."""
        seconds, cpu = time.perf_counter() - self.began, self.org.cpu_seconds() - self.cpu
        print(
            f"{way}: {records:,} records ({size / 1e6:.0f} MB) in {seconds:.1f} s: {records / seconds:,.0f} a second; "
            f"{cpu:.1f} s of CPU"
        )


def _member(document: str, name: str) -> str:
    found = re.search(rf"<{name}>(\d+)<", document)
    if found is None:
        raise SystemExit(document)
    return found[1]


def body(first: int, records: int = BATCH_RECORDS) -> bytes:
    """One batch, or one file of 2.0."""
    lines = (
        f'"Name {number}",Ada,person{number}@example.com,"VP, Sales","A text of some length, as people write them: '
        f'{number}"\n'
        for number in range(first, first + records)
    )
    return (COLUMNS + "\n" + "".join(lines)).encode()


def measure(rows: int) -> None:
    """Measure once and print."""
    batches = max(1, rows // BATCH_RECORDS)
    bodies = [body(number * BATCH_RECORDS) for number in range(batches)]
    org = Org()
    try:
        print(f"ready after {org.ready_seconds:.2f} s")
        empty = org.resident_bytes()
        job = org.job("insert")
        watch = Watch(org)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda one: org.call("POST", f"{job}/batch", one, "text/csv"), bodies))
        written = org.wait(job, batches)
        watch.tell("in", written, sum(map(len, bodies)))
        print(
            f"memory: {(org.resident_bytes() - empty) / written:.0f} bytes a record beyond the {empty / 1e6:.0f} MB of "
            "an empty org"
        )
        if written != batches * BATCH_RECORDS:
            raise SystemExit("records were lost on the way in")
        job = org.job("query")
        watch = Watch(org)
        batch = re.search(
            r"751\w{15}",
            org.call("POST", f"{job}/batch", f"SELECT Id,{COLUMNS} FROM Contact".encode(), "text/csv").decode(),
        )
        org.wait(job, 1)
        found = 0
        result = f"{job}/batch/{batch[0] if batch else ''}/result"
        size = 0
        for one in re.findall(r"752\w{12}", org.call("GET", result).decode()):
            content = org.call("GET", f"{result}/{one}")
            size += len(content)
            found += content.count(b"\n") - 1
        watch.tell("out", found, size)
        if found != written:
            raise SystemExit("records were lost on the way out")
    finally:
        org.process.terminate()
        org.process.wait()


def measure2(rows: int) -> None:
    """The same over Bulk API 2.0."""
    bodies = [body(first, min(FILE_RECORDS, rows - first)) for first in range(0, rows, FILE_RECORDS)]
    org = Org()

    def load(one: bytes) -> int:
        job = org.ask2("POST", "ingest", operation="insert", object="Contact")["id"]
        org.call("PUT", f"{JOBS}/ingest/{job}/batches", one, "text/csv")
        org.ask2("PATCH", f"ingest/{job}", state="UploadComplete")
        return org.wait2(f"ingest/{job}")

    try:
        empty = org.resident_bytes()
        watch = Watch(org)
        with ThreadPoolExecutor(WORKERS) as pool:
            written = sum(pool.map(load, bodies))
        watch.tell("in", written, sum(map(len, bodies)))
        print(f"memory: {org.resident_bytes('VmHWM') / 1e6:.0f} MB at most, {empty / 1e6:.0f} MB when empty")
        watch = Watch(org)
        soql = f"SELECT Id,{COLUMNS} FROM Contact"
        job = org.ask2("POST", "query", operation="query", query=soql)["id"]
        org.wait2(f"query/{job}")
        found = size = 0
        following: str | None = f"{JOBS}/query/{job}/resultPages"
        while following:
            pages = json.loads(org.call("GET", following))
            for page in pages["resultPages"]:
                content = org.call("GET", page["resultUrl"])
                size += len(content)
                found += content.count(b"\n") - 1
            following = pages["nextRecordsUrl"]
        watch.tell("out", found, size)
        if not rows == written == found:
            raise SystemExit("records were lost")
    finally:
        org.process.terminate()
        org.process.wait()


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--api", choices=("bulk1", "bulk2"), default="bulk1")
    arguments = parser.parse_args()
    for _ in range(arguments.runs):
        (measure2 if arguments.api == "bulk2" else measure)(arguments.rows)


if __name__ == "__main__":
    main()
