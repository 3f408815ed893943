"""`bulkforce ui`: who may look, at what, and that looking changes nothing."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS
from tests.support.holding import Holding
from tests.support.rehearsal import Load

import bulkforce as bf
from bulkforce.cli.site.jobs import Jobs
from bulkforce.cli.site.server import Server, Site
from bulkforce.cli.site.watching import Runs
from bulkforce.run.folder import LOAD
from bulkforce_emulator import Emulator, Fault

HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(url: str, path: str = "", method: str = "GET", *, whole: str | None = None, **headers: str) -> Got:
    """Ask a server for a path below its address, or for ``whole``."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        host = headers.pop("Host", parts.netloc)
        connection.putrequest(method, whole if whole is not None else parts.path + path, skip_host=True)
        for name, value in {"Host": host, **headers}.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@contextmanager
def served(folder: Path, jobs: Jobs | None = None) -> Iterator[str]:
    with Server(Site(Runs(folder), jobs)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a load, an extract, a load that stopped, and a damaged one."""
    folder = tmp_path_factory.mktemp("runs")
    source = folder / "people.csv"
    source.write_text(f'LastName\n{HOSTILE}\n""\nMorkel\n', "utf-8")
    (folder / "secret.txt").write_text("not yours", "utf-8")
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        client.load(source, "Contact", "insert", run_dir=folder / "runs/1", check=False, poll=0.1)
        query = "SELECT Id FROM Contact"
        client.extract(query, to=folder / "out.csv", run_dir=folder / "runs/2", pk_chunking=False, poll=0.1)
        org.faults.add(Fault("session expired", "GET", "*/job/*/batch*"))
        with pytest.raises(bf.Interrupted):
            client.load(source, "Contact", "insert", run_dir=folder / "runs/3", check=False, poll=0.1)
    (folder / "runs/4").mkdir()
    (folder / "runs/4" / LOAD).write_bytes(b"no journal" * 100)
    (folder / "runs/mine").mkdir()
    return folder / "runs"


@pytest.fixture
def url(runs: Path) -> Iterator[str]:
    with served(runs) as url:
        yield url


def test_all_runs_are_listed(url: str, runs: Path) -> None:
    got = ask(url)
    assert got.status == 200
    assert str(runs) in got.text
    links = re.findall(r'href="\./(runs/[^"]*)"', got.text)
    assert links == ["runs/4/", "runs/3/", "runs/2/", "runs/1/"]
    assert re.findall(r'class="badge (\w+)"', got.text) == ["unreadable", "interrupted", "finished", "finished"]
    assert re.search(r"3 rows, 1 (failed|rejected)<", got.text)
    for link in links:
        assert ask(url, link).status == 200


def test_run_is_shown_as_on_its_page(url: str, runs: Path) -> None:
    got = ask(url, "runs/1/")
    shown = re.sub(r"\s*<nav.*?</nav>", "", got.text.partition("<main>")[2].partition("<footer")[0], flags=re.DOTALL)
    page = (runs / "1/report.html").read_text("utf-8")
    assert shown.strip() == page.partition("<main>")[2].partition("<footer")[0].strip()
    assert "Go on with: bulkforce resume" in ask(url, "runs/3/").text


def test_files_of_a_run_are_for_download(url: str, runs: Path) -> None:
    got = ask(url, "runs/1/success.csv")
    assert got.body == (runs / "1/success.csv").read_bytes()
    assert got.headers["content-disposition"] == 'attachment; filename="success.csv"'
    assert got.headers["content-type"].startswith("text/csv")
    head = ask(url, "runs/1/success.csv", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


NOT_THERE = [
    "runs/1",
    "runs/9/",
    "runs/mine/",
    "runs/../",
    "runs/1/../../secret.txt",
    "runs/1/..%2f..%2fsecret.txt",
    "runs/..%2f..%2f/secret.txt",
    "runs/1/%2e%2e/secret.txt",
    "runs/1//etc/passwd",
    "runs/1/journal.sqlite",
    "runs/1/report.html",
    "runs/1/notes.txt",
    "runs/1/link.csv",
    "runs/1/success.csv/",
    "runs/1/success.csv%00",
    "runs/",
    "jobs/",
    "x",
    "%ff",
]


@pytest.mark.parametrize("path", NOT_THERE)
def test_nothing_else_is_served(url: str, runs: Path, path: str) -> None:
    (runs / "1/notes.txt").write_text("mine", "utf-8")
    (runs / "1/link.csv").unlink(missing_ok=True)
    (runs / "1/link.csv").symlink_to(runs.parent / "secret.txt")
    got = ask(url, path)
    assert got.status == 404
    assert b"not yours" not in got.body


def test_file_that_became_a_link_is_not_followed(url: str, runs: Path) -> None:
    assert ask(url, "runs/1/").status == 200
    file = runs / "1/unprocessed.csv"
    content = file.read_bytes()
    file.unlink()
    file.symlink_to(runs.parent / "secret.txt")
    try:
        assert ask(url, "runs/1/unprocessed.csv").status == 404
    finally:
        file.unlink()
        file.write_bytes(content)


@pytest.mark.parametrize("path", ["/", "", "/x/", "/{less}/", "/{more}/", "/%00/", "/%C3%A9/", "/{token}x/runs/1/"])
def test_without_the_token_nothing_is_shown(url: str, path: str) -> None:
    token = urlsplit(url).path.strip("/")
    got = ask(url, whole=path.format(token=token, less=token[:-1], more=token + "0") or "x")
    assert got.status == 403
    assert b"Contact" not in got.body
    assert token.encode() not in got.body


def test_address_without_its_last_slash_is_put_right(url: str) -> None:
    got = ask(url, whole=urlsplit(url).path.rstrip("/"))
    assert (got.status, got.headers["location"]) == (308, urlsplit(url).path)


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "127.0.0.1:1", "localhost.example.com:{port}", ""])
def test_other_hosts_are_refused(url: str, host: str) -> None:
    """A page elsewhere may give its own name the address of this machine."""
    got = ask(url, Host=host.format(port=urlsplit(url).port))
    assert got.status in {400, 403}
    assert b"Contact" not in got.body
    assert ask(url, Host=f"localhost:{urlsplit(url).port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_only_looking_is_possible(url: str, method: str) -> None:
    got = ask(url, "", method)
    assert (got.status, got.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["", "runs/1/", "runs/1/success.csv", "nowhere", "../"])
def test_headers_are_strict(url: str, path: str) -> None:
    headers = ask(url, path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_values_stay_text(url: str) -> None:
    for path in ("", "runs/1/", "runs/3/"):
        assert "<img" not in ask(url, path).text


@pytest.mark.parametrize(
    "said", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 70_000, b"\r\n", b"\0\xff\r\n"]
)
def test_nonsense_is_refused_and_the_server_goes_on(url: str, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=30) as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"Contact" not in answer
    assert ask(url).status == 200


def test_too_many_connections_are_turned_away(url: str) -> None:
    address = ("127.0.0.1", urlsplit(url).port or 0)
    idle = [socket.create_connection(address, timeout=30) for _ in range(33)]
    try:
        # The last one is closed; the others are waited for.
        assert idle[-1].recv(1) == b""
    finally:
        for one in idle:
            one.close()
    while True:
        try:
            assert ask(url).status == 200
        except (http.client.HTTPException, ConnectionError):
            continue
        break


def test_a_run_under_way_is_shown_live_and_left_alone(tmp_path: Path) -> None:
    """The load holds its journal in a process of its own."""
    with Holding(nth=3) as org:
        load = Load(org, tmp_path)
        words = ["load", str(load.path), "--object", "Row__c", "--operation", "insert", "--batch-records", "6"]
        environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
        command = [
            *COMMAND,
            *words,
            "--run-dir",
            str(tmp_path / "runs/1"),
            "--workers",
            "1",
            "--poll",
            "0.1",
            "--quiet",
        ]
        with (
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process,
            served(tmp_path / "runs") as url,
        ):
            org.wait()
            names = sorted(path.name for path in (tmp_path / "runs/1").iterdir())
            index, page = ask(url).text, ask(url, "runs/1/").text
            assert 'class="badge running"' in index
            assert re.search(r"under way</th><td class=.number.>[1-9]", page)
            assert "= read" in page
            assert sorted(path.name for path in (tmp_path / "runs/1").iterdir()) == names
            org.go.set()
            assert process.wait(120) == 3
            assert 'class="badge finished"' in ask(url).text
            assert "under way</th>" not in ask(url, "runs/1/").text


def test_jobs_of_runs_are_shown_as_the_org_has_them(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("LastName\nMorkel\n", "utf-8")
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        report = client.load(tmp_path / "people.csv", "Contact", "insert", run_dir=tmp_path / "runs/1", poll=0.1)
        other = client.create_ingest_job("insert", "Account")
        (tmp_path / "runs/1").rename(tmp_path / "runs/moved")
        ids, jobs = [report.jobs[0], other.id], Jobs(client)
        with served(tmp_path / "runs", jobs) as url:
            assert 'href="./jobs/"' in ask(url).text
            shown = ask(url, "jobs/").text
            of_runs, of_org = shown.split("The latest of the org")
            assert re.search(rf"{report.jobs[0]}.*Closed.*insert Contact.*>1<.*>0<", of_runs)
            assert [one for one in ids if one in of_org] == ids
            calls = len(org.requests)
            ask(url, "jobs/")
            assert len(org.requests) == calls
    assert org.session_id not in shown


def test_org_that_does_not_answer_is_said(runs: Path) -> None:
    once = bf.RetryPolicy(attempts=1)
    with (
        bf.Client("http://127.0.0.1:9", auth=bf.BearerToken("00D!secret"), retry=once) as client,
        served(runs, Jobs(client)) as url,
    ):
        shown = ask(url, "jobs/")
    assert shown.status == 200
    assert 'class="notice"' in shown.text
    assert "secret" not in shown.text


def command(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "ui", "--run-dir", str(folder), "--no-open", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=SURROUNDINGS,
    )


def test_command_prints_its_address_and_ends_quietly(runs: Path) -> None:
    with command(runs) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", url)
        assert ask(url).status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        said = process.stderr.read()
    assert "Traceback" not in said
    assert said.splitlines() == [
        f"bulkforce: shows the runs in {runs} to this machine only; Ctrl-C ends it",
        "bulkforce: ended",
    ]


def test_port_that_is_taken_is_said(runs: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command(runs, "--port", str(taken.getsockname()[1])) as process,
    ):
        assert process.stderr is not None
        assert process.wait(60) == 1
        assert "Cannot listen on 127.0.0.1, port" in process.stderr.read()


def test_what_is_kept_of_runs_is_bounded_and_never_out_of_date(runs: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs, tmp_path / "runs"))
    for number in range(10):
        shutil.copytree(folder / "1", folder / f"copy {number}")
    watched = Runs(folder)
    names = watched.names()
    whole = {name: watched.page(name) for name in names}
    assert len(watched._whole) == 4
    assert [page.spans for page in watched.latest(names)] == [()] * len(names)
    for name, page in whole.items():
        assert page is not None
        assert (watched.page(name) or page).rows == page.rows
    report = folder / "1/report.json"
    report.write_text(report.read_text("utf-8").replace('"succeeded": ', '"succeeded": 5'), "utf-8")
    assert [page.rows for page in watched.latest(["1"])] != [page.rows for page in watched.latest(["copy 1"])]


def test_folder_without_runs_says_so(tmp_path: Path) -> None:
    with served(tmp_path / "none") as url:
        assert "No runs here yet" in ask(url).text
