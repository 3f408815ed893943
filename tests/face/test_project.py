"""What people meet around the code: versions, addresses, issue forms, and what a release checks."""

from __future__ import annotations

import importlib.util
import re
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from bulkforce.protocol import limits

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


@pytest.fixture
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_version_stands_in_one_place() -> None:
    written = re.compile(rf"\b{re.escape(PROJECT['version'])}\b")
    assert [path for path in (ROOT / "src").rglob("*.py") if written.search(path.read_text("utf-8"))] == []
    assert version("bulkforce") == PROJECT["version"]


def test_page_about_versions_says_what_is_supported() -> None:
    page = (ROOT / "docs" / "versions.md").read_text("utf-8")
    assert f"| Python | {PROJECT['requires-python'].removeprefix('>=')} and later |" in page
    assert f"| Salesforce's API | {limits.API_VERSION} by default" in page
    urllib3 = next(one for one in PROJECT["dependencies"] if one.startswith("urllib3"))
    assert f"urllib3 from {urllib3.removeprefix('urllib3>=')} |" in page


def test_addresses_are_those_of_the_project() -> None:
    repository = PROJECT["urls"]["Repository"]
    assert all(address.startswith(repository) for address in PROJECT["urls"].values())
    for page in ("SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"):
        assert f"{repository}/security/advisories/new" in (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: str(form.stem))
def test_issue_form_has_the_shape_that_github_wants(form: Path) -> None:
    told = yaml.safe_load(form.read_text("utf-8"))
    assert {"name", "description", "body"} <= set(told) <= {"name", "description", "body", "labels"}
    assert {one["type"] for one in told["body"]} <= {"markdown", "textarea", "input", "dropdown"}
    asked = [one for one in told["body"] if one["type"] != "markdown"]
    assert all(one["attributes"]["label"] for one in asked)
    ids = [one["id"] for one in asked]
    assert len(set(ids)) == len(ids) > 0
    assert any(one.get("validations", {}).get("required") for one in asked)


def test_every_form_is_known() -> None:
    assert [form.stem for form in FORMS] == ["bug", "verify", "wish"]


WHOLE = ["bulkforce/py.typed", "bulkforce_emulator/py.typed", "bulkforce/cli/data/x", "bulkforce_emulator/standard/x"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [(WHOLE, None), (WHOLE[1:], "lacks bulkforce/py.typed"), ([*WHOLE, "tests/x.py"], "has tests, too")],
)
def test_release_checks_the_wheel(release: ModuleType, tmp_path: Path, names: list[str], reason: str | None) -> None:
    wheel = tmp_path / "bulkforce.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name in names:
            file.writestr(name, "")
    if reason is None:
        release.check_wheel(wheel)
    else:
        with pytest.raises(SystemExit, match=reason):
            release.check_wheel(wheel)


def test_release_uploads_no_version_that_the_changelog_does_not_know(release: ModuleType) -> None:
    release.PROJECT["version"] = "99.0.0"
    with pytest.raises(SystemExit, match=r"CHANGELOG.md has no heading"):
        release.check_announced()
