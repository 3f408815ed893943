"""Write a page for each command in `commands/`, from what `--help` says: `make docs`."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final, Protocol

from bulkforce.cli.main import command as whole

HERE: Final = Path(__file__).parent
FOLDER: Final = HERE / "commands"
CONTENTS: Final = HERE.parent / "mkdocs.yml"
# Where to read on, by the first word of a command.
MORE: Final = {
    "batch": ("how-to/watch-a-run.md", "lifecycles.md"),
    "check": ("how-to/load.md", "values.md"),
    "count": ("how-to/extract.md",),
    "demo": ("how-to/test-without-an-org.md",),
    "describe": ("how-to/test-without-an-org.md",),
    "emulator": ("how-to/test-without-an-org.md", "emulator-fidelity.md"),
    "extract": ("how-to/extract.md", "exit-codes.md"),
    "job": ("how-to/watch-a-run.md", "lifecycles.md"),
    "jobs": ("how-to/watch-a-run.md", "lifecycles.md"),
    "limits": ("how-to/connect.md",),
    "load": ("how-to/load.md", "run-folder.md", "exit-codes.md", "values.md", "sources.md"),
    "login": ("how-to/connect.md", "settings.md"),
    "logout": ("how-to/connect.md",),
    "map": ("how-to/load.md",),
    "objects": ("how-to/connect.md",),
    "orgs": ("how-to/connect.md",),
    "query": ("how-to/extract.md",),
    "resume": ("exactly-once.md", "exit-codes.md"),
    "retry": ("how-to/load.md", "how-to/fix-and-reload.md"),
    "runs": ("how-to/watch-a-run.md", "run-folder.md"),
    "ui": ("how-to/watch-a-run.md",),
    "undo": ("how-to/load.md",),
    "verify": ("what-we-do-not-know.md",),
    "whoami": ("how-to/connect.md",),
}


class Command(Protocol):
    """What is needed of one of typer's commands."""

    def get_short_help_str(self, limit: int) -> str: ...  # noqa: D102


def commands(group: object = whole, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Go through the commands, those of groups, too, in the order of the help."""
    for name, one in getattr(group, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), one


def help_of(path: tuple[str, ...]) -> str:
    """Say what `--help` prints on a terminal of 80 columns."""
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with redirect_stdout(io.StringIO()) as printed:
            whole([*path, "--help"], prog_name="bulkforce", standalone_mode=False)
    finally:
        del os.environ["COLUMNS"]
        if width is not None:
            os.environ["COLUMNS"] = width
    return "\n".join(line.rstrip() for line in printed.getvalue().rstrip().splitlines())


def title_of(page: str) -> str:
    """Give the title of a page."""
    return (HERE / page).read_text("utf-8").partition("\n")[0].removeprefix("# ")


def page(path: tuple[str, ...], one: Command) -> str:
    """Write the page of a command."""
    more = ", ".join(f"[{title_of(name)}](../{name})" for name in MORE.get(path[0], ()))
    lines = [f"# bulkforce {' '.join(path)}", "", one.get_short_help_str(200), "", "```text", help_of(path), "```"]
    return "\n".join([*lines, *(["", f"More: {more}."] if more else []), ""])


def pages() -> dict[Path, str]:
    """Give the content of each page, and of the contents of the site."""
    all_of_them = list(commands())
    made = {FOLDER / f"{'-'.join(path)}.md": page(path, one) for path, one in all_of_them}
    rows = [
        f"| [`{' '.join(path)}`]({'-'.join(path)}.md) | {one.get_short_help_str(200)} |" for path, one in all_of_them
    ]
    made[FOLDER / "README.md"] = "\n".join(
        [
            "# The command line",
            "",
            "What `bulkforce COMMAND --help` says, a page for each command, written by `make docs`.",
            "",
            "| command | what it does |",
            "| --- | --- |",
            *rows,
            "",
            "All of them have the same [exit codes](../exit-codes.md) and [settings](../settings.md).",
            "",
        ]
    )
    listed = "".join(f"          - {' '.join(path)}: commands/{'-'.join(path)}.md\n" for path, _ in all_of_them)
    contents = re.sub(
        r"(?<=# commands\n).*?(?= *# end of commands)", lambda _: listed, CONTENTS.read_text("utf-8"), flags=re.DOTALL
    )
    return {**made, CONTENTS: contents}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    kept = pages()
    for old in set(FOLDER.glob("*.md")) - kept.keys():
        old.unlink()
    for place, text in kept.items():
        place.write_text(text, "utf-8")
