"""What a load came to: counts that add up, and errors grouped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from bulkforce.errors import FormatError, RecordsFailed


class RunState(StrEnum):
    """Where a run stands."""

    PLANNED = "planned"
    INTERRUPTED = "interrupted"
    UNSETTLED = "unsettled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Records that failed for the same reason.

    Attributes:
        status_code: The org's status code, or ``BATCH`` when the org gave up a whole batch.
        message: The org's message.
        count: How many records.
        row: Number of the first of them in the source, from 1.
        sample: The beginning of that record, as it stands in the source.
    """

    status_code: str
    message: str
    count: int
    row: int
    sample: str


T = TypeVar("T")

_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "Path": Path,
    "RunState": RunState,
    "tuple[str, ...]": lambda value: tuple(_all_of(str, value)),
    "tuple[ErrorGroup, ...]": lambda value: tuple(read_members(one, ErrorGroup) for one in _all_of(dict, value)),
    "int": lambda value: _one_of(int, value),
    "float": lambda value: float(_one_of((int, float), value)),
    "str": lambda value: _one_of(str, value),
}


def _one_of(kind: type | tuple[type, ...], value: Any) -> Any:  # noqa: ANN401  (as JSON has it)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value


def _all_of(kind: type, value: object) -> list[Any]:
    return [_one_of(kind, one) for one in _one_of(list, value)]


def read_members(members: Mapping[str, Any], kind: type[T]) -> T:
    """Make a dataclass of the members of a JSON object; raises what it likes if they do not fit."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for name, value in members.items():
        wanted, _, optional = fields[name].partition(" | ")
        values[name] = None if optional and value is None else _READERS[wanted](value)
    return kind(**values)


def read_json(text: str, kind: type[T], left_out: Collection[str] = ()) -> T:
    """Read a report that was written as JSON.

    Raises:
        FormatError: It is none of this kind.
    """
    try:
        return read_members({name: value for name, value in json.loads(text).items() if name not in left_out}, kind)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        pass
    # Behind the handler: Python would chain the error that it handles, and that one holds the whole text.
    raise FormatError(f"This is no {kind.__name__} as bulkforce writes it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a load stands at a moment.

    ``read = succeeded + failed + unprocessed + rejected + in_doubt`` at the end; before it, ``sent`` tells how many records the org has taken.
    ``batches`` counts ours by state: ``pending``, ``sending``, ``accepted``, ``ended``, ``done``. ``seconds_left`` is ``None`` until it can be told.
    """

    phase: str
    read: int
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    rejected: int = 0
    in_doubt: int = 0
    batches: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load came to.

    Attributes:
        run: The run's id.
        run_dir: The run's folder, with ``success.csv``, ``failed.csv``, ``unprocessed.csv``, ``rejected.csv``, ``report.json``.
        state: ``finished``, ``interrupted`` (resume it), ``unsettled`` (it cannot go on without your word, see ``accept_as`` of `Client.resume`), or
            ``planned`` (a dry run).
        operation: As in the job.
        object: As in the job.
        read: Records in the source.
        succeeded: Records that went in.
        failed: Records that the org refused, each with a reason.
        unprocessed: Records without a result, because the org gave up their batch or refused it.
        rejected: Records over a limit of the org, never sent.
        in_doubt: Records in ``in_doubt.csv``: nobody can tell what became of them, or the run stopped for good before they were sent; the file says which.
        batches: Number of batches.
        bytes: Bytes of all batches.
        jobs: Ids of the jobs used.
        jobs_left_open: Jobs that may be in the org, open and empty, because the answer to their creation was lost; each told by when it was asked for.
        api_calls: Calls made in this sitting; for a plan, those to be expected at least.
        remaining_batches: For a plan, how many batches the org still takes today; ``None`` if it did not say.
        errors: The reasons of failed records, the most frequent first.
        seconds: How long this sitting took.
        stopped_by: Why the run was interrupted.
    """

    run: str
    run_dir: Path
    state: RunState
    operation: str
    object: str
    read: int
    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    rejected: int = 0
    in_doubt: int = 0
    batches: int = 0
    bytes: int = 0
    jobs: tuple[str, ...] = ()
    jobs_left_open: tuple[str, ...] = ()
    api_calls: int = 0
    remaining_batches: int | None = None
    errors: tuple[ErrorGroup, ...] = ()
    seconds: float = 0.0
    stopped_by: str | None = None

    @property
    def pending(self) -> int:
        """Records whose outcome is still open; 0 when finished."""
        return self.read - self.succeeded - self.failed - self.unprocessed - self.rejected - self.in_doubt

    def raise_for_failures(self) -> LoadReport:
        """Return this report if every record went in.

        Raises:
            RecordsFailed: Some did not.
        """
        if self.succeeded != self.read:
            counts = f"{self.failed:,} failed, {self.unprocessed:,} unprocessed, {self.rejected:,} rejected, {self.in_doubt:,} in doubt, {self.pending:,} open"
            raise RecordsFailed(f"{self.read - self.succeeded:,} of {self.read:,} records did not go in: {counts}; see {self.run_dir}")
        return self

    @classmethod
    def from_json(cls, text: str) -> LoadReport:
        """Read a report that `to_json` wrote.

        Raises:
            FormatError: It is none.
        """
        return read_json(text, cls, left_out={"pending"})

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self) | {"run_dir": str(self.run_dir), "pending": self.pending}, indent=2, ensure_ascii=False)
