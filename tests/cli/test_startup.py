"""The command line answers at once, because nothing heavy is imported before it is needed."""

import subprocess
import sys

import bulkforce

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


def test_client_imports_what_it_works_with_when_it_works() -> None:
    program = """
import sys
import bulkforce
bulkforce.Client("https://acme.my.salesforce.com", bulkforce.BearerToken("00D000000000001!A"))
print([name for name in sys.modules if name.startswith(("bulkforce.load", "bulkforce.extract", "bulkforce.events"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_has_one_home() -> None:
    assert sorted(bulkforce.__all__) == sorted(bulkforce._HOME_OF)
    assert all(name in dir(bulkforce) for name in bulkforce.__all__)


def test_every_public_name_is_there_when_asked_for() -> None:
    program = (
        "from bulkforce import *; import bulkforce; print(*(globals()[name].__name__ for name in bulkforce.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == bulkforce.__all__
