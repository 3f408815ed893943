"""Where extracted records go: the parts, which are CSV files as the org wrote them, come in their order, one after
another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.extract.columns import Column
from bulkforce.extract.sinks import arrow
from bulkforce.extract.sinks.csv import CsvSink
from bulkforce.extract.sinks.jsonl import JsonLinesSink
from bulkforce.extract.sinks.target import STANDARD_OUTPUT, Target


class Sink(Protocol):
    """What takes the parts of an extract.

    `begin` once, `add` for each part that has records, then `finish`; `discard` if it does not come to that (and
    harmless if it did). What is not finished can be begun again by another sink of the same kind, with the first part.
    """

    def begin(self, columns: Sequence[Column]) -> None:
        """Take the columns, before any part."""

    def add(self, part: Path) -> int | None:
        """Take the next part: CSV with a header. It must stay where it is until the end.

        Returns:
            How many records it has, if the sink looks at records.
        """

    def finish(self) -> None:
        """There are no more parts: put everything in its place."""

    def discard(self) -> None:
        """Leave nothing half-written behind."""


_SUFFIXES: Final = {
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
FORMATS: Final = tuple(dict.fromkeys(_SUFFIXES.values()))
"""What can be written, by the name that ``format`` knows it by."""
_GZIP: Final = ".gz"


def sink_for(
    to: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  (the user's own word)
    warn: Callable[[str], None] = lambda _text: None,
    token: str = "",
) -> Sink:
    """Choose the sink by the format, or else by the end of the file's name; standard output is CSV unless told
    otherwise.

    Args:
        to: Path of the file, or ``"-"`` for standard output.
        format: One of `FORMATS`.
        warn: Told of what is worth knowing and no error.
        token: Stands in the file's temporary name; see `Target`.

    Raises:
        UsageError: The format is unknown, or nothing can be written there; nothing was sent, and nothing touched.
        MissingExtra: The format needs a library that is not installed.
    """
    form = _form(to, format)
    target = Target(to, packed=form.endswith(_GZIP), token=token)
    match form.removesuffix(_GZIP):
        case "csv":
            return CsvSink(target)
        case "jsonl":
            return JsonLinesSink(target)
        case "parquet":
            return arrow.parquet(target, warn)
        case _:
            return arrow.arrow(target, warn)


def _form(to: str | os.PathLike[str], format: str | None) -> str:  # noqa: A002
    if format is not None:
        form = arguments.text(format, "A format").lower().removeprefix(".")
        if form not in FORMATS:
            raise UsageError(f"There is no format {arguments.shown(format)}; known are {', '.join(FORMATS)}")
        return form
    if to == STANDARD_OUTPUT:
        return "csv"
    name = Path(to).name
    suffixes = Path(name.lower()).suffixes
    for suffix in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if suffix in _SUFFIXES:
            return _SUFFIXES[suffix]
    raise UsageError(
        f"The name {name} does not tell the format; known are {', '.join(_SUFFIXES)}. Or give the format: "
        f"{', '.join(FORMATS)}"
    )
