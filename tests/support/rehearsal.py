"""What the tests of loads share: a source whose rows are told good or bad by themselves, and what must be true of org
and outputs after a load."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bulkforce import BearerToken, Client, LoadReport
from bulkforce.load import verb as load
from bulkforce.load.asking import LoadOptions, OnProgress
from bulkforce.load.rules import AcceptAs
from bulkforce.protocol.flow import Auth
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.run.clock import Clock
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Patience
from bulkforce.transport.base import Transport
from bulkforce_emulator import Emulator
from bulkforce_emulator.state.ledger import LedgerRow
from bulkforce_emulator.state.lifecycle import Pace

SCHEMA = {
    "Row__c": {
        "fields": {
            "Code__c": "string(20) required",
            "Text__c": "textarea(32000)",
            "Key__c": "string(40) unique external_id",
        }
    }
}
BRISK = Patience(
    look_seconds=0.005, look_longest_seconds=0.02, trouble_seconds=600.0, pause_seconds=0.001, fence_seconds=0.001
)
"""The waits of a load, for an org that is a few milliseconds away."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A source: its header and rows, each of which the org takes unless its ``Code__c`` is empty or too long."""

    header: Row
    rows: Sequence[Row]

    @property
    def good(self) -> list[Row]:
        return [row for row in self.rows if self._is_good(row)]

    @property
    def bad(self) -> list[Row]:
        return [row for row in self.rows if not self._is_good(row)]

    def _is_good(self, row: Row) -> bool:
        return "Code__c" not in self.header or 0 < len(row[self.header.index("Code__c")]) <= 20

    def write(self, path: Path) -> Path:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        path.write_text(text.getvalue(), "utf-8", newline="")
        return path


TOO_LONG = "a code that is much too long"


def nasty_rows(batches: int = 6, batch_records: int = 6) -> Rows:
    """Rows for some batches; the second and the fourth batch are equal, each has a bad row, and values are what CSV is
    feared for."""
    texts = ['she said "no"', "two\nlines", "a, b; c", "", "Привет, 世界 😀", "#1 'quoted'\n\n\"twice\"", " padded "]
    rows: list[Row] = []
    for batch in range(batches):
        named = 1 if batch == 3 else batch
        for place in range(batch_records - (batches - 1 == batch) * 2):
            code = f"row {named}-{place}"
            if place == (named * 2) % batch_records:
                code = "" if named % 2 else TOO_LONG
            text = texts[(named + place) % len(texts)]
            # Rows of nothing but commas are skipped, and are no records.
            rows.append((code, text or ("" if code else "neither")))
    return Rows(("Code__c", "Text__c"), rows)


def read_csv(path: Path) -> list[Row]:
    """Read a CSV file whole; blank lines are no rows."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [tuple(row) for row in csv.reader(file, strict=True) if row]
    finally:
        csv.field_size_limit(limit)


def settle(org: Emulator) -> None:
    """Leave a shared org to whoever comes next as if nothing had been: nothing planned, nothing held back, nothing
    under way."""
    org.faults.clear()
    org.mishaps.clear()
    org.set_pace(Pace.timed())
    org.release()
    assert org.wait_until_idle(600.0)
    # A client that has gone away may have left a request behind; it would be counted as the next test's.
    assert org._log.wait_until_quiet(600.0)


class Books:
    """The org's ledger of the jobs that are made from a moment on."""

    def __init__(self, org: Emulator, sobject: str = "Row__c") -> None:
        self._org = org
        self._sobject = sobject
        self._jobs_before = len(org.state.jobs.all())

    @property
    def entries(self) -> list[LedgerRow]:
        """The rows that those jobs brought in.

        A batch that an earlier test left in a shared org may be worked on still: its rows do not count.
        """
        return self._org.state.ledger.rows({job.id for job in self.jobs})

    @property
    def jobs(self) -> list[Any]:
        """The org's jobs since then."""
        return self._org.state.jobs.all()[self._jobs_before :]

    def accepted(self, names: Sequence[str]) -> Counter[Row]:
        """Count the accepted rows by what their records hold."""
        return Counter(contents(self._org, [entry.record_id for entry in self.entries], names, self._sobject))


