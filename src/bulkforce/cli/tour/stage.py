"""What the audience sees: titles, calls and their results, in colour on a terminal and plain in a pipe."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, ParamSpec, TypeVar

from rich.console import Console
from rich.text import Text

from bulkforce.cli.streams import console as make_console
from bulkforce.conversations import Pace
from bulkforce.protocol.info import BatchInfo, JobInfo

P = ParamSpec("P")
T = TypeVar("T")

WIDEST: Final = 96
_ANSWER_COLUMN: Final = 52
_BATCH_PREFIX: Final = "751"
_XML_BEFORE_RECORDS: Final = re.compile(r"<\?xml.*?<sObjects[^>]*>", re.DOTALL)


@dataclass
class Scene:
    """A scene that is playing.

    Attributes:
        outcome: Its outcome in words; set it before the scene ends.
    """

    outcome: str = ""


@dataclass
class Stage:
    """Prints the tour.

    Attributes:
        console: Where to print.
        known: Names of the calls that the audience has already seen.
        scenes: How many scenes have started.
    """

    console: Console
    known: set[str] = field(default_factory=set)
    scenes: int = 0

    @classmethod
    def on_stdout(cls) -> Stage:
        """Make a stage on stdout, with lines short enough to read comfortably."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Do not fail because of a tick that the terminal cannot show.
            sys.stdout.reconfigure(errors="replace")
        console = make_console()
        console.width = min(console.width, WIDEST)
        return cls(console)

    @contextmanager
    def scene(self, title: str) -> Iterator[Scene]:
        """Show a scene's title, and at its end the outcome and how long it took."""
        self.scenes += 1
        self.line("")
        self.line(Text.assemble((f"{self.scenes:>2}  ", "bold cyan"), (title, "bold")))
        scene, began = Scene(), perf_counter()
        yield scene
        time = f"{perf_counter() - began:.2f} s"
        line = Text.assemble(
            "    ", ("ok" if self.console.options.ascii_only else "✓", "bold green"), f" {scene.outcome}"
        )
        line.pad_right(self.console.width - len(line) - len(time))
        self.line(line.append(time, "dim"))

    def call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call, and show it with its result if it is new to the audience; always show ``create_job``."""
        answer = method(*args, **kwargs)
        name = method.__name__
        arguments = [_shown(value) for value in args] + [
            f"{key}={_shown(value)}" for key, value in kwargs.items() if value is not None
        ]
        line = Text.assemble("    ", (f"client.{name}({', '.join(arguments)})", "green"))
        if name not in self.known:
            line.pad_right(_ANSWER_COLUMN - len(line))
            self.line(line.append(_gist(answer), "dim"))
        elif name == "create_job":
            self.line(line)
        self.known.add(name)
        return answer

    def sample(self, content: bytes) -> None:
        """Show how the content of a batch begins, cut at the edge of the screen."""
        for line in _XML_BEFORE_RECORDS.sub("", content.decode()).splitlines()[:2]:
            shown = Text("    " + line, "cyan")
            shown.truncate(self.console.width, overflow="ellipsis")
            self.line(shown)

    def note(self, text: str) -> None:
        """Show an aside."""
        self.line(Text("    " + text, "dim"))

    def line(self, line: Text | str) -> None:
        """Show one line, uncut even where it is too long; text in brackets is rich's markup."""
        self.console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _shown(value: object) -> str:
    if isinstance(value, JobInfo):
        return "job"
    if isinstance(value, Pace):
        return "fast"
    if isinstance(value, str):
        return (
            "batch.id"
            if value.startswith(_BATCH_PREFIX)
            else "soql"
            if value.startswith("SELECT")
            else json.dumps(value)
        )
    return "records"


def _gist(answer: object) -> str:
    if isinstance(answer, JobInfo | BatchInfo):
        return f"{answer.id} {answer.state}"
    if isinstance(answer, bytes):
        return f"{len(answer):,} bytes"
    return f"{len(answer):,} results" if isinstance(answer, list) else type(answer).__name__
