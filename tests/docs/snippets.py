"""What the pages show is done as they show it, from top to bottom, each page in a folder of its own, with an emulated
org in its surroundings.

==============================  ========================================================================================
block                           what is done
==============================  ========================================================================================
``python``                      is executed; names stay for the next one, and new functions ``test_...()`` are called
``console``                     what follows ``$`` is typed in, line by line; what it prints is compared
``sh``                          each line is typed in; what it prints is not shown
any with ``title="NAME"``       is written to a file of that name
``text title="output"``         is what the ``python`` block above it prints
``toml``, ``json``              is read
``js``                          stands so in `examples/testing/node`, which `tests/judges` runs
``csv``, ``text``, ``yaml``     nothing: a piece of a file, or a picture
==============================  ========================================================================================

``...`` stands for anything in what is printed. A command must end with 0, or with 3, which says that some rows failed;
``[exit code 1]`` as its last line says otherwise. What a reader need not see, such as records that the org has before,
is in a comment, ``<!-- invisible-code-block: python``, which knows the org as ``org``. Stand-ins take the place of what
is the reader's own: see `Reader.stand_ins`, to which such a block can add.
"""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from sybil import Document, Example, Region
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer
from tests.cli.processes import SURROUNDINGS, Command, run, start

from bulkforce_emulator import Emulator

ROOT: Final = Path(__file__).parents[2]
FOREIGN: Final = {"docker", "git", "make", "npm", "sf", "ssh"}
"""Commands that need a network, or a machine of their own."""
SERVERS: Final = ("bulkforce emulator", "bulkforce ui")
"""These go on until the page ends."""
# A browser whose user says yes.
BROWSER: Final = f"{sys.executable} -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()' %s"
_LEXERS: Final = (
    RawFencedCodeBlockLexer(re.compile(r"(?P<arguments>[^\n]*)\n")),
    DirectiveInHTMLCommentLexer("invisible-code-block", ".+"),
)
_FOR_A_SHELL: Final = re.compile(r"[|<>;&$*`]")
_QUOTED: Final = re.compile(r"""'[^']*'|"[^"$`]*"|(?:^|\s)#.*""")
_ENDING: Final = re.compile(r"^\[exit code (\d+)\]\n?\Z", re.MULTILINE)
_WELL: Final = {0, 3}
Way = Callable[[Example], str | None]
"""Does what a block says; gives what is wrong with it."""


