"""The rows of a batch and their outcomes, in columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bulkforce_emulator.words import Text

#: Separates the code, message and fields of an error that is kept as one string.
SEPARATOR = "\x1f"
#: "Set this field to null", in formats with a null of their own. No document can hold it: it is not a character.
EXPLICIT_NULL = "\ufdd0"


class Format(StrEnum):
    """What a batch and its results are written in."""

    CSV = "csv"
    XML = "xml"
    JSON = "json"


class BatchError(Exception):
    """Why a batch fails as a whole; becomes its `stateMessage`."""

    def __init__(self, message: str, code: str = "InvalidBatch") -> None:
        super().__init__(f"{code} : {message}")
        self.code = code
        self.message = message

    @classmethod
    def of(cls, text: Text, **facts: object) -> BatchError:
        """The failure with this text."""
        return cls(text.said(**facts), text.code)

    @classmethod
    def quoted(cls, state_message: str) -> BatchError:
        """The error whose `stateMessage` is exactly this."""
        code, _, message = state_message.partition(" : ")
        return cls(message, code)


@dataclass(frozen=True, slots=True)
class Upload:
    """The rows of one batch as strings, whatever format they came in."""

    #: By header, as sent (`LastName`, `Account.Ext__c`, `Lead:Who.Email`). Null means that no value was given.
    columns: Mapping[str, pa.StringArray]
    count: int
    #: The value that sets null: `#N/A` in CSV.
    null_mark: str = EXPLICIT_NULL
    #: Errors found while reading, by row; null where there is none.
    faults: pa.StringArray | None = None
    #: Whether a value that does not fit its field fails the whole batch (JSON).
    strict_types: bool = False

    def parts(self, size: int) -> Iterator[Upload]:
        """The rows in order, `size` of them at a time."""
        if self.count <= size:
            yield self
            return
        for first in range(0, self.count, size):
            yield self.part(first, size)

    def part(self, first: int, size: int) -> Upload:
        """At most `size` rows, beginning with row `first`."""
        columns = {header: column.slice(first, size) for header, column in self.columns.items()}
        faults = None if self.faults is None else self.faults.slice(first, size)
        return replace(self, columns=columns, count=max(0, min(size, self.count - first)), faults=faults)


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was refused."""

    status_code: str
    message: str
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: Text, *fields: str, **facts: object) -> RowError:
        """The refusal with this text."""
        return cls(text.code, text.said(**facts), fields)

    @classmethod
    def read(cls, joined: str) -> RowError:
        """Read an error that `str` wrote as one string."""
        code, message, *fields = joined.split(SEPARATOR)
        return cls(code, message, tuple(field for field in fields if field))

    def __str__(self) -> str:
        return SEPARATOR.join((self.status_code, self.message, *self.fields))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One outcome per row, in upload order."""

    #: The records' ids; a failed row has one if it was known.
    ids: pa.StringArray
    created: pa.BooleanArray
    #: Joined errors, null where the row succeeded.
    errors: pa.StringArray
    #: The duplicate rules that refused rows, and the ids of the records they found, by row.
    duplicates: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.ids)

    @property
    def failed(self) -> int:
        """How many rows failed."""
        return int(self.count - self.errors.null_count)

    def error(self, row: int) -> RowError | None:
        """Why a row failed; None if it did not."""
        joined = self.errors[row].as_py()
        return None if joined is None else RowError.read(joined)

    @classmethod
    def joined(cls, parts: list[Outcomes]) -> Outcomes:
        """The outcomes of several parts of a batch, one after another."""
        duplicates: dict[int, Sequence[str]] = {}
        first = 0
        for part in parts:
            duplicates |= {first + row: found for row, found in part.duplicates.items()}
            first += part.count
        return cls(
            pa.concat_arrays([part.ids for part in parts]),
            pa.concat_arrays([part.created for part in parts]),
            pa.concat_arrays([part.errors for part in parts]),
            duplicates,
        )
