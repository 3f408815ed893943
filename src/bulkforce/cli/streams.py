r"""The three standard streams, which may be closed, full, or have nobody at their other end: all that is printed goes
    through here.

What is printed is plain text: characters that would steer a terminal (a file's name may hold them) are shown, as in
``\u001b``. Talk on stderr that cannot be written is lost, and no work stops for it. That stdout cannot be written is
told, by `OutputLost`, and once.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, TextIO, cast

from bulkforce.errors import Error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

_STEERING: Final = (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Written as JSON writes them, so that what is printed as JSON stays so.
_SHOWN: Final = {code: f"\\u{code:04x}" for code in _STEERING}
_SHOWN_IN_LINES: Final = {code: shown for code, shown in _SHOWN.items() if chr(code) not in "\n\t"}


class OutputLost(Error):
    """What was to be printed on stdout is lost.

    Attributes:
        reason: Why.
        reader_left: Whether that is only because whoever read it wants no more, as ``head`` does.
    """

    def __init__(self, reason: str, *, reader_left: bool, before: str = "Standard output cannot be written") -> None:
        super().__init__(f"{before}: {reason}")
        self.reason = reason
        self.reader_left = reader_left


class _Output(io.FileIO):
    """Standard output."""

    _lost = False

    def write(self, content: ReadableBuffer, /) -> int:
        # Once it is told, the interpreter may well try to write the rest when it ends.
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
    """Shows what would steer a terminal."""

    def write(self, text: str, /) -> int:
        super().write(text.translate(_SHOWN_IN_LINES))
        return len(text)


class _PlainTalk(_Plain):
    """Cuts what is longer than any path: the error that typer makes of an argument quotes it whole."""

    def write(self, text: str, /) -> int:
        super().write(re.sub(r"(\S{100})\S{4000,}", r"\1...", text))
        return len(text)


class _Painted:
    """The same stream, for colours and bars."""

    def __init__(self, stream: _Plain) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def take_up() -> None:
    """Take the streams up as the process was given them.

    In the place of a closed one goes the null device, lest a file that is opened later gets its number. Python's own
    mark of a closed stream, ``None``, stays on stdin and stdout, so that who needs them can refuse; on stderr it would
    not do: what is printed to ``None`` goes to stdout.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _fill(number)
        else:
            # Readers and writers of ours know no other way.
            with suppress(OSError):
                os.set_blocking(number, True)
    if sys.stdout is not None:
        sys.stdout = _over(sys.stdout, _Output, 1)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    sys.stderr = _over(sys.stderr, _Talk, 2)


def _fill(number: int) -> None:
    handle = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if handle != number:
        os.dup2(handle, number)
        os.close(handle)


def _over(stream: TextIO, kind: type[io.FileIO], number: int) -> TextIO:
    """Put a stream of a kind of ours in the place of one; what is not on a descriptor (in a test, on a Windows console)
    stays as it is.
    """
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
    """Say something to the user, in one line on stderr."""
    print(text.translate(_SHOWN), file=sys.stderr)


def shown(text: str) -> str:
    """Show, in text that is painted, what would steer a terminal."""
    return text.translate(_SHOWN)


def console(*, stderr: bool = False) -> Console:
    """Make a console for what is painted; what others say is to be `shown` there."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=cast(IO[str], _Painted(stream)) if isinstance(stream, _Plain) else None, stderr=stderr, highlight=False
    )


def flush() -> None:
    """See that what was printed is out.

    Raises:
        OutputLost: It is not.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


@contextmanager
def printing(done: str) -> Iterator[None]:
    """Print what something came to.

    Args:
        done: What is so, whether it can be printed or not.

    Raises:
        OutputLost: It cannot; says so, too.
    """
    try:
        yield
        flush()
    except OutputLost as lost:
        raise OutputLost(
            lost.reason, reader_left=lost.reader_left, before=f"{done}, but this cannot be printed"
        ) from None
