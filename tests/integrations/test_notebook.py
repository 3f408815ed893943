"""Progress in a real Jupyter kernel: one output, shown again and again, which is the summary at the end."""

from __future__ import annotations

import gc
import sys
import warnings
from dataclasses import dataclass, field
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import bulkforce as bf
from bulkforce_emulator import Emulator

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Jupyter's own packages

SETUP = """
import bulkforce as bf
client = bf.Client({url!r}, bf.BearerToken({token!r}))
rows = [{{"LastName": "x", "Email": "a@b.cd" if number else "no address"}} for number in range(2000)]
"""
# The check would warn of the row that the org refuses.
LOAD = 'report = client.load(rows, "Contact", "insert", batch_records=200, values="skip"{})'
CELLS = {
    "load": LOAD.format(""),
    "load and report": LOAD.format("") + "\nreport",
    "failure": LOAD.format(", max_api_calls=6"),
    "async": """
async with bf.AsyncClient(client.driver.instance_url, client.driver.auth) as other:
    await other.load(rows, "Contact", "insert", values="skip")
""",
    "query": 'client.query("SELECT Id FROM Contact").to_arrow().num_rows > 2000',
    "extract": 'client.extract("SELECT Id FROM Contact", to="a.csv").rows > 2000',
    "check": 'client.check(rows, "Contact", "insert", values="skip").read',
    "off": LOAD.format(", progress=False"),
    "own": LOAD.format(", on_progress=lambda _: None"),
    "both": "told = []\n" + LOAD.format(", progress=True, on_progress=told.append") + "\nprint(len(told) > 0)",
}


@dataclass
class Seen:
    """What a cell shows in the end, and the messages that made it."""

    outputs: list[Any] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [one.output_type for one in self.outputs]

    def text(self, place: int = 0) -> str:
        return str(self.outputs[place].data["text/plain"])

    def html(self, place: int = 0) -> str:
        return str(self.outputs[place].data["text/html"])

    def updates(self) -> list[dict[str, Any]]:
        return [one["content"] for one in self.sent if "display_data" in one["msg_type"]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Execute a notebook, all cells in one kernel."""
    seen = {name: Seen() for name in CELLS}
    nbf: Any = nbformat.v4

    class Watching(NotebookClient):
        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            if cell_index:
                list(seen.values())[cell_index - 1].sent.append(msg)
            return super().process_message(msg, cell, cell_index)

    with Emulator() as org:
        setup = SETUP.format(url=org.base_url, token=org.session_id)
        notebook = nbf.new_notebook(cells=[nbf.new_code_cell(cell) for cell in (setup, *CELLS.values())])
        manager: Any = AsyncKernelManager(kernel_name="python3")
        manager.kernel_spec.argv[0] = sys.executable
        folder = {"path": str(tmp_path_factory.mktemp("notebook"))}
        Watching(notebook, km=manager, timeout=600, allow_errors=True, resources={"metadata": folder}).execute()
    del manager
    with warnings.catch_warnings():
        # Jupyter leaves sockets to be closed by whoever collects them, which would be blamed on another test.
        warnings.simplefilter("ignore")
        gc.collect()
    for one, cell in zip(seen.values(), notebook.cells[1:], strict=True):
        one.outputs = cell.outputs
    return seen


def test_load_is_one_output_that_ends_as_the_summary(seen: dict[str, Seen]) -> None:
    cell = seen["load"]
    assert cell.kinds == ["display_data"]
    assert "finished; 2,000 rows, 1,999 succeeded, 1 failed, " in cell.text()
    assert cell.text() in cell.html()
    assert "<progress" not in cell.html()
    updates = cell.updates()
    assert updates[0]["data"]["text/plain"].startswith(("reading: ", "loading: "))
    assert "<progress" in updates[0]["data"]["text/html"]
    assert updates[-1]["data"]["text/plain"] == cell.text()
    assert len({one["transient"]["display_id"] for one in updates}) == 1


def test_report_follows_the_summary_if_the_cell_ends_with_it(seen: dict[str, Seen]) -> None:
    cell = seen["load and report"]
    assert cell.kinds == ["display_data", "execute_result"]
    assert "<table" in cell.html(1)


def test_load_that_stops_leaves_no_bar(seen: dict[str, Seen]) -> None:
    cell = seen["failure"]
    assert cell.kinds == ["display_data", "error"]
    assert "interrupted; 2,000 rows, " in cell.text()
    assert "<progress" not in cell.html()
    assert cell.outputs[1].ename == "Interrupted"


@pytest.mark.parametrize("name", ["query", "extract"])
def test_extract_and_query_show_themselves_alike(seen: dict[str, Seen], name: str) -> None:
    cell = seen[name]
    assert cell.kinds == ["display_data", "execute_result"]
    assert " succeeded, " in cell.text()
    assert cell.text(1) == "True"


def test_load_of_the_asynchronous_client_shows_itself_in_its_cell(seen: dict[str, Seen]) -> None:
    cell = seen["async"]
    assert cell.kinds == ["display_data"]
    assert "finished; 2,000 rows, " in cell.text()


def test_check_ends_as_its_verdict(seen: dict[str, Seen]) -> None:
    cell = seen["check"]
    assert cell.outputs[-1].data["text/plain"] == "2000"
    verdict = "insert Contact: 2,000 rows; the source fits; nothing was sent"
    assert {one.data["text/plain"] for one in cell.outputs[:-1]} <= {verdict}
    assert cell.text() in (verdict, "2000")


@pytest.mark.parametrize("name", ["off", "own"])
def test_nothing_is_shown_if_it_is_not_wanted(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].outputs == []


def test_whoever_is_told_of_progress_may_see_it_too(seen: dict[str, Seen]) -> None:
    cell = seen["both"]
    assert cell.kinds == ["display_data", "stream"]
    assert cell.outputs[1].text == "True\n"


def test_wrong_value_is_refused() -> None:
    client = bf.Client("https://acme.my.salesforce.com", bf.BearerToken("x"))
    with pytest.raises(bf.UsageError, match="progress must be True or False"):
        client.load([], "Contact", "insert", progress="yes")  # type: ignore[arg-type]
