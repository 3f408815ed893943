"""Progress bars: in a notebook, at Python's prompt, or as lines now and then.

In a notebook, a bar is one output that is shown again and again under one id, as IPython offers it to every front end,
and at the end it is the summary. The bars of rich and tqdm need ipywidgets there, and leave a new output at each step
without it. See ``docs/adr/0016-bars-in-notebooks.md``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import escape
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from bulkforce import events
from bulkforce.standing import Standing

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod, RenderableType
    from rich.progress import Progress

_LINES_EVERY_SECONDS: Final = 5.0
_NOTEBOOK_EVERY_SECONDS: Final = 0.25
_ROOM_FOR_BAR: Final = 110
_DUMB: Final = {"dumb", "unknown"}
"""Terminals that cannot go back over a line, as rich knows them."""


class Bar:
    """Shows how far one call is, from the first time that it is told; at the end, what it came to."""

    def __init__(self) -> None:
        self._shown, self._summary = False, ""

    def hear(self, event: events.Event) -> None:
        """Take up what happens."""
        if isinstance(event, events.RunEnded):
            self._summary = str(event)

    def tell(self, standing: Standing) -> None:
        """Show how far the call is."""
        self._show(standing)
        self._shown = True

    def conclude(self, summary: str) -> None:
        """Say what the call came to, if it is no run."""
        self._summary = summary

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._end(self._summary)

    def _show(self, standing: Standing) -> None:
        raise NotImplementedError

    def _end(self, summary: str) -> None:
        raise NotImplementedError


def chosen(wanted: bool | None) -> Bar | None:  # noqa: FBT001  (as the caller said it)
    """Choose how to show progress.

    Args:
        wanted: ``True`` for anywhere, ``None`` for where somebody is watching: in a notebook, or at Python's prompt.
    """
    if wanted is False:
        return None
    notebook = _notebook()
    if notebook is not None:
        return InNotebook(notebook)
    watched = sys.stderr is not None and sys.stderr.isatty()
    if watched and (wanted or hasattr(sys, "ps1")):
        return InLines() if os.environ.get("TERM") in _DUMB else AtPrompt()
    return InLines() if wanted else None


class InNotebook(Bar):
    """A bar in a notebook.

    Args:
        draw: Shows this HTML, or else this text, in place of what it showed before.
    """

    def __init__(self, draw: Callable[[str, str], None]) -> None:
        super().__init__()
        self._draw, self._last = draw, -_NOTEBOOK_EVERY_SECONDS

    def _show(self, standing: Standing) -> None:
        now = time.monotonic()
        if now - self._last >= _NOTEBOOK_EVERY_SECONDS:
            self._last = now
            self._draw(_html(standing), str(standing))

    def _end(self, summary: str) -> None:
        self._draw(f"<div>{escape(summary)}</div>" if summary else "", summary)


def _html(standing: Standing) -> str:
    share = f' value="{standing.done}" max="{standing.total}"' if standing.total else ""
    words = " · ".join([standing.rows, *standing.more])
    return f"<div>{escape(standing.doing)} <progress{share}></progress> {escape(words)}</div>"


def _notebook() -> Callable[[str, str], None] | None:
    """Return what shows something in the notebook that this code runs in; ``None`` if it runs in none."""
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return lambda html, _text: marimo.output.replace(marimo.Html(html))
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    # IPython in a terminal has no kernel: no front end that could show one output again.
    return None if getattr(shell, "kernel", None) is None else _Output().draw


class _Output:
    """One output of a Jupyter notebook, JupyterLab, VS Code or Colab."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, html: str, text: str) -> None:
        # IPython is not needed, and its functions have no types.
        display: Any = import_module("IPython.display").display
        shown = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class AtPrompt(Bar):
    """A bar on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None

    def _show(self, standing: Standing) -> None:
        if self._bar is None:
            from rich.console import Console

            self._bar = live_bar(Console(stderr=True, highlight=False))
            self._bar.start()
            self._tell = on_bar(self._bar)
        self._tell(standing)

    def _end(self, summary: str) -> None:
        if self._bar is not None:
            self._bar.stop()
        _print(summary)


class InLines(Bar):
    """A line on stderr now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.monotonic()

    def _show(self, standing: Standing) -> None:
        now = time.monotonic()
        if now - self._last >= _LINES_EVERY_SECONDS:
            self._last = now
            _print(str(standing))

    def _end(self, summary: str) -> None:
        _print(summary)


def _print(line: str) -> None:
    if line and sys.stderr is not None:
        # What cannot be said stops no work.
        with suppress(OSError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def live_bar(console: Console) -> Progress:
    """Make the bar; it shows nothing until its context is entered, and nothing stays when it is left.

    What is done is on its first line, what is under way, waited for and left on its second.
    """
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    spinner = "dots" if _is_unicode(console) else "line"
    overflow: OverflowMethod = "ellipsis" if _is_unicode(console) else "crop"

    class TwoLines(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            for task in self.tasks:
                more = Text(f"  {task.fields['more']}", style="dim", no_wrap=True, overflow=overflow)
                yield from [more] if task.fields["more"] else []

    whole = Column(no_wrap=True, overflow=overflow)
    columns: list[ProgressColumn] = [SpinnerColumn(spinner), TextColumn("{task.description}", table_column=whole)]
    columns += [BarColumn(bar_width=24)] if console.width >= _ROOM_FOR_BAR else []
    columns += [TextColumn("{task.fields[rows]}", table_column=Column(no_wrap=True, overflow=overflow))]
    columns += [TimeElapsedColumn()] if console.width >= _ROOM_FOR_BAR else []
    return TwoLines(*columns, console=console, refresh_per_second=8, redirect_stdout=False, transient=True)


def on_bar(bar: Progress) -> Callable[[Standing], None]:
    """Return a function that shows on a bar how far a run is."""
    task = bar.add_task("asking", total=None, rows="", more="")
    between = " · " if _is_unicode(bar.console) else ", "

    def tell(now: Standing) -> None:
        bar.update(
            task, description=now.doing, total=now.total, completed=now.done, rows=now.rows, more=between.join(now.more)
        )

    return tell


def _is_unicode(console: Console) -> bool:
    return console.encoding.startswith("utf")
