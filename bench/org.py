"""A stand-in for an org that costs next to nothing, so that what is measured is the client. Not an emulator: it judges
nothing.

    python bench/org.py [--rtt-ms 50] [--batch-seconds 1 --parallel 5] [--error-every 100]

Prints its port. Knows the calls that `load` makes, and ``GET /stats``, which is no call of the API. Records of an
upload are counted by their "@" (data.py puts one in each), in one buffer a connection; of a batch only its counts are
kept, so memory stays the same. Bodies come with a Content-Length, plain. The clock alone moves a batch on: Queued,
InProgress once one of the slots is free, Completed ``--batch-seconds`` later.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import re
import socket
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

BLOCK_BYTES: Final = 262_144
_NAMESPACE: Final = "http://www.force.com/2009/06/asyncapi/dataload"
_PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>'
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_BATCH_MARK: Final = "#BATCH#"
_REFUSAL: Final = '"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"\n'
_STAMPS: Final = (
    "<createdDate>2026-02-12T15:43:48.000Z</createdDate><systemModstamp>2026-02-12T15:43:49.000Z</systemModstamp>"
    "<totalProcessingTime>842</totalProcessingTime><apiActiveProcessingTime>640</apiActiveProcessingTime><apexProcessingTime>0</apexProcessingTime>"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How slow the org is, and how often it says no."""

    rtt_seconds: float
    batch_seconds: float
    parallel: int
    error_every: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept of a batch."""

    number: int
    job: str
    records: int
    failed: int
    begins: float
    ends: float

    def document(self) -> str:
        """Write its ``batchInfo`` of this moment."""
        now = time.monotonic()
        ended = now >= self.ends
        state = "Completed" if ended else "InProgress" if now >= self.begins else "Queued"
        return (
            f"<id>751{self.number:012}AAA</id><jobId>{self.job}</jobId><state>{state}</state>{_STAMPS}"
            f"<numberRecordsProcessed>{self.records if ended else 0}</numberRecordsProcessed>"
            f"<numberRecordsFailed>{self.failed if ended else 0}</numberRecordsFailed>"
        )


@lru_cache(maxsize=4)
def results_pattern(records: int, error_every: int) -> str:
    """Write the results of a batch of so many records, with a gap in each id where the batch's number goes."""
    rows = [
        _REFUSAL if error_every and row % error_every == 0 else f'"003{_BATCH_MARK}{row:05}AAA","true","true",""\n'
        for row in range(1, records + 1)
    ]
    return '"Id","Success","Created","Error"\n' + "".join(rows)


DESCRIBED: Final = json.dumps(
    {
        "name": "Contact",
        "fields": [
            {"name": "Id", "type": "id"},
            *({"name": name, "type": "string", "length": 80} for name in ("FirstName", "LastName", "Title")),
            {"name": "Email", "type": "email", "length": 80},
            {"name": "Phone", "type": "phone", "length": 40},
            {"name": "Description", "type": "textarea", "length": 32_000},
            {"name": "Score__c", "type": "double", "precision": 18, "scale": 2},
        ],
    }
).encode()
"""What the object's fields are, for the check before a load."""


