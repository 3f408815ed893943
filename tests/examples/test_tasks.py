"""The whole tasks, the notebook and the files for Docker: run, executed and read, as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pyarrow.parquet as pq
import pytest
import yaml
from nbclient import NotebookClient

from bulkforce_emulator import Emulator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


def run(org: Emulator, folder: Path, task: str) -> str:
    """Run a task in a folder, as a user does, and give what it prints."""
    surroundings = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "tasks" / f"{task}.py"],
        cwd=folder,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_task_is_here() -> None:
    tasks = {script.stem for script in (EXAMPLES / "tasks").glob("*.py")}
    assert tasks == {"async_load", "check", "extract", "fix_and_reload", "incremental", "load"}
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert [task for task in tasks if f"(tasks/{task}.py)" not in readme] == []


def test_check_finds_what_is_wrong_and_sends_nothing(org: Emulator, tmp_path: Path) -> None:
    before = org.count("Contact")
    said = run(org, tmp_path, "check")
    assert "'Titel' is no field of Contact." in said
    assert said.endswith("At first 3 findings, then 1\n")
    assert org.count("Contact") == before


def test_load_accounts_for_every_row(org: Emulator, tmp_path: Path) -> None:
    before = len(org.records("Contact"))
    said = run(org, tmp_path, "load")
    assert "3 read = 2 succeeded + 1 failed\n" in said
    assert [str(one["Birthdate"]) for one in org.records("Contact")[before:]] == ["1815-12-10", "1906-12-09"]


def test_rows_that_failed_are_fixed_and_loaded_again(org: Emulator, tmp_path: Path) -> None:
    before = len(org.records("Contact"))
    said = run(org, tmp_path, "fix_and_reload").splitlines()
    assert said[0] == "At first: 2 succeeded, 1 failed"
    assert said[1].startswith("Fixed: ")
    assert said[2] == "Then: 1 succeeded, 0 failed"
    assert [one["LastName"] for one in org.records("Contact")[before:]] == ["Lovelace", "Hopper", "Unknown"]


def test_extract_writes_every_record(org: Emulator, tmp_path: Path) -> None:
    org.insert("Contact", [{"LastName": "Noether"}])
    said = run(org, tmp_path, "extract")
    assert pq.read_table(tmp_path / "contacts.parquet").num_rows == org.count("Contact")
    assert (tmp_path / "contacts.csv.gz").exists()
    assert "contacts with the columns Id, LastName, Email, Birthdate" in said


def test_next_extract_brings_only_what_changed(tmp_path: Path) -> None:
    with Emulator() as org:
        org.insert("Contact", [{"LastName": "Noether"}, {"LastName": "Germain"}])
        assert "2 contacts are new" in run(org, tmp_path, "incremental")
        org.insert("Contact", [{"LastName": "Kovalevskaya"}])
        assert "1 contacts are new" in run(org, tmp_path, "incremental")
        assert (tmp_path / "changes.csv").read_text("utf-8").count("\n") == 1 + 3


def test_two_loads_run_side_by_side(org: Emulator, tmp_path: Path) -> None:
    said = run(org, tmp_path, "async_load")
    assert "Account: 3 of 3 succeeded\nContact: 3 of 3 succeeded\n" in said
    assert "['Account 1', 'Account 2', 'Account 3']" in said


@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own packages
def test_notebook_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook: Any = nbformat.reads((EXAMPLES / "quickstart.ipynb").read_text("utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "keep it without outputs"
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output.data.get("text/plain", "") if "data" in output else output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]
    assert any("REQUIRED_FIELD_MISSING" in text for text in shown)
    assert shown[-1] == "2"


# Docker is not here: what can be told without it.


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    return [(name, rest) for name, rest in re.findall(r"^([A-Z]+) +(.*)$", text, re.MULTILINE)]


def test_dockerfile_starts_an_emulator_without_rights_of_root() -> None:
    names = [name for name, _ in instructions()]
    found = dict(instructions())
    assert names[0] == "FROM"
    assert re.fullmatch(r"python:3\.\d+-slim", found["FROM"])
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert found["EXPOSE"] in found["ENTRYPOINT"]
    assert found["EXPOSE"] in found["HEALTHCHECK"]
    sources = " ".join(rest for name, rest in instructions() if name == "COPY").split()
    assert [one for one in sources if not (one == "./" or (ROOT / one).exists())] == []
    allowed = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [one for one in sources if one != "./" and f"!{one}" not in allowed] == []


def test_dockerfiles_command_is_one_of_the_emulator() -> None:
    """The same words, on a free port, answer the health check."""
    found = dict(instructions())
    words = [*yaml.safe_load(found["ENTRYPOINT"]), *yaml.safe_load(found["CMD"])]
    words[words.index("--port") + 1] = "0"
    words[words.index("0.0.0.0")] = "127.0.0.1"
    with subprocess.Popen([sys.executable, "-m", *words, "--json"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            said = yaml.safe_load(process.stdout.readline())
            assert said["session_id"] == "00Demulated"
            check = yaml.safe_load(found["HEALTHCHECK"].partition("CMD ")[2])
            code = check[2].replace("http://127.0.0.1:8080", said["base_url"])
            subprocess.run([sys.executable, *check[1:2], code], check=True)
        finally:
            process.terminate()


def test_compose_file_fits_the_image_and_the_examples() -> None:
    compose = yaml.safe_load((EXAMPLES / "docker" / "compose.yaml").read_text("utf-8"))
    found = dict(instructions())
    load = compose["services"]["load"]
    assert load["environment"]["BULKFORCE_INSTANCE_URL"] == f"http://org:{found['EXPOSE']}"
    assert load["environment"]["BULKFORCE_ACCESS_TOKEN"] in found["CMD"]
    assert f'"--allow-host", "{next(iter(compose["services"]))}"' in found["ENTRYPOINT"]
    assert load["depends_on"]["org"]["condition"] == "service_healthy"
    for service in compose["services"].values():
        assert (EXAMPLES / "docker" / service["build"] / "Dockerfile").exists()
    [volume] = load["volumes"]
    assert (EXAMPLES / "docker" / volume.split(":")[0] / Path(load["entrypoint"][1]).name).exists()


def test_image_has_a_python_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = re.search(r"3\.\d+", dict(instructions())["FROM"])
    assert version
    assert f"Programming Language :: Python :: {version[0]}" in project["classifiers"]
