r"""The three standard streams, which may be closed, full or without a reader; everything that is printed goes through
here.

Output is plain text: characters that would control a terminal (a file name may contain some) are printed as escapes
such as ``\u001b``. Messages that cannot be written to stderr are lost, and no work stops because of them. If stdout
cannot be written, `OutputLost` is raised, once.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, TextIO, cast

from bulkforce.errors import Error, UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

_STEERING: Final = (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Escaped as in JSON, so that printed JSON stays valid.
_SHOWN: Final = {code: f"\\u{code:04x}" for code in _STEERING}
_SHOWN_IN_LINES: Final = {code: shown for code, shown in _SHOWN.items() if chr(code) not in "\n\t"}


class OutputLost(Error):
    """Output for stdout is lost.

    Attributes:
        reason: Why.
        reader_left: Whether the only reason is that its reader has gone, as ``head`` does.
    """

    def __init__(self, reason: str, *, reader_left: bool, before: str = "Standard output cannot be written") -> None:
        super().__init__(f"{before}: {reason}")
        self.reason = reason
        self.reader_left = reader_left


class _Output(io.FileIO):
    """Standard output."""

    _lost = False

    def write(self, content: ReadableBuffer, /) -> int:
        # After the first error, the interpreter may still try to write the rest when it exits.
        if self._lost:
            return memoryview(content).nbytes
        try:
            return super().write(content)
        except OSError as error:
            self._lost = True
            raise OutputLost(error.strerror or str(error), reader_left=isinstance(error, BrokenPipeError)) from error


class _Talk(io.FileIO):
    """Standard error."""

    def write(self, content: ReadableBuffer, /) -> int:
        with suppress(OSError):
            return super().write(content)
        return memoryview(content).nbytes


class _Plain(io.TextIOWrapper):
    """Escapes characters that would control a terminal."""

    def write(self, text: str, /) -> int:
        super().write(text.translate(_SHOWN_IN_LINES))
        return len(text)


class _PlainTalk(_Plain):
    """Shortens words longer than any path: typer's errors quote the whole of an argument."""

    def write(self, text: str, /) -> int:
        super().write(without_prefix(re.sub(r"(\S{100})\S{4000,}", r"\1...", text)))
        return len(text)


def without_prefix(text: str) -> str:
    """Take out what pydantic, with which newer releases of typer read arguments, puts before each reason."""
    return text.replace(": Value error, ", ": ")


class _Painted:
    """The same stream, without escaping, for colours and bars."""

    def __init__(self, stream: _Plain) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def take_up() -> None:
    """Set up the standard streams that the process was started with.

    Replace a closed one with the null device, or a file opened later would get its number. For stdin and stdout, keep
    ``None``, Python's mark of a closed stream, so that whoever needs them can refuse; for stderr that would not work,
    since printing to ``None`` prints to stdout.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _fill(number)
        else:
            # Our readers and writers expect blocking streams.
            with suppress(OSError):
                os.set_blocking(number, True)
    if sys.stdout is not None:
        sys.stdout = _over(sys.stdout, _Output, 1)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open until the process exits
    sys.stderr = _over(sys.stderr, _Talk, 2)


def _fill(number: int) -> None:
    handle = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)


def _over(stream: TextIO, kind: type[io.FileIO], number: int) -> TextIO:
    """Rebuild a stream on a raw file of our own, unless it has no descriptor (in a test, on a Windows console)."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO or raw.fileno() != number:
        return stream
    stream.flush()
    at_once = stream.line_buffering or stream.write_through or number == 2
    plain = _PlainTalk if number == 2 else _Plain
    return plain(
        io.BufferedWriter(kind(number, "wb", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=at_once,
    )


def tell(text: str) -> None:
    """Print one line for the user on stderr."""
    print(text.translate(_SHOWN), file=sys.stderr)


def shown(text: str) -> str:
    """Escape what would control a terminal, for text that is printed in colour."""
    return text.translate(_SHOWN)


def console(*, stderr: bool = False) -> Console:
    """Make a console for coloured output; pass text from outside through `shown` first."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=cast(IO[str], _Painted(stream)) if isinstance(stream, _Plain) else None, stderr=stderr, highlight=False
    )


def flush() -> None:
    """Flush stdout.

    Raises:
        OutputLost: Some of the output could not be written.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


@contextmanager
def printing(done: str) -> Iterator[None]:
    """Print an outcome, and if that is impossible, raise an error that says what was done nevertheless.

    Args:
        done: What was done, whether or not it can be printed.

    Raises:
        OutputLost: The output could not be written; its message begins with ``done``.
    """
    try:
        yield
        flush()
    except OutputLost as lost:
        raise OutputLost(
            lost.reason, reader_left=lost.reader_left, before=f"{done}, but this cannot be printed"
        ) from None


def print_blocks(blocks: Iterable[bytes]) -> None:
    """Print bytes as they are.

    Raises:
        UsageError: There is no standard output.
    """
    if sys.stdout is None:
        raise UsageError("Standard output is closed, so nothing can be printed")
    sys.stdout.flush()
    for block in blocks:
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
