"""From the wire's fields to ours: one table for both representations of the control documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final, TypeVar

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.vocabulary import BatchState, ConcurrencyMode, ContentType, JobState, Operation

I = TypeVar("I", JobInfo, BatchInfo)  # noqa: E741  (an info)


def camel(name: str) -> str:
    """Spell one of our field names as the wire does.

    >>> camel("number_batches_in_progress")
    'numberBatchesInProgress'
    """
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _time(value: object) -> datetime:
    # XML has 2026-02-12T15:43:48.000Z, JSON 2016-03-15T06:25:24.000+0000.
    time = datetime.fromisoformat(str(value))
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _flag(value: object) -> bool:
    return value if isinstance(value, bool) else {"true": True, "false": False}[str(value)]


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "datetime | None": _time,
    "int | None": lambda value: int(str(value)),
    "float | None": lambda value: float(str(value)),
    "bool | None": _flag,
    "Operation": lambda value: Operation(str(value)),
    "ContentType": lambda value: ContentType(str(value)),
    "ConcurrencyMode | None": lambda value: ConcurrencyMode(str(value)),
    "JobState": lambda value: JobState(str(value)),
    "BatchState": lambda value: BatchState(str(value)),
}


@cache
def _plan(kind: type[JobInfo | BatchInfo]) -> dict[str, tuple[str, Callable[[object], object]]]:
    """Wire name -> (our name, how to read the value), from the annotations of the dataclass."""
    return {
        camel(field.name): (field.name, _READERS.get(str(field.type), str)) for field in dataclasses.fields(kind) if field.name != "extra"
    }


def info(kind: type[I], wire: Mapping[str, object], answer: Answer) -> I:
    """Build a `JobInfo` or `BatchInfo` from the members of a document; absent and null mean the same."""
    plan = _plan(kind)  # type: ignore[arg-type]  # classes are hashable; mypy looks at their instances
    known: dict[str, object] = {}
    extra: dict[str, object] = {}
    for name, value in wire.items():
        if name not in plan:
            extra[name] = value
        elif value is not None:
            ours, read = plan[name]
            try:
                known[ours] = read(value)
            except (ValueError, KeyError, OverflowError) as error:
                raise ProtocolError(
                    f"The org's {kind.__name__} has a {name} that the protocol does not know: {str(value)[:80]!r}",
                    answer.facts(),
                ) from error
    try:
        return kind(**known, extra=extra)  # type: ignore[arg-type]
    except TypeError as error:
        missing = [field.name for field in dataclasses.fields(kind) if _required(field) and field.name not in known]
        raise ProtocolError(f"The org's {kind.__name__} lacks {', '.join(map(camel, missing))}", answer.facts()) from error


def _required(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
