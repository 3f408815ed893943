"""The page of a run beside its report: written at the end of every sitting, with what the report says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Literal

import pytest

import bulkforce as bf
from bulkforce.run.folder import PAGE
from bulkforce_emulator import Emulator, Fault, Pace

ROWS = "LastName,Email\n" + "".join(f"{'' if n % 10 == 3 else f'<b>{n}</b>'},{n}@example.com\n" for n in range(40))


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def client(org: Emulator) -> Iterator[bf.Client]:
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        yield client


def words(folder: Path) -> str:
    """The text of a page, a bar between any two pieces."""
    page = (folder / PAGE).read_text("utf-8")
    return unescape(re.sub(r"(?:\s*<[^>]*>\s*)+", " | ", page.partition("</style>")[2]))


def load(
    client: bf.Client,
    folder: Path,
    on_progress: Callable[[bf.Progress], None] | None = None,
    api: Literal["bulk1", "bulk2"] = "bulk1",
) -> bf.LoadReport:
    source = folder / "contacts <1>.csv"
    source.write_text(ROWS, "utf-8")
    return client.load(
        source,
        "Contact",
        "insert",
        run_dir=folder / "run",
        batch_records=10,
        check=False,
        poll=0.1,
        on_progress=on_progress,
        api=api,
    )


def test_page_of_a_load_says_what_its_report_says(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    report = load(client, tmp_path)
    said = words(report.run_dir)
    for part in (
        f"| {org.base_url.removeprefix('http://')} | insert Contact | finished |",
        "| succeeded | 36 | 90.0 % | success.csv | failed | 4 | 10.0 % | failed.csv | unprocessed | 0 | ",
        "| = read | 40 |",
        "| Batches | 4 |",
        f"| Jobs | {report.jobs[0]} |",
        "| 4 | REQUIRED_FIELD_MISSING | Required fields are missing: [LastName] |",
        "| row 4 | ,3@example.com |",
        "contacts <1>.csv",
    ):
        assert part in said
    page = (report.run_dir / PAGE).read_text("utf-8")
    assert page.count("<g><title>Batch ") == 4
    assert "<b>" not in page
    assert org.session_id not in page
    for name in re.findall(r'href="\./([^"]*)"', page):
        assert (report.run_dir / name).is_file()
    assert {path.name for path in report.run_dir.iterdir()} - {"journal.sqlite", PAGE} == set(
        re.findall(r'href="\./([^"]*)"', page)
    )


def again(org: Emulator) -> bf.Client:
    """A client with a new session, after the first has expired."""
    return bf.Client(org.base_url, auth=bf.BearerToken(org.state.sessions.open()))


def test_page_of_a_load_that_stops_is_written_anew_when_it_goes_on(
    org: Emulator, client: bf.Client, tmp_path: Path
) -> None:
    org.faults.add(Fault("session expired", "POST", "*/batch", nth=3))
    with pytest.raises(bf.Interrupted):
        load(client, tmp_path)
    said = words(tmp_path / "run")
    assert "| interrupted |" in said
    assert f"Go on with: bulkforce resume {tmp_path / 'run'}" in said
    assert "| = read | 40 |" in said
    with again(org) as client:
        report = client.resume(tmp_path / "run", poll=0.1)
    said = words(tmp_path / "run")
    assert report.state == "finished"
    assert "| Resumed |" in said
    assert "| finished |" in said
    assert "the time between sittings is cut out" in said
    assert "Go on with" not in said


def test_page_of_an_extract_says_what_its_report_says(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    org.insert("Contact", [{"LastName": f"Row {n}"} for n in range(30)])
    query = "SELECT Id, LastName FROM Contact WHERE LastName != '<script>'"
    report = client.extract(query, to=tmp_path / "out.csv", run_dir=tmp_path / "run", pk_chunking=10, poll=0.1)
    said = words(report.run_dir)
    for part in (
        "| extract Contact | finished |",
        "| saved | 30 | 100.0 % | = found | 30 |",
        f"| Query | {query} |",
        f"| Output | {tmp_path / 'out.csv'} |",
        f"| Jobs | {report.jobs[0]} |",
    ):
        assert part in said
    page = (report.run_dir / PAGE).read_text("utf-8")
    assert page.count("<g><title>Batch ") == report.batches
    assert "<script" not in page


def test_page_of_an_extract_over_2_0_shows_its_pages(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    org.insert("Contact", [{"LastName": f"Row {n}"} for n in range(30)])
    query = "SELECT Id, LastName FROM Contact"
    report = client.extract(query, to=tmp_path / "out.csv", run_dir=tmp_path / "run", api="bulk2", poll=0.1)
    page = (report.run_dir / PAGE).read_text("utf-8")
    assert "| saved | 30 | 100.0 % | = found | 30 |" in words(report.run_dir)
    assert page.count("<g><title>Page ") == report.parts


def test_page_of_a_load_over_2_0_shows_its_jobs(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    report = load(client, tmp_path, api="bulk2")
    assert f"| Jobs | {', '.join(report.jobs)} |" in words(report.run_dir)
    assert (report.run_dir / PAGE).read_text("utf-8").count("<g><title>Batch ") == len(report.jobs)
    assert "| = read | 40 |" in words(report.run_dir)


def test_page_of_an_extract_that_stops(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    org.insert("Contact", [{"LastName": f"Row {n}"} for n in range(30)])
    org.faults.add(Fault("session expired", "GET", "*/result/*", nth=2))
    # All chunks have ended before any of them is fetched.
    org.set_pace(Pace.instant())
    with pytest.raises(bf.Interrupted):
        client.extract(
            "SELECT Id FROM Contact",
            to=tmp_path / "out.csv",
            run_dir=tmp_path / "run",
            pk_chunking=10,
            workers=1,
            poll=0.1,
        )
    said = words(tmp_path / "run")
    assert "| interrupted |" in said
    assert re.search(r"\| on disk \| \d+ \| [\d.]+ % \| to fetch \| \d+ \| [\d.]+ % \| = found \| 30 \|", said)


@pytest.mark.parametrize("name", [PAGE, f"{PAGE}.part"])
def test_page_that_cannot_be_written_keeps_no_load_from_finishing(client: bf.Client, tmp_path: Path, name: str) -> None:
    def in_the_way(_progress: object) -> None:
        (tmp_path / "run" / name).mkdir(exist_ok=True)

    report = load(client, tmp_path, on_progress=in_the_way)
    assert report.state == "finished"
    assert json.loads((report.run_dir / "report.json").read_text("utf-8"))["succeeded"] == 36
