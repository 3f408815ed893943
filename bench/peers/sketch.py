"""Not a product: what the standard library can do on this API, without retries, errors, checks or a journal. The mark.

    python sketch.py load|extract URL FOLDER OUT POLL

One connection. Batches are ranges of the source, found by counting line ends outside of quotes in blocks; they go from
the file to the socket, and results from the socket to the file, in pieces.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

BLOCK: Final = 262_144
RECORDS: Final = 10_000
_SPACE: Final = 'xmlns="http://www.force.com/2009/06/asyncapi/dataload"'
_JOBS: Final = "/services/async/66.0/job"
_SESSION: Final = {"X-SFDC-Session": "00D000000000001!bench"}


def cuts(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the ranges of the file that hold so many records each."""
    with path.open("rb") as file:
        at = start = len(file.readline())
        held, inside = 0, False
        while block := file.read(BLOCK):
            place = 0
            for piece in block.split(b'"'):
                if not inside:
                    lines = piece.count(b"\n")
                    while held + lines >= RECORDS:
                        end = -1
                        for _ in range(RECORDS - held):
                            end = piece.index(b"\n", end + 1)
                        yield start, at + place + end + 1
                        start, lines = at + place + end + 1, lines - (RECORDS - held)
                        place, piece, held = place + end + 1, piece[end + 1 :], 0  # noqa: PLW2901
                    held += lines
                place += len(piece) + 1
                inside = not inside
            # A block ends inside or outside as its last piece did.
            inside = not inside
            at += len(block)
        if held:
            yield start, at


class Org:
    """The few calls that it takes."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, blocksize=BLOCK)

    def call(self, method: str, path: str, body: str | None = None, media: str = "application/xml") -> bytes:
        """Make a call and return what was answered."""
        self._connection.request(method, _JOBS + path, body, {**_SESSION, "Content-Type": media})
        return self._connection.getresponse().read()

    def open(self, operation: str) -> str:
        """Create a job."""
        return _told(
            self.call(
                "POST",
                "",
                f"<jobInfo {_SPACE}><operation>{operation}</operation><object>Contact</object>"
                "<contentType>CSV</contentType></jobInfo>",
            ),
            b"id",
        )

    def close(self, job: str) -> None:
        """Close a job."""
        self.call("POST", f"/{job}", f"<jobInfo {_SPACE}><state>Closed</state></jobInfo>")

    def send(self, job: str, file: int, header: bytes, start: int, end: int) -> str:
        """Add a batch."""
        asked = self._connection
        asked.putrequest("POST", f"{_JOBS}/{job}/batch", skip_accept_encoding=True)
        for name, value in {**_SESSION, "Content-Type": "text/csv"}.items():
            asked.putheader(name, value)
        asked.putheader("Content-Length", str(len(header) + end - start))
        asked.endheaders(header)
        while start < end:
            block = os.pread(file, min(BLOCK, end - start), start)
            asked.send(block)
            start += len(block)
        return _told(asked.getresponse().read(), b"id")

    def wait(self, job: str, batch: str, poll: float) -> None:
        """Wait until a batch is done."""
        while _told(self.call("GET", f"/{job}/batch/{batch}"), b"state") != "Completed":
            time.sleep(poll)

    def fetch(self, path: str) -> Iterator[memoryview]:
        """Fetch content in blocks."""
        self._connection.request("GET", _JOBS + path, headers=_SESSION)
        answer = self._connection.getresponse()
        buffer = memoryview(bytearray(BLOCK))
        while count := answer.readinto(buffer):
            yield buffer[:count]


def _told(document: bytes, name: bytes) -> str:
    start = document.index(b"<" + name + b">") + len(name) + 2
    return document[start : document.index(b"<", start)].decode()


def load(org: Org, source: Path, out: Path, poll: float) -> int:
    """Load a file, and write the result of each record."""
    job = org.open("insert")
    header = source.open("rb").readline()
    file = os.open(source, os.O_RDONLY)
    batches = [org.send(job, file, header, *cut) for cut in cuts(source)]
    org.close(job)
    rows = 0
    with out.open("wb") as results:
        results.write(b'"Id","Success","Created","Error"\n')
        for batch in batches:
            org.wait(job, batch, poll)
            content = b"".join(map(bytes, org.fetch(f"/{job}/batch/{batch}/result")))
            start = content.index(b"\n") + 1
            results.write(memoryview(content)[start:])
            rows += content.count(b"\n", start)
    return rows


def extract(org: Org, out: Path, poll: float) -> int:
    """Write what a query finds to a file."""
    job = org.open("query")
    batch = _told(org.call("POST", f"/{job}/batch", "SELECT Id FROM Contact", "text/csv"), b"id")
    org.close(job)
    org.wait(job, batch, poll)
    with out.open("wb") as file:
        for part in org.call("GET", f"/{job}/batch/{batch}/result").split(b"<result>")[1:]:
            for block in org.fetch(f"/{job}/batch/{batch}/result/{part[: part.index(b'<')].decode()}"):
                file.write(block)
    return -1


def main() -> None:
    """Do what the command line says."""
    verb, url, folder, out, poll = sys.argv[1:]
    org = Org(url)
    rows = (
        load(org, Path(folder, "contacts.csv"), Path(out, "out.csv"), float(poll))
        if verb == "load"
        else extract(org, Path(out, "out.csv"), float(poll))
    )
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
