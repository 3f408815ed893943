"""What the reference says is what the code has."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.docs.snippets import ROOT

import bulkforce as bf
import bulkforce_emulator
from bulkforce import errors
from bulkforce.connection import environment
from bulkforce.protocol import limits
from bulkforce.run.waiting import Patience

DOCS = ROOT / "docs"
ERRORS = {
    name: one
    for name, one in vars(errors).items()
    if inspect.isclass(one) and issubclass(one, errors.Error) and one is not errors.Error
}


def made(script: str) -> dict[str, Any]:
    return runpy.run_path(str(DOCS / script))


def test_pages_of_commands_are_what_help_says() -> None:
    pages = made("commands.py")["pages"]()
    assert {path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text} == set(), (
        "run: make docs"
    )
    assert set((DOCS / "commands").glob("*.md")) == pages.keys() - {ROOT / "mkdocs.yml"}


def test_drawings_are_what_the_tables_say() -> None:
    pictures: dict[Path, str] = made("lifecycles.py")["pictures"]()
    assert {path for path, text in pictures.items() if path.read_text("utf-8") != text} == set(), "run: make docs"
    page = (DOCS / "lifecycles.md").read_text("utf-8")
    assert all(f"(pictures/{path.name})" in page for path in pictures)


def test_every_status_code_with_a_remedy_is_on_the_page_of_texts() -> None:
    assert made("remedies.py")["page"]() == (DOCS / "salesforce-errors.md").read_text("utf-8"), "run: make docs"


def test_every_error_has_its_row_and_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (\d) \|$", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE))

    def code(error: type[errors.Error]) -> str:
        if issubclass(error, errors.Interrupted):
            return "4"
        wrong_call = issubclass(error, errors.UsageError) and not issubclass(error, errors.MissingExtra)
        return "2" if wrong_call else "1"

    assert rows == {name: code(error) for name, error in ERRORS.items()}


@pytest.mark.parametrize("package", [bf, bulkforce_emulator], ids=lambda package: package.__name__)
def test_every_public_name_is_in_the_python_reference(package: Any) -> None:
    pages = "".join(page.read_text("utf-8") for page in (DOCS / "python").glob("*.md"))
    named = set(re.findall(rf"^::: {package.__name__}\.(\w+)$", pages, re.MULTILINE))
    assert set(package.__all__) - ERRORS.keys() - {"Error"} == named - {"errors", "events"}


def test_every_variable_is_on_the_page_of_settings() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    names = {f"BULKFORCE_{name}" for names in environment._NAMES.values() for name in names}
    names |= {
        value for value in vars(environment).values() if isinstance(value, str) and value.startswith("BULKFORCE_")
    }
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "bulkforce").rglob("*.py"))
    names |= set(re.findall(r'"(BULKFORCE_\w*[A-Z])"', source))
    assert [name for name in sorted(names) if name not in page] == []


def test_defaults_on_the_page_of_settings_are_those_of_the_code() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    waiting = page.partition("## Waiting")[2].partition("## ")[0]
    defaults = re.findall(r"^\| [^|]+ \| ([^|]+) \|", waiting, re.MULTILINE)
    times, retry, pace, patience = bf.Timeouts(), bf.RetryPolicy(), bf.Pace(), Patience()
    looks = f"{pace.first_seconds:g} s, growing to {pace.longest_seconds:g} s"
    assert (pace.first_seconds, pace.longest_seconds) == (patience.look_seconds, patience.look_longest_seconds)
    assert defaults[2:] == [
        f"{times.connect_seconds:g} s",
        f"{times.read_seconds:g} s",
        f"{times.exchange_seconds:,.0f} s",
        f"{retry.attempts}",
        f"{retry.first_seconds:g} s, doubled each time, at most {retry.longest_seconds:g} s",
        f"{retry.patience_seconds:g} s",
        looks,
        looks,
        f"{patience.trouble_seconds:g} s; then it stops, and can be resumed",
        f"{patience.sendings} times; then the run stops, and can be resumed",
        f"{patience.fence_seconds:g} s, growing",
        f"{patience.fence_looks}",
        f"{patience.job_seconds / 3600:g} hours, since the org ends it after {limits.JOB_OPEN_HOURS}",
        f"{patience.job_batches:,}",
    ]
    assert f"by default `{limits.API_VERSION}`" in page


def test_limits_on_their_page_are_those_of_the_code() -> None:
    page = (DOCS / "limits.md").read_text("utf-8")
    for limit in (
        limits.BATCH_RECORDS,
        limits.BATCH_BYTES,
        limits.RECORD_CHARACTERS,
        limits.RECORD_FIELDS,
        limits.FIELD_CHARACTERS,
        limits.JOB2_BYTES,
        limits.CHUNK_SIZE,
        limits.CHUNK_SIZE_DEFAULT,
        limits.ZIP_BYTES,
        limits.ZIP_UNPACKED_BYTES,
        limits.ZIP_FILES,
    ):
        assert f"{limit:,}" in page
