"""The command line answers at once, and short work is short: nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import bulkforce
from bulkforce_emulator import Emulator

HEAVY = (
    "asyncio",
    "duckdb",
    "orjson",
    "pyarrow",
    "rich",
    "starlette",
    "urllib3",
    "uvicorn",
    "bulkforce.cli.load",
    "bulkforce.client",
    "bulkforce.load",
    "bulkforce.run",
    "bulkforce_emulator",
)
HEAVY_FOR_A_CLIENT = (
    "asyncio",
    "email",
    "orjson",
    "sqlite3",
    "ssl",
    "urllib3",
    "xml",
    "bulkforce.apis",
    "bulkforce.auth",
    "bulkforce.conversations",
    "bulkforce.conversations2",
    "bulkforce.events",
    "bulkforce.extract",
    "bulkforce.formats",
    "bulkforce.load",
    "bulkforce.objects",
    "bulkforce.protocol.bulk1",
    "bulkforce.protocol.bulk2",
    "bulkforce.protocol.rest",
    "bulkforce.transport.http",
)
HEAVY_FOR_CSV = (
    "asyncio",
    "difflib",
    "gzip",
    "numpy",
    "pyarrow",
    "tomllib",
    "urllib.request",
    "zoneinfo",
    "bulkforce.apis.ingest2",
    "bulkforce.apis.query2",
    "bulkforce.apis.staged",
    "bulkforce.async_client",
    "bulkforce.auth.oauth",
    "bulkforce.auth.soap",
    "bulkforce.conversations",
    "bulkforce.conversations2",
    "bulkforce.extract.sinks.appending",
    "bulkforce.extract.sinks.arrow",
    "bulkforce.extract.sinks.jsonl",
    "bulkforce.formats.content",
    "bulkforce.formats.json",
    "bulkforce.formats.xml",
    "bulkforce.formats.zip",
    "bulkforce.load.attachments",
    "bulkforce.load.following",
    "bulkforce.load.sources.arrow",
    "bulkforce.load.sources.cursors",
    "bulkforce.load.sources.frames",
    "bulkforce.load.sources.json",
    "bulkforce.load.sources.sql",
    "bulkforce.load.sources.writing",
    "bulkforce.load.sources.xml",
    "bulkforce.load.zip_cutter",
    "bulkforce.protocol.bulk2",
    "bulkforce.protocol.info2",
    "bulkforce.staging",
    "bulkforce.verify",
)


def test_help_imports_nothing_heavy() -> None:
    """Not timed: what is imported is what takes the time, and it does not depend on the machine."""
    program = f"""
import sys
from bulkforce.cli.main import main
sys.argv = ["bulkforce", "--help"]
try:
    main()
finally:
    print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_a_client_that_does_nothing_imports_nothing_that_works() -> None:
    assert imported("", HEAVY_FOR_A_CLIENT) == []


def test_a_load_and_an_extract_import_only_what_they_use(tmp_path: Path) -> None:
    (tmp_path / "three.csv").write_text("LastName\nA\nB\nC\n")
    with Emulator() as org:
        client = f"bulkforce.Client({org.base_url!r}, bulkforce.BearerToken({org.session_id!r}))"
        load = f"with {client} as client: client.load('three.csv', 'Contact', 'insert', run_dir='run')"
        extract = (
            f"with {client} as client: client.extract('SELECT LastName FROM Contact', to='out.csv', run_dir='out')"
        )
        assert imported(load, [*HEAVY_FOR_CSV, "bulkforce.extract"], tmp_path) == []
        assert imported(extract, [*HEAVY_FOR_CSV, "bulkforce.load", "bulkforce.objects"], tmp_path) == []
    assert (tmp_path / "out.csv").read_text().count("\n") == 4


def imported(work: str, heavy: Iterable[str], folder: Path | None = None) -> list[str]:
    """Do work in a process of its own, and return which modules it imported that it should not."""
    program = f"""
import sys
import bulkforce
bulkforce.Client
{work}
print([name for name in sys.modules if any(f"{{name}}.".startswith(f"{{one}}.") for one in {tuple(heavy)!r})])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    found: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return found


def test_every_public_name_has_one_home() -> None:
    assert sorted(bulkforce.__all__) == sorted(bulkforce._HOME_OF)
    assert all(name in dir(bulkforce) for name in bulkforce.__all__)


def test_every_public_name_is_there_when_asked_for() -> None:
    program = (
        "from bulkforce import *; import bulkforce; print(*(globals()[name].__name__ for name in bulkforce.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == bulkforce.__all__
