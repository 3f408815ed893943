"""Records that are lists, tuples or rows of a database, as mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeGuard, cast

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.values import Value


class _Keyed(Protocol):
    """A row that knows its columns, such as `sqlite3.Row`."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, name: str, /) -> Value: ...


def is_row(item: object) -> bool:
    """Whether an item is a row and no mapping: a sequence of values, or a row of a database."""
    return not isinstance(item, (Mapping, str, bytes, bytearray, memoryview)) and (
        _is_keyed(item) or _names_of(item) is not None or _is_sequence(item)
    )


def mappings(rows: Iterable[object], columns: Sequence[str] | None) -> Iterator[Mapping[str, Value]]:
    """Turn rows into mappings.

    Args:
        rows: Sequences of values, named tuples, or rows that know their columns.
        columns: The names of the columns; needed unless the rows know them.

    Raises:
        UsageError: The columns are not known.
        FormatError: A row has another number of values; the error says which.
    """
    for number, row in enumerate(rows, 1):
        names = columns if columns is not None else _names_of(row)
        if names is None and _is_keyed(row):
            yield {name: row[name] for name in row.keys()}  # noqa: SIM118  (it may not be iterable by name)
            continue
        if not _is_sequence(row):
            raise FormatError(
                f"A record must be a sequence of values like the first, not a {type(row).__name__}", row=number
            )
        if names is None:
            raise UsageError(
                "The records are sequences of values without names; "
                'name their columns (columns=["LastName", "Email"]), or pass mappings'
            )
        values = list(cast(Iterable[Value], row))
        if len(values) != len(names):
            raise FormatError(f"{len(values):,} values for {len(names):,} columns", row=number)
        yield dict(zip(names, values, strict=True))


def _is_sequence(item: object) -> bool:
    return hasattr(item, "__len__") and hasattr(item, "__iter__") and not isinstance(item, (Mapping, str, bytes, set))


def _names_of(item: object) -> Sequence[str] | None:
    """Return the names of a named tuple's fields."""
    names = getattr(item, "_fields", None)
    return names if isinstance(item, tuple) and isinstance(names, (tuple, list)) else None


def _is_keyed(item: object) -> TypeGuard[_Keyed]:
    return callable(getattr(item, "keys", None)) and hasattr(item, "__getitem__")
