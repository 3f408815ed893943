"""Loads through proxies that lose answers and connections: every row goes in exactly once."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.rehearsal import SCHEMA, Load
from tests.wire.peers import Cut, Relay

from bulkforce import TLS, errors
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture(scope="module")
def secured_org() -> Iterator[Emulator]:
    with Emulator(SCHEMA, tls=True) as org:
        yield org


class Losing:
    """Loses every nth answer to some requests."""

    def __init__(self, nth: int, method: bytes, path_end: bytes) -> None:
        self.lost = 0
        self._line = re.compile(method + rb" \S+" + path_end + rb" HTTP/1.1")
        self._losing = itertools.cycle([False] * (nth - 1) + [True])

    def __call__(self, line: bytes) -> bool:
        if not self._line.fullmatch(line) or not next(self._losing):
            return False
        self.lost += 1
        return True


LOSSES = {
    "every answer to a batch": (1, b"POST", b"/batch"),
    "every second answer to a batch": (2, b"POST", b"/batch"),
    "every third answer to a batch": (3, b"POST", b"/batch"),
    "every second list": (2, b"GET", b"/batch"),
    "every second result": (2, b"GET", b"/result"),
}


@pytest.mark.parametrize("gzip_requests", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_load_behind_a_proxy_that_loses_answers_doubles_no_row(
    org: Emulator, tmp_path: Path, loss: str, gzip_requests: bool
) -> None:
    losing = Losing(*LOSSES[loss])
    with Relay(org.port, drop=losing) as proxy:
        transport = HTTP(None, proxy.url, gzip_requests=gzip_requests)
        load = Load(org, tmp_path, transport=transport)
        load.check(load.begin())
        transport.close()
    assert losing.lost
    assert sum(len(job.batches) for job in load.books.jobs) == 6


@pytest.mark.parametrize("seed", range(6))
def test_load_through_a_tunnel_whose_connections_die_anywhere_doubles_no_row(
    secured_org: Emulator, tmp_path: Path, seed: int
) -> None:
    """In handshakes, uploads and answers; what stops for good is resumed."""
    chance = random.Random(seed)

    def cut(_number: int) -> Cut:
        return chance.choice([None, chance.randrange(6_000)]), chance.choice([None, chance.randrange(8_000)])

    with Relay(cut=cut) as proxy:
        transport = HTTP(TLS(ca_bundle=secured_org.ca_bundle), proxy.url)
        load = Load(secured_org, tmp_path, transport=transport)
        report = None
        for _ in range(20):
            with suppress(errors.TransportError, errors.TransferError):
                report = load.resume() if load.run_dir.exists() else load.begin()
                break
        assert report
        load.check(report)
        transport.close()