def contents(org: Emulator, ids: Iterable[str], names: Sequence[str], sobject: str = "Row__c") -> list[Row]:
    """Read records as text, in the order of the ids; deleted ones, too."""
    wanted = list(ids)
    columns = ", ".join(f'"{name}"' for name in names)
    query = f'SELECT "Id" AS "record id", {columns} FROM "{sobject}" WHERE "Id" IN (SELECT unnest(?))'
    by_id = {
        str(row.pop("record id")): tuple(value or "" for value in row.values())
        for row in org.state.store.query(query, [wanted]).to_pylist()
    }
    return [by_id[record_id] for record_id in wanted]


def assert_exactly_once(org: Emulator, books: Books, source: Rows) -> None:
    """The org holds what the source has, each row once: none lost, none doubled."""
    assert books.accepted(source.header) == Counter(source.good)
    assert max(Counter(entry.record_id for entry in books.entries).values(), default=1) == 1


def assert_outputs_line_up(org: Emulator, folder: Path, source: Rows, *, sobject: str = "Row__c") -> None:
    """The outputs hold the source's rows in its order, each with its own id or its own reason."""
    success, failed = read_csv(folder / "success.csv"), read_csv(folder / "failed.csv")
    assert success[0] == ("sf__Id", "sf__Created", *source.header)
    assert failed[0] == ("sf__Id", "sf__Error", *source.header)
    assert [row[2:] for row in success[1:]] == source.good
    assert [row[2:] for row in failed[1:]] == source.bad
    ids = [row[0] for row in success[1:]]
    assert len(set(ids)) == len(ids)
    assert contents(org, ids, source.header, sobject) == source.good
    for row in failed[1:]:
        expected = "STRING_TOO_LONG" if TOO_LONG in row else "REQUIRED_FIELD_MISSING"
        assert row[1].startswith(expected)
    assert len(read_csv(folder / "unprocessed.csv")) == len(read_csv(folder / "rejected.csv")) == 1


@dataclass
class Load:
    """One source, loaded into one org in this process, however often it takes."""

    org: Emulator
    folder: Path
    source: Rows = field(default_factory=nasty_rows)
    options: dict[str, Any] = field(default_factory=dict)
    auth: Auth | None = None
    url: str | None = None
    patience: Patience = BRISK
    gzip_requests: bool = False
    transport: Transport | None = None
    warnings: list[str] = field(default_factory=list)
    trace: Callable[[str], None] = lambda _effect: None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.path = self.source.write(self.folder / "source.csv")
        self.run_dir = self.folder / "run"
        self.books = Books(self.org)

    @contextmanager
    def _sitting(self) -> Iterator[Sitting]:
        retry = RetryPolicy(first_seconds=0.001, longest_seconds=0.01)
        auth = self.auth or BearerToken(self.org.session_id)
        with Client(
            self.url or self.org.base_url,
            auth=auth,
            retry=retry,
            gzip_requests=self.gzip_requests,
            transport=self.transport,
        ) as client:
            yield replace(
                Sitting.of(client.driver),
                patience=self.patience,
                warn=self.warnings.append,
                trace=self.trace,
                clock=Clock(self.clock),
            )

    def begin(self) -> LoadReport:
        options = {
            "source": self.path,
            "object": "Row__c",
            "operation": "insert",
            "batch_records": 6,
            "run_dir": self.run_dir,
        }
        with self._sitting() as sitting:
            return load.load(sitting, LoadOptions(**{**options, **self.options}))

    def resume(self, accept_as: AcceptAs | None = None, on_progress: OnProgress | None = None) -> LoadReport:
        with self._sitting() as sitting:
            return load.resume(sitting, self.run_dir, accept_as=accept_as, on_progress=on_progress)

    def check(self, report: LoadReport) -> None:
        """Every row is in the org once, or told as failed; the outputs are right."""
        assert (report.read, report.pending, report.unprocessed, report.rejected) == (len(self.source.rows), 0, 0, 0)
        assert (report.succeeded, report.failed) == (len(self.source.good), len(self.source.bad))
        assert_exactly_once(self.org, self.books, self.source)
        assert_outputs_line_up(self.org, self.run_dir, self.source)


CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def changes(org: Emulator, since: int = 0) -> list[str]:
    """List the requests that change anything in the org; logging in does not."""
    return [
        f"{one.method} {one.path}"
        for one in org.requests[since:]
        if one.method in CHANGES and "/oauth2/" not in one.path
    ]
