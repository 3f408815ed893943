"""What goes wrong inside the org: batches that fail, as a whole or half way, and rows whose record is locked."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.settings_files import check_types, fitted
from bulkforce_emulator.uploads import RowError

if TYPE_CHECKING:
    from bulkforce_emulator.texts import RowTexts
    from bulkforce_emulator.uploads import Upload


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one batch."""

    #: The batch fails with this `stateMessage` ...
    message: str | None = None
    #: ... but only after this many rows, which have results; the others have none.
    after_rows: int | None = None
    #: Rows that fail, by their place in the batch, from 0.
    rows: Sequence[int] = ()
    #: Every nth row fails.
    every: int | None = None
    #: Rows fail that have one of `values` in this column: for locks on a parent.
    column: str | None = None
    values: Sequence[str] = ()
    #: Why these rows fail; by default, because their record is locked.
    error: RowError | None = None
    #: How often the batch goes back from InProgress to Queued before it gets through; with more than
    #: `Limits.batch_retries` (or `Limits.query_retries`), it fails. A query keeps a result file of each try; the rows
    #: of a data batch are written in the last one.
    put_back: int = 0
    #: About how large a query's result files may get, in bytes; by default, the org's limit.
    result_bytes: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        if (
            (self.every or 1) < 1
            or (self.after_rows or 0) < 0
            or min(self.rows, default=0) < 0
            or self.put_back < 0
            or (self.result_bytes or 1) < 1
        ):
            raise ValueError("a mishap counts rows from 0, and has no negative numbers")

    def strike(self, upload: Upload, texts: RowTexts) -> Upload:
        """The upload as it is after the mishap: cut short, or with errors on the rows that are hit."""
        if self.after_rows is not None:
            upload = upload.part(0, self.after_rows)
        hit = self._hit(upload)
        if not hit.any():
            return upload
        mine = pc.if_else(
            pa.array(hit), pa.scalar(str(self.error or RowError.of(texts.locked))), pa.scalar(None, pa.string())
        )
        faults = mine if upload.faults is None else pc.coalesce(upload.faults, mine)
        return replace(upload, faults=faults)

    def _hit(self, upload: Upload) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        hit = np.zeros(upload.count, dtype=np.bool_)
        hit[[row for row in self.rows if row < upload.count]] = True
        if self.every:
            hit[self.every - 1 :: self.every] = True
        column = None if self.column is None else upload.columns.get(self.column)
        if column is not None:
            among = pc.is_in(column, value_set=pa.array(list(self.values), pa.string()))
            hit |= among.to_numpy(zero_copy_only=False)
        return hit


class Mishaps:
    """The mishaps planned for future batches."""

    def __init__(self) -> None:
        self._planned: list[tuple[int, int, str | None, Mishap]] = []
        self._lock = threading.Lock()

    def plan(self, mishap: Mishap, *, nth: int = 1, times: int = 1, object: str | None = None) -> None:  # noqa: A002
        """Plan a mishap for the nth batch that starts from now on and for those after it, `times` in all.

        Args:
            mishap: What goes wrong.
            nth: Which batch is the first to be hit; 1 is the next.
            times: How many batches are hit.
            object: Count only batches of this object.

        Raises:
            SettingsError: An argument has the wrong type.
        """
        for name, kind, value in (("nth", int, nth), ("times", int, times), ("object", str | None, object)):
            fitted(kind, value, name)
        with self._lock:
            self._planned.append((nth, times, object, mishap))

    def clear(self) -> None:
        """Drop all planned mishaps; batches that have already met one keep it."""
        with self._lock:
            self._planned.clear()

    def of_next_batch(self, object_name: str) -> Mishap | None:
        """Take the mishap of the next batch, which is for this object; None if there is none."""
        struck = None
        with self._lock:
            planned: list[tuple[int, int, str | None, Mishap]] = []
            for nth, times, sobject, mishap in self._planned:
                if sobject is not None and sobject != object_name:
                    planned.append((nth, times, sobject, mishap))
                elif nth > 1:
                    planned.append((nth - 1, times, sobject, mishap))
                else:
                    struck = struck or mishap
                    if times > 1:
                        planned.append((1, times - 1, sobject, mishap))
            self._planned = planned
        return struck
