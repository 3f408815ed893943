"""What the reports of both verbs share: the state of a run, why records failed, and how to read a report back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from bulkforce.display import ShownList, Table, cut
from bulkforce.errors import FormatError


class RunState(StrEnum):
    """The state of a run."""

    PLANNED = "planned"
    INTERRUPTED = "interrupted"
    UNSETTLED = "unsettled"
    FINISHED = "finished"


ENDS: Final[Mapping[RunState, Literal["finished", "interrupted", "unsettled"]]] = {
    RunState.FINISHED: "finished",
    RunState.INTERRUPTED: "interrupted",
    RunState.UNSETTLED: "unsettled",
}
"""What the last event of a run calls its state."""


@dataclass(frozen=True, slots=True)
class ErrorSample:
    """A record that failed.

    Attributes:
        row: Its number in the source, from 1.
        value: The value that the org complains about, if its message repeats it.
        record: The beginning of the record, as it is in the source.
    """

    row: int
    value: str
    record: str


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Records that failed for the same cause: the same status code, fields and message, whatever their values.

    Attributes:
        status_code: The org's status code; ``BATCH`` if the org gave up on a whole batch, ``REJECTED`` if the record
            was never sent, ``IN_DOUBT`` if the outcome is not known.
        message: The org's message, with ``...`` for values, ids, numbers and positions.
        count: Number of records.
        row: Number of the first of them in the source, from 1.
        sample: The beginning of that record, as it is in the source.
        fields: The fields concerned, as far as the org names them.
        remedy: What is likely to help; empty if nothing is known.
        samples: Up to three of the records, with different values if their messages repeat values.
    """

    status_code: str
    message: str
    count: int
    row: int
    sample: str
    fields: tuple[str, ...] = ()
    remedy: str = ""
    samples: tuple[ErrorSample, ...] = ()


T = TypeVar("T")
_JOBS_NAMED: Final = 5


def causes_shown(groups: Sequence[ErrorGroup], title: str) -> list[Table]:
    """Return the table of why records did not succeed, with the first sample of each cause; none if all did."""
    rows = [
        (
            group.count,
            f"{group.status_code}: {' '.join(group.message.split())}" if group.status_code else group.message,
            group.remedy,
            f"row {group.row:,}: {cut(group.sample, 60)}",
        )
        for group in groups
    ]
    return [Table(title, ("records", "cause", "remedy", "for example"), rows)] if rows else []


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "Path": Path,
    "RunState": RunState,
    "tuple[str, ...]": lambda value: tuple(_all_of(str, value)),
    "tuple[ErrorSample, ...]": lambda value: tuple(read_members(one, ErrorSample) for one in _all_of(dict, value)),
    "tuple[ErrorGroup, ...]": lambda value: tuple(read_members(one, ErrorGroup) for one in _all_of(dict, value)),
    "int": lambda value: _one_of(int, value),
    "float": lambda value: float(_one_of((int, float), value)),
    "str": lambda value: _one_of(str, value),
    "bool": _switch,
}


def _one_of(kind: type | tuple[type, ...], value: Any) -> Any:  # noqa: ANN401  (as JSON has it)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value


def _all_of(kind: type, value: object) -> list[Any]:
    return [_one_of(kind, one) for one in _one_of(list, value)]


def read_members(members: Mapping[str, Any], kind: type[T]) -> T:
    """Return a dataclass made from the members of a JSON object; raises various errors if they do not fit."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for name, value in members.items():
        wanted, _, optional = fields[name].partition(" | ")
        values[name] = None if optional and value is None else _READERS[wanted](value)
    return kind(**values)


def read_json(text: str, kind: type[T], left_out: Collection[str] = ()) -> T:
    """Read a report that was written as JSON.

    Raises:
        FormatError: The text is not a report of this kind.
    """
    try:
        return read_members({name: value for name, value in json.loads(text).items() if name not in left_out}, kind)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        pass
    # Raised outside the handler: Python would chain the handled error, which holds the whole text.
    raise FormatError(f"This is not the {kind.__name__} of a run")


def jobs_left(ids: Sequence[str], with_what: str = "") -> str:
    """Say which jobs go on in the org although the run has stopped, and how to abort them; empty if none does."""
    if not ids:
        return ""
    named = ", ".join(ids[:_JOBS_NAMED]) + (f" and {len(ids) - _JOBS_NAMED:,} more" if len(ids) > _JOBS_NAMED else "")
    goes_on = "Job {} goes on" if len(ids) == 1 else "Jobs {} go on"
    abort = ids[0] if len(ids) == 1 else "ID"
    return f" {goes_on.format(named)} in the org{with_what}; to abort: bulkforce job abort {abort}."


def note_jobs(error: BaseException, ids: Sequence[str], run_dir: Path) -> None:
    """Note on the exception that ends a run at once which jobs may go on in the org, and how to go on with the run."""
    if ids:
        error.add_note(f"{jobs_left(ids).lstrip()} Go on with: bulkforce resume {run_dir}")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run in a list: its id, folder, purpose and state.

    The state is a `RunState`, or ``running`` (another process is working on it), ``unread`` (its source was not read to
    the end), ``unasked`` (an extract that had not started) or ``unreadable`` (its journal is damaged, or from a later
    version).

    Raises:
        TypeError: What the journal holds has other types.
    """

    run: str
    folder: Path
    what: str
    state: str
    begun: float | None

    def __post_init__(self) -> None:
        if not isinstance(self.run, str) or not isinstance(self.begun, float | int | None):
            raise TypeError


class RunList(ShownList[RunInfo]):
    """Runs, as a list that shows itself as a table."""

    __slots__ = ()

    def _kind(self) -> str:
        return "run"

    def _header(self) -> Sequence[str]:
        return ("run", "state", "what", "begun")

    def _row(self, one: RunInfo) -> Sequence[object]:
        begun = "" if one.begun is None else f"{datetime.fromtimestamp(one.begun, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return (one.run, one.state, one.what, begun)


def in_seconds(seconds: float, sittings: int) -> str:
    """Say how long a run took: its last sitting, if there were several.

    >>> in_seconds(1.25, 1), in_seconds(3.0, 2)
    ('1.2 s', '3.0 s in the last sitting')
    """
    return f"{seconds:,.1f} s{' in the last sitting' if sittings > 1 else ''}"
