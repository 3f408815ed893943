"""Map the wire's fields to ours: one table for both forms of the control documents, XML and JSON."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.vocabulary import (
    BatchState,
    ColumnDelimiter,
    ConcurrencyMode,
    ContentType,
    Job2State,
    JobState,
    LineEnding,
    Operation,
)

if TYPE_CHECKING:
    from bulkforce.protocol.info import BatchInfo, JobInfo
    from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo

    I = TypeVar("I", JobInfo, BatchInfo, IngestJobInfo, QueryJobInfo)  # noqa: E741  (an info)

# A list may have 10,000 batches with a dozen members each, and is read at each look.
_COUNT: Final = re.compile(r"[0-9]{1,18}").fullmatch


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
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _flag(value: object) -> bool:
    return value if isinstance(value, bool) else {"true": True, "false": False}[str(value)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _count(value: object) -> int:
    text = value if type(value) is str else str(value)
    if value is True or value is False or not _COUNT(text):
        raise ValueError("not a count")
    return int(text)


def _open_word(vocabulary: type[StrEnum]) -> Callable[[object], str]:
    """Make a reader of a word that the org may add to: one that is not known yet stays as it is."""

    def read(value: object) -> str:
        text = _text(value)
        return vocabulary(text) if text in set(vocabulary) else text

    return read


def _version(value: object) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", str(value)):
        raise ValueError("not a version")
    return float(str(value))


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "datetime | None": _time,
    "int | None": _count,
    "float | None": _version,
    "bool | None": _flag,
    "Operation": lambda value: Operation(str(value)),
    "ContentType": lambda value: ContentType(str(value)),
    "ConcurrencyMode | None": lambda value: ConcurrencyMode(str(value)),
    "JobState": lambda value: JobState(str(value)),
    "BatchState": lambda value: BatchState(str(value)),
    # Those of 2.0. Its lists show everybody's jobs, and one with a word of a later version must not spoil a list.
    "Operation | str": _open_word(Operation),
    "Job2State | str": _open_word(Job2State),
    "ConcurrencyMode | str | None": _open_word(ConcurrencyMode),
    "ContentType | str | None": _open_word(ContentType),
    "LineEnding | str | None": _open_word(LineEnding),
    "ColumnDelimiter | str | None": _open_word(ColumnDelimiter),
}


@cache
def _plan(
    kind: type[JobInfo | BatchInfo | IngestJobInfo | QueryJobInfo],
) -> dict[str, tuple[str, Callable[[object], object]]]:
    """Map each wire name to our name and a reader for the value, using the annotations of the dataclass."""
    return {
        camel(field.name): (field.name, _READERS.get(str(field.type), _text))
        for field in dataclasses.fields(kind)
        if field.name not in {"chunks", "extra"}
    }


@cache
def _required(kind: type[JobInfo | BatchInfo | IngestJobInfo | QueryJobInfo]) -> frozenset[str]:
    """Return the names of the fields that an info must have."""
    absent = dataclasses.MISSING
    return frozenset(
        field.name for field in dataclasses.fields(kind) if field.default is absent and field.default_factory is absent
    )


def info(kind: type[I], wire: Mapping[str, object], answer: Answer) -> I:
    """Build an info from the members of a document; absent and null mean the same."""
    plan = _plan(kind)  # type: ignore[arg-type]  # classes are hashable; mypy looks at their instances
    known: dict[str, object] = {}
    extra: dict[str, object] = {}
    wrong: dict[str, object] = {}
    for name, value in wire.items():
        if name not in plan:
            extra[name] = value
        elif value is not None:
            ours, read = plan[name]
            try:
                known[ours] = read(value)
            except (ValueError, TypeError, KeyError, OverflowError):
                wrong[name] = value
    # Outside the handler: inside, Python would chain the handled error, which quotes the whole value.
    for name, value in wrong.items():
        raise ProtocolError(
            f"The org's {kind.__name__} has a {name} unknown to the protocol: {shown(value)}", answer.facts()
        )
    if missing := _required(kind) - known.keys():  # type: ignore[arg-type]
        raise ProtocolError(f"The org's {kind.__name__} lacks {', '.join(map(camel, sorted(missing)))}", answer.facts())
    return kind(**known, extra=extra)  # type: ignore[arg-type]


def short(one: str) -> str:
    """Cut an id to the 15 case-sensitive characters that identify it; the org may append three check characters."""
    return one[:15]


def same_id(one: str, other: str) -> bool:
    """Whether two ids identify the same thing."""
    return short(one) == short(other)


def same_name(asked: str, came: str) -> bool:
    """Whether two names may mean the same object or field: ignore case, and a namespace prefix that the org may add."""
    asked, came = asked.lower(), came.lower()
    return asked == came or (asked.count("__") == 1 and bool(re.fullmatch(rf"[a-z0-9_]+__{re.escape(asked)}", came)))


def shown(value: object) -> str:
    """Show a protocol word, name or id for an error; of anything else, which may be a value, show only the length."""
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return (
        repr(str(value))
        if re.fullmatch(r"[\w.:-]{0,80}", value, re.ASCII)
        else f"a string of {len(value):,} characters"
    )
