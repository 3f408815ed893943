"""Serve the stand-in until killed.

    python -m bench.org FOLDER [--rtt-ms 50] [--batch-seconds 1 --parallel 5] [--error-every 100] [--tls CERT KEY]

``FOLDER`` holds the files of bench/data.py. Prints its port. Knows what the clients of the benchmark call, and ``GET
/stats``, which is no call of the API. Records of an upload are counted by their "@", of which each has one; of a batch
only its counts are kept, so memory stays the same. The clock alone moves a batch on.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import threading
import time
from pathlib import Path

from bench.org.bulk1 import Bulk1, Counts, Slots
from bench.org.bulk2 import Bulk2
from bench.org.connection import Answer, Connection, Request
from bench.org.files import DESCRIBED, Failing, Records


class Org:
    """Answers the calls, one at a time."""

    def __init__(self, folder: Path, slots: Slots, failing: Failing) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        found = {"CSV": Records(folder / "found.csv"), "JSON": Records(folder / "found.json")}
        self._bulk1 = Bulk1(found, slots, failing, self._counts)
        self._bulk2 = Bulk2(found["CSV"], Records(folder / "echo.csv"), slots, self._counts)
        self._rows = found["CSV"]

    def answer(self, request: Request) -> Answer:
        """Answer a call."""
        parts = request.path.partition("?")[0].strip("/").split("/")
        with self._lock:
            if parts == ["stats"]:
                return self._stats()
            self._counts.calls += 1
            answer = self._route(request, parts)
            self._counts.bytes += request.bytes + len(answer.content)
            return answer

    def _route(self, request: Request, parts: list[str]) -> Answer:
        match parts:
            case ["services", "async", _, "job", *rest]:
                return self._bulk1.answer(request, rest)
            case ["services", "data", version, "jobs", *rest]:
                return self._bulk2.answer(request, version.removeprefix("v"), rest)
            case ["services", "data"]:
                return _json([{"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"}])
            case ["services", "oauth2", "userinfo"]:
                user = {"preferred_username": "bench@example.com", "user_id": "005000000000001AAA"}
                return _json({**user, "organization_id": "00D000000000001EAA"})
            case ["services", "data", _, "sobjects", "User", _]:
                return _json({"Username": "bench@example.com"})
            case ["services", "data", _]:
                return _json({})
            case [*_, "limits"]:
                # Seven days' worth, so that 100,000 batches can be measured.
                return _json({"DailyBulkApiBatches": {"Max": 105_000, "Remaining": 105_000}})
            case [*_, "describe"]:
                return Answer(DESCRIBED)
            case [*_, "query"]:
                count = {"totalSize": len(self._rows), "done": True, "records": []}
                return _json(count)
            case _:
                wrong = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
                return Answer(json.dumps(wrong).encode(), status=404)

    def _stats(self) -> Answer:
        counts = self._counts
        return _json(
            {
                "calls": counts.calls,
                "records": counts.records,
                "failed": counts.failed,
                "bytes": counts.bytes,
                "cpu_seconds": time.process_time(),
            }
        )


def _json(content: object) -> Answer:
    return Answer(json.dumps(content).encode())


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--rtt-ms", type=float, default=0.0, help="pause before each answer, and for each new connection"
    )
    parser.add_argument("--batch-seconds", type=float, default=0.0, help="how long a batch runs once a slot is free")
    parser.add_argument("--parallel", type=int, default=5, help="slots: batches that run at once")
    parser.add_argument("--error-every", type=int, default=0, metavar="K", help="every K-th record of a batch fails")
    parser.add_argument("--own-messages", action="store_true", help="each with a message of its own")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    given = parser.parse_args()
    org = Org(given.folder, Slots(given.parallel, given.batch_seconds), Failing(given.error_every, given.own_messages))
    context = None
    if given.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*given.tls)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            peer, _ = server.accept()
            threading.Thread(target=serve, args=(org, peer, context, given.rtt_ms / 1000), daemon=True).start()


def serve(org: Org, peer: socket.socket, context: ssl.SSLContext | None, rtt_seconds: float) -> None:
    """Serve one connection."""
    if context:
        peer = context.wrap_socket(peer, server_side=True)
    Connection(org.answer, peer, rtt_seconds).serve()


if __name__ == "__main__":
    main()
