"""Cursors of databases: a result is read in blocks, as Arrow if the database offers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard, TypeVar

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.values import Value

if TYPE_CHECKING:
    from bulkforce.load.sources.arrow import ArrowStream

T = TypeVar("T")

_ROWS: Final = 1_000


class Cursor(Protocol):
    """A cursor of any database, as PEP 249 defines it, or a result of SQLAlchemy, after its query was executed."""

    def fetchmany(self, size: int = ..., /) -> Sequence[Any]:
        """Return the next rows; none at the end."""
        ...


def is_cursor(source: object) -> TypeGuard[Cursor]:
    """Whether an object is a cursor."""
    return callable(getattr(source, "fetchmany", None))


def name_of(source: object) -> str:
    """Return the name of a cursor for reports."""
    return f"a query of {type(source).__module__.partition('.')[0]}"


def as_arrow(source: Cursor) -> ArrowStream | None:
    """Return the rest of a result as Arrow data, if the cursor offers that, as those of ADBC do."""
    reader = getattr(source, "fetch_record_batch", None)
    if not callable(reader) or find_spec("pyarrow") is None:
        return None
    _names(source)
    stream: ArrowStream = ours(reader, "The result")
    return stream


def records(source: Cursor) -> Iterator[Mapping[str, Value]]:
    """Read the rest of a result, a block of rows at a time.

    Raises:
        UsageError: No query was executed, or it returns no rows.
        FormatError: The result cannot be read.
    """
    names = _names(source)
    read = 0
    while rows := ours(lambda: source.fetchmany(_ROWS), f"After {read:,} rows, the result"):
        for row in rows:
            yield dict(zip(names, row, strict=True))
        read += len(rows)


def _names(source: object) -> list[str]:
    """Return the names of a result's columns."""
    described: Iterable[Sequence[Any]] | None = getattr(source, "description", None)
    keys = getattr(source, "keys", None)
    if described is not None:
        names = [str(column[0]) for column in described]
    elif callable(keys):
        names = [str(name) for name in ours(keys, "The result")]
    else:
        names = []
    if not names:
        raise UsageError("The cursor has no result; execute a query that returns rows before you pass it")
    lowered = [name.lower() for name in names]
    if twice := next((name for name in names if lowered.count(name.lower()) > 1), None):
        raise FormatError(
            f"The query returns two columns named {arguments.shown(twice)}; give one another name with AS", column=twice
        )
    return names


def ours(work: Callable[[], T], what: str) -> T:
    """Call a database's library; any exception from it becomes an error of ours, without the values it may show."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (libraries raise anything)
        kind = type(error)
    # Raised outside the handler: Python would chain the library's error, which may show values.
    raise FormatError(
        f"{what} cannot be read ({kind.__module__.partition('.')[0]}.{kind.__name__}); "
        "run the query in the database's own client to see why"
    )
