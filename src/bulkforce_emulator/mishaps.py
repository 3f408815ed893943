"""Misfortune inside the org: batches that fail whole or half way, rows that find their record locked."""

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

    #: Its stateMessage: the batch fails.
    message: str | None = None
    #: ... but only after so many rows; they have results, the others have none.
    after_rows: int | None = None
    #: Rows that fail, by their place in the batch.
    rows: Sequence[int] = ()
    #: Or every nth row.
    every: int | None = None
    #: Or rows whose column has one of these values: locks by parent.
    column: str | None = None
    values: Sequence[str] = ()
    #: Why these rows fail; if it is not said, they find their record locked.
    error: RowError | None = None
    #: It goes back from InProgress to Queued so many times before it gets through; more often than
    #: `Limits.batch_retries` (`Limits.query_retries`) allows, it fails. A query keeps one result file of each try.
    #: The rows of a data batch are carried out at the last try.
    put_back: int = 0
    #: Its results come in files of at most about so many bytes, where it is a query; else the limit of the org holds.
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
        mine = pc.if_else(pa.array(hit), pa.scalar(str(self.error or RowError.of(texts.locked))), pa.scalar(None, pa.string()))
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
    """The mishaps planned for batches to come."""

    def __init__(self) -> None:
        self._planned: list[tuple[int, int, str | None, Mishap]] = []
        self._lock = threading.Lock()

    def plan(self, mishap: Mishap, *, nth: int = 1, times: int = 1, object: str | None = None) -> None:  # noqa: A002
        """Plan a mishap for the nth batch that is taken up from now on, and for the batches after it, `times` in all.

        Args:
            mishap: What goes wrong.
            nth: Which batch is the first to be hit; 1 is the next.
            times: How many batches are hit.
            object: Count only batches of this object.

        Raises:
            SettingsError: An argument is of another type.
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
        """Take out the mishap of the next batch, which is one of this object; None if nothing is to happen to it."""
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
