"""The ledger: every row that the org accepted, with its batch and its place in it, for tests that count."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Collection

    from bulkforce_emulator.state.job import Operation
    from bulkforce_emulator.uploads import Outcomes


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One accepted row."""

    job_id: str
    batch_id: str
    operation: str
    object: str
    #: Its place in the batch, from 0.
    row: int
    record_id: str


@dataclass(frozen=True, slots=True)
class _Entry:
    job_id: str
    batch_id: str
    operation: str
    object: str
    rows: pa.Int32Array
    ids: pa.StringArray


class Ledger:
    """Kept by batch in Arrow columns: a million rows cost some 30 MB."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def add(self, job_id: str, batch_id: str, operation: Operation, sobject: str, outcomes: Outcomes) -> None:
        """Add the accepted rows of a batch."""
        rows = pa.array(np.arange(outcomes.count, dtype=np.int32))
        good = pc.is_null(outcomes.errors)
        entry = _Entry(job_id, batch_id, operation, sobject, rows.filter(good), outcomes.ids.filter(good))
        with self._lock:
            self._entries.append(entry)

    def counts(self) -> dict[str, int]:
        """Accepted rows by batch id."""
        counted: Counter[str] = Counter()
        for entry in self._snapshot():
            counted[entry.batch_id] += len(entry.ids)
        return dict(counted)

    def rows(self, job_ids: Collection[str] | None = None) -> list[LedgerRow]:
        """Every accepted row, in order; only those of `job_ids` if they are given."""
        return [
            LedgerRow(entry.job_id, entry.batch_id, entry.operation, entry.object, row, record_id)
            for entry in self._snapshot()
            if job_ids is None or entry.job_id in job_ids
            for row, record_id in zip(entry.rows.to_pylist(), entry.ids.to_pylist(), strict=True)
        ]

    def table(self) -> pa.Table:
        """The whole ledger as Arrow, columns named as in `LedgerRow`."""
        entries = self._snapshot()
        constant = [
            (name, pa.concat_arrays([_repeated(getattr(entry, name), len(entry.ids)) for entry in entries]))
            if entries
            else (name, pa.array([], pa.string()))
            for name in ("job_id", "batch_id", "operation", "object")
        ]
        rows = pa.concat_arrays([entry.rows for entry in entries]) if entries else pa.array([], pa.int32())
        ids = pa.concat_arrays([entry.ids for entry in entries]) if entries else pa.array([], pa.string())
        return pa.table({**dict(constant), "row": rows, "record_id": ids})

    def _snapshot(self) -> list[_Entry]:
        with self._lock:
            return list(self._entries)


def _repeated(value: str, count: int) -> pa.Array:
    return pa.repeat(value, count)
