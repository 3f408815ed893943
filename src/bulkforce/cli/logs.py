"""`-v`, `-vv` and `--log-file`: what the loggers of both packages are told to say, and where."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import typer.main

from bulkforce.cli.streams import shown, tell
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    import logging

_LOGGERS: Final = ("bulkforce", "bulkforce_emulator")
_DEBUG: Final = 10
_INFO: Final = 20
_WARNING: Final = 30


def add_options(command: Any) -> None:  # noqa: ANN401  (typer does not publish its types of commands)
    """Give a command, and all commands below it, the options that say what is logged."""
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_options)
    _put(command, [one for one in typer.main.get_command(carrier).params if one.name != "help"])


def _put(command: Any, options: list[Any]) -> None:  # noqa: ANN401
    command.params += options
    for one in getattr(command, "commands", {}).values():
        _put(one, options)


def _be_verbose(context: typer.Context, count: int) -> int:
    if count:
        _to_stderr(context, _INFO if count == 1 else _DEBUG)
    return count


def _log_to(context: typer.Context, path: str | None) -> str | None:
    if path is not None:
        import logging

        from bulkforce import arguments

        class ToFile(logging.FileHandler):
            def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
                del record
                for name in _LOGGERS:
                    logging.getLogger(name).removeHandler(self)
                tell(f"bulkforce: {shown(str(path))} cannot be written, so nothing more is logged there")

            def close(self) -> None:
                # What is left in its buffer is as lost as what was told.
                with suppress(OSError):
                    super().close()

        try:
            handler = ToFile(arguments.path(path, "--log-file"), encoding="utf-8")
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UsageError(f"--log-file: {arguments.shown(path)} cannot be written: {why}") from None
        handler.setFormatter(_formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        _attach(context, handler, _DEBUG)
        # Once there is a handler, Python no longer prints warnings by itself.
        _to_stderr(context, _WARNING)
    return path


def _to_stderr(context: typer.Context, level: int) -> None:
    import logging

    class ToStderr(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Looked up each time: a bar that is shown puts itself in its place.
            print(self.format(record), file=sys.stderr)

    handler = context.meta.setdefault(__name__, ToStderr(_WARNING))
    # The options may be given before the command and behind it.
    handler.setLevel(min(level, handler.level))
    handler.setFormatter(_formatter("%(message)s" if handler.level == _WARNING else "%(asctime)s %(message)s"))
    _attach(context, handler, level)


def _attach(context: typer.Context, handler: logging.Handler, level: int) -> None:
    """Let both packages log to a handler until the command has ended."""
    import logging

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(min(level, before or _WARNING))

        def end(logger: logging.Logger = logger, before: int = before) -> None:
            logger.removeHandler(handler)
            logger.setLevel(before)

        context.call_on_close(end)
    context.call_on_close(handler.close)


def _formatter(form: str) -> logging.Formatter:
    import logging

    class OneLine(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
            return shown(super().formatMessage(record))

    return OneLine(form)


def _options(
    *,
    verbosity: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_be_verbose,
            show_default=False,
            help="Log a run's steps to standard error; -vv each request, too.",
        ),
    ] = 0,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            expose_value=False,
            callback=_log_to,
            metavar="FILE",
            help="Append a log of steps and requests to this file.",
        ),
    ] = None,
) -> None:
    """Carry the options."""
