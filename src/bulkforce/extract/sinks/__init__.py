"""Where extracted records go: a sink gets the parts, CSV files as the org wrote them, one at a time and in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.extract.columns import Column
from bulkforce.extract.numbers import Numbers
from bulkforce.extract.sinks.csv import CsvSink
from bulkforce.extract.sinks.target import STANDARD_OUTPUT, Target
from bulkforce.later import later

if TYPE_CHECKING:
    from bulkforce.extract.sinks import appending, arrow, jsonl
else:  # a new CSV file needs none of them
    appending = later("bulkforce.extract.sinks.appending")
    arrow = later("bulkforce.extract.sinks.arrow")
    jsonl = later("bulkforce.extract.sinks.jsonl")


class Sink(Protocol):
    """Receives the parts of an extract.

    Call `begin` once, `add` for each part that has records, then `finish`; or `discard` if that is not reached
    (harmless after `finish`). Another sink of the same kind can redo unfinished output from the first part.
    """

    def begin(self, columns: Sequence[Column]) -> None:
        """Set the columns, before any part."""

    def add(self, part: Path) -> int | None:
        """Add the next part: CSV with a header. The file must stay in place until the end.

        Returns:
            How many records it has, if the sink reads records.
        """

    def finish(self) -> None:
        """Put everything in place: there are no more parts."""

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
"""The formats that can be written, as the ``format`` argument names them."""
_GZIP: Final = ".gz"


def sink_for(
    to: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002  (the user's own word)
    warn: Callable[[str], None] = lambda _text: None,
    token: str = "",
    numbers: Numbers = "plain",
    keep: int | None = None,
) -> Sink:
    """Choose the sink by the format, or else by the file's suffix; standard output is CSV by default.

    Args:
        to: Path of the file, or ``"-"`` for standard output.
        format: One of `FORMATS`.
        warn: Called with warnings.
        token: Part of the file's temporary name; see `Target`.
        numbers: How to write numbers in CSV and JSON lines.
        keep: See `Target`.

    Raises:
        UsageError: The format is unknown, or the file cannot be written; nothing was sent or touched.
        MissingExtra: The format needs a library that is not installed.
    """
    form = form_of(to, format)
    target = Target(to, packed=form.endswith(_GZIP), token=token, keep=keep)
    match form.removesuffix(_GZIP):
        case "csv":
            return CsvSink(target, plain=numbers == "plain")
        case "jsonl":
            return jsonl.JsonLinesSink(target, plain=numbers == "plain")
        case "parquet":
            return arrow.parquet(target, warn)
        case _:
            return arrow.arrow(target, warn)


def place_to_append(to: Path, format: str | None, begun: float) -> tuple[Path, int | None]:  # noqa: A002
    """Return the file to write to append to a file or a folder, and how many bytes of it to keep.

    Args:
        to: A CSV or JSON lines file, or a folder, which gets a file of another format.
        format: The format, if the suffix does not say; in a folder, Parquet unless it says otherwise.
        begun: When the extract began.

    Raises:
        UsageError: Nothing can be appended to it.
    """
    if str(to) == STANDARD_OUTPUT:
        raise UsageError("Standard output has no end to append to; name a file")
    known = any(to.name.lower().endswith(suffix) for suffix in _SUFFIXES)
    form = "parquet" if format is None and (to.is_dir() or not known) else form_of(to, format)
    if form in {"parquet", "arrow"}:
        if known and not to.exists():
            raise UsageError(
                f"{to} is the name of a file, but only a folder can be appended to in {form}: it gets a file a run. "
                f"Name a folder, such as {to.with_suffix('')}, or make the folder {to} first"
            )
        return appending.file_in(to, f".{form}", begun), None
    return to, to.stat().st_size if to.is_file() else 0


def form_of(to: str | os.PathLike[str], format: str | None) -> str:  # noqa: A002
    """Return the format, one of `FORMATS`.

    Raises:
        UsageError: It is unknown.
    """
    if format is not None:
        form = arguments.text(format, "A format").lower().removeprefix(".")
        if form not in FORMATS:
            raise UsageError(f"There is no format {arguments.shown(format)}; choose from: {', '.join(FORMATS)}")
        return form
    if to == STANDARD_OUTPUT:
        return "csv"
    name = Path(to).name
    suffixes = Path(name.lower()).suffixes
    for suffix in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if suffix in _SUFFIXES:
            return _SUFFIXES[suffix]
    raise UsageError(
        f"The name {name} does not show the format; known suffixes are {', '.join(_SUFFIXES)}. Or pass the format: "
        f"{', '.join(FORMATS)}"
    )