class Org:
    """Jobs, batches, and the answers to the calls about them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._jobs: dict[str, list[Batch]] = {}
        self._closed: set[str] = set()
        self._batches = itertools.count(1)
        self._slots = [0.0] * settings.parallel
        self._calls = self._records = self._failed = 0

    def answer(self, method: str, path: str, records: int) -> tuple[int, str, bytes]:
        """Answer a call: status, media type, content."""
        parts = path.split("/")
        if path == "/stats":
            return self._stats()
        with self._lock:
            self._calls += 1
            if parts[-1] == "limits":
                return 200, "application/json", b'{"DailyBulkApiBatches":{"Max":15000,"Remaining":15000}}'
            if parts[-1] == "describe":
                return 200, "application/json", DESCRIBED
            match method, parts[5:]:
                case "POST", []:
                    job = f"750{len(self._jobs) + 1:012}AAA"
                    self._jobs[job] = []
                    return 201, "application/xml", self._job(job)
                case "POST", [job]:
                    self._closed.add(job)
                    return 200, "application/xml", self._job(job)
                case "POST", [job, "batch"]:
                    return 201, "application/xml", _document("batchInfo", self._add(job, records).document())
                case "GET", [job]:
                    return 200, "application/xml", self._job(job)
                case "GET", [job, "batch"]:
                    batches = "".join([f"<batchInfo>{batch.document()}</batchInfo>" for batch in self._jobs[job]])
                    return 200, "application/xml", _document("batchInfoList", batches)
                case "GET", [job, "batch", batch_id, "result"]:
                    batch = next(batch for batch in self._jobs[job] if batch.number == int(batch_id[3:15]))
        content = results_pattern(batch.records, self.settings.error_every)
        return 200, "text/csv", content.replace(_BATCH_MARK, f"{batch.number:07}").encode()

    def _add(self, job: str, records: int) -> Batch:
        begins = max(self._slots[0], time.monotonic())
        ends = begins + self.settings.batch_seconds
        heapq.heapreplace(self._slots, ends)
        failed = records // self.settings.error_every if self.settings.error_every else 0
        batch = Batch(next(self._batches), job, records, failed, begins, ends)
        self._jobs[job].append(batch)
        self._records += records
        self._failed += failed
        return batch

    def _job(self, job: str) -> bytes:
        state = "Closed" if job in self._closed else "Open"
        return _document(
            "jobInfo",
            f"<id>{job}</id><operation>insert</operation><object>Contact</object><state>{state}</state><contentType>CSV</contentType>",
        )

    def _stats(self) -> tuple[int, str, bytes]:
        with self._lock:
            found = {
                "calls": self._calls,
                "records": self._records,
                "failed": self._failed,
                "cpu_seconds": time.process_time(),
            }
        return 200, "application/json", json.dumps(found).encode()


def _document(name: str, content: str) -> bytes:
    return f'{_PROLOG}<{name} xmlns="{_NAMESPACE}">{content}</{name}>'.encode()


class Connection:
    """One connection: requests in, answers out, one after another."""

    def __init__(self, org: Org, peer: socket.socket) -> None:
        self._org, self._peer = org, peer
        self._buffer = bytearray(BLOCK_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0

    def serve(self) -> None:
        """Answer until the other side has nothing more to say."""
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A new connection takes a round trip of its own.
        time.sleep(self._org.settings.rtt_seconds)
        with self._peer:
            while (head := self._head()) is not None:
                method, path, _ = head.split(b" ", 2)
                length = _LENGTH.search(head)
                records = self._body(int(length[1])) if length else 0
                status, media, content = self._org.answer(method.decode(), path.decode(), records)
                time.sleep(self._org.settings.rtt_seconds)
                start = (
                    f"HTTP/1.1 {status} OK\r\nContent-Type: {media}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                )
                self._peer.sendall(start + content)

    def _head(self) -> bytes | None:
        """Read up to the blank line; what follows it stays in the buffer."""
        while (end := self._buffer.find(b"\r\n\r\n", 0, self._filled)) < 0:
            if not (got := self._peer.recv_into(self._view[self._filled :])):
                return None
            self._filled += got
        head = bytes(self._view[:end])
        rest = bytes(self._view[end + 4 : self._filled])
        self._view[: len(rest)] = rest
        self._filled = len(rest)
        return head

    def _body(self, length: int) -> int:
        """Read a body, and count its records."""
        records = self._buffer.count(b"@", 0, self._filled)
        left, self._filled = length - self._filled, 0
        while left:
            if not (got := self._peer.recv_into(self._view[: min(left, BLOCK_BYTES)])):
                return 0
            records += self._buffer.count(b"@", 0, got)
            left -= got
        return records


def main() -> None:
    """Do what the command line says, until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rtt-ms", type=float, default=0.0, help="pause before each answer, and for each new connection"
    )
    parser.add_argument("--batch-seconds", type=float, default=0.0, help="how long a batch runs once a slot is free")
    parser.add_argument("--parallel", type=int, default=5, help="slots: batches that run at once")
    parser.add_argument("--error-every", type=int, default=0, metavar="K", help="every K-th record of a batch fails")
    arguments = parser.parse_args()
    org = Org(Settings(arguments.rtt_ms / 1000, arguments.batch_seconds, arguments.parallel, arguments.error_every))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            peer, _ = server.accept()
            threading.Thread(target=Connection(org, peer).serve, daemon=True).start()


if __name__ == "__main__":
    main()