class Reader:
    """Does what a page says, in the folder and with the environment of this process.

    Args:
        org: The org that is taken for the reader's own.
        setenv: Sets a variable of this process until the page ends.
    """

    def __init__(self, org: Emulator, setenv: Callable[[str, str], None]) -> None:
        self._printed = self._run = ""
        self._setenv = setenv
        self._servers: list[Command] = []
        # What the pages write for what is the reader's own, and what it is here.
        self.stand_ins = {
            "https://acme.my.salesforce.com": org.base_url,
            "https://acme--uat.sandbox.my.salesforce.com": org.base_url,
            " --sandbox": f" --url {org.base_url}",
            "3MVG9...": org.client_id,
            "my-secret": org.client_secret,
            "127.0.0.1:8080": f"127.0.0.1:{(port := _free_port())}",
            "--port 8080": f"--port {port}",
        }

    def end(self) -> None:
        """Stop what was started."""
        for server in self._servers:
            server.terminate()
            server.communicate()

    def regions(self, document: Document) -> Iterable[Region]:
        """Find the blocks of a page. A parser, as Sybil wants it."""
        for lexer in _LEXERS:
            for region in lexer(document):
                language, _, options = region.lexemes["arguments"].strip().partition(" ")
                title = re.search(r'title="([^"]+)"', options)
                region.parsed = str(region.lexemes["source"])
                region.evaluator = self._way(language, title[1] if title else "")
                yield region

    def _way(self, language: str, title: str) -> Way:
        if title == "output":
            return self._compare_with_printed
        if title:
            return lambda example: _write(Path(title), self._meant(example.parsed))
        ways: dict[str, Way] = {
            "python": self._execute,
            "console": self._type_in,
            "sh": self._type_in,
            "toml": lambda example: _read(tomllib.loads, example),
            "js": _look_for_script,
            "json": lambda example: _read(json.loads, example),
            **dict.fromkeys(("csv", "text", "yaml"), lambda _example: None),
        }
        return ways.get(language, lambda _example: f"what is to be done with a block of {language!r}?")

    def _execute(self, example: Example) -> None:
        before = set(example.namespace)
        source = "\n" * example.line + self._meant(example.parsed)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, example.path, "exec", dont_inherit=True), example.namespace)
            for name in sorted(example.namespace.keys() - before):
                function = example.namespace[name]
                if name.startswith("test_") and not inspect.signature(function).parameters:
                    function()
        self._printed = printed.getvalue()

    def _compare_with_printed(self, example: Example) -> str | None:
        return _difference(example.parsed, self._shown(self._printed))

    def _type_in(self, example: Example) -> str | None:
        self._run = ""
        compared = example.region.lexemes["arguments"].startswith("console")
        for line, wanted in _commands(example.parsed, compared=compared):
            ending = _ENDING.search(wanted)
            code, printed = self._do(self._meant(line))
            if code not in ({int(ending[1])} if ending else _WELL):
                return f"$ {line}\nends with {code}:\n{printed}"
            different = _difference(_ENDING.sub("", wanted), self._shown(printed)) if compared else None
            if different and not line.startswith(SERVERS):
                return f"$ {line}\n{different}"
        return None

    def _do(self, line: str) -> tuple[int, str]:
        """Do what a line says; gives its exit code and what it prints: notices, then the rest, as on a terminal."""
        words = [self._run_meant() if word == "RUN" else word for word in shlex.split(line, comments=True)]
        if not words or words[0] in FOREIGN:
            return 0, ""
        if words[0] == "pip":
            return _look_for_extras(line)
        if words[0] == "export":
            for word in words[1:]:
                self._setenv(*word.split("=", 1))
            return 0, ""
        environment = {**SURROUNDINGS, **os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
        if line.startswith(SERVERS):
            self._servers.append(server := start(*words[1:], environment=environment))
            return 0, server.stdout.readline()
        if words[:2] == ["bulkforce", "login"]:
            words += self._where_to_log_in(words)
        if words[0] == "bulkforce" and not _FOR_A_SHELL.search(_QUOTED.sub("", line)):
            done = run(*words[1:], environment=environment)
        else:
            environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr + done.stdout

    def _run_meant(self) -> str:
        """The run that is the newest when a block first speaks of one."""
        folders = Path("bulkforce-runs").iterdir()
        self._run = self._run or max(folders, key=lambda folder: folder.stat().st_mtime).name
        return self._run

    def _where_to_log_in(self, words: list[str]) -> list[str]:
        """Not at Salesforce, and not all at the same port."""
        url = [] if "--url" in words else ["--url", self.stand_ins["https://acme.my.salesforce.com"]]
        by_browser = not {"--device", "--jwt", "--client-credentials", "--password", "--access-token"} & set(words)
        return url + (["--callback", f"http://localhost:{_free_port()}/OauthRedirect"] if by_browser else [])

    def _meant(self, text: str) -> str:
        for shown, meant in self.stand_ins.items():
            text = text.replace(shown, meant)
        return text

    def _shown(self, text: str) -> str:
        for shown, meant in self.stand_ins.items():
            text = text.replace(meant, shown)
        return text


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _look_for_script(example: Example) -> str | None:
    scripts = "".join(script.read_text("utf-8") for script in (ROOT / "examples/testing/node").glob("*.mjs"))
    return None if example.parsed in scripts else "no script in examples/testing/node has these lines"


def _read(reading: Callable[[str], object], example: Example) -> None:
    reading(example.parsed)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _look_for_extras(line: str) -> tuple[int, str]:
    """What is installed is here already, but the extras that a page names must exist."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {extra for inner in re.findall(r"\[(.*?)\]", line) for extra in inner.split(",")}
    return (1, f"there is no extra {named - known.keys()}") if named - known.keys() else (0, "")


def _commands(block: str, *, compared: bool) -> list[tuple[str, str]]:
    """Take a block apart: each command, and what it is shown to print."""
    lines = block.replace("\\\n", "")
    if not compared:
        return [(line, "") for line in lines.splitlines()]
    parts = re.split(r"^\$ (.*)\n?", lines, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _difference(wanted: str, got: str) -> str | None:
    wanted, got = ("".join(f"{line.rstrip()}\n" for line in text.strip().splitlines()) for text in (wanted, got))
    checker = doctest.OutputChecker()
    if checker.check_output(wanted, got, doctest.ELLIPSIS):
        return None
    return checker.output_difference(doctest.Example("", wanted), got, doctest.ELLIPSIS)
