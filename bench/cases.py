"""What is measured, and against whom: one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CSV_MB: Final = 60.0
"""Ceiling of memory where bytes pass through: the interpreter and the modules take some 30 MB of it; the rest is for
batches on their way (1.6 MB each here) and their results."""
TYPED_MB: Final = 140.0
"""Ceiling of memory where values are typed: Arrow's library alone takes some 60 MB of it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A client.

    Attributes:
        command: How its driver is started; ``{python}`` is the interpreter of its environment.
        name: What it is called in the table.
        version: A command that prints its version, if it has one.
    """

    name: str
    command: tuple[str, ...]
    version: tuple[str, ...] = ()


def _python(driver: str, environment: str = ".venv") -> tuple[str, ...]:
    return (f"{environment}/bin/python", f"bench/peers/{driver}.py")


def _of_python(name: str, driver: str) -> Peer:
    """A client in Python, in an environment of its own."""
    environment = f".judges/{name.lower()}"
    asked = f"from importlib.metadata import version; print(version({name!r}))"
    return Peer(name, _python(driver, environment), (f"{environment}/bin/python", "-c", asked))


def _of_node(name: str, package: str, modules: str, command: tuple[str, ...]) -> Peer:
    """A client in JavaScript."""
    asked = f"require('./tests/judges/clients/{modules}/{package}/package.json').version"
    return Peer(name, command, ("node", "-p", asked))


OURS: Final = Peer("bulkforce", _python("ours"))
SKETCH: Final = Peer("sketch", _python("sketch"))
PEERS: Final = (
    SKETCH,
    OURS,
    Peer("curl", ("sh", "bench/peers/curl.sh"), ("sh", "-c", "curl --version | cut -d' ' -f2 | head -n 1")),
    Peer("pyarrow alone", _python("pyarrow_alone")),
    _of_python("simple-salesforce", "simple_salesforce_peer"),
    _of_python("salesforce-bulk", "salesforce_bulk_peer"),
    _of_python("CumulusCI", "cumulusci_peer"),
    _of_node("jsforce", "jsforce", "node_modules", ("node", "bench/peers/jsforce_peer.mjs")),
    _of_python("aiosalesforce", "aiosalesforce_peer"),
    _of_node("sf", "@salesforce/plugin-data", "sf/node_modules", ("sh", "bench/peers/sf.sh")),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A piece of work.

    Attributes:
        name: What it is called.
        verb: What drivers are told to do.
        peers: Who does it beside us.
        against: Whose CPU ours is divided by, if anybody's.
        goal: At most so many times that, if there is a goal.
        wall_seconds: At most so long, if there is a goal.
        cpu_seconds: At most so much CPU, if there is a goal.
        ceiling_mb: At most so much memory, if there is a ceiling.
        org: Options of the stand-in.
        most_rows: At most so many records are done.
        needs: Files beyond the usual: ``json``, ``cut``, ``parquet``, ``batches``, ``gz``, ``tls``.
        command: How ours is started, if not by its driver.
        once: Whether one run is enough, since it is long.
    """

    name: str
    verb: str
    peers: tuple[str, ...] = ()
    against: str = "sketch"
    goal: float | None = None
    wall_seconds: float | None = None
    ceiling_mb: float | None = None
    org: tuple[str, ...] = ()
    most_rows: int = 10**12
    needs: tuple[str, ...] = ()
    cpu_seconds: float | None = None
    command: tuple[str, ...] = ()
    once: bool = False

    @property
    def extracts(self) -> bool:
        """Whether records come out, and not go in."""
        return self.verb.startswith("extract")


_SLOW: Final = ("--rtt-ms", "50", "--batch-seconds", "1", "--parallel", "5")
_PLAIN: Final = ("sketch", "curl", "simple-salesforce", "salesforce-bulk", "CumulusCI", "jsforce")
_BYTES: Final = ("sketch", "curl", "simple-salesforce", "salesforce-bulk", "jsforce")
_PLAIN2: Final = ("simple-salesforce", "jsforce", "sf", "aiosalesforce")

CASES: Final = (
    Case("load CSV", "load", _PLAIN, goal=3.6, ceiling_mb=55, needs=("json", "cut")),
    Case("load CSV, values not checked", "load-unchecked", ceiling_mb=CSV_MB),
    Case("load CSV, 0.1 % fail", "load", ceiling_mb=CSV_MB, org=("--error-every", "1000", "--own-messages")),
    Case("load CSV, 1 % fail", "load", ceiling_mb=CSV_MB, org=("--error-every", "100", "--own-messages")),
    Case("load CSV, 10 % fail", "load", goal=5.5, ceiling_mb=CSV_MB, org=("--error-every", "10", "--own-messages")),
    Case("load Parquet", "load-parquet", needs=("parquet",), ceiling_mb=TYPED_MB),
    Case("load dicts, a list", "load-dicts"),
    Case("load dicts, a generator", "load-generator", ceiling_mb=CSV_MB),
    Case("load a polars frame", "load-polars", needs=("parquet",)),
    Case("load a pandas frame", "load-pandas", needs=("parquet",)),
    Case("extract to CSV", "extract", _BYTES, goal=3.0, ceiling_mb=35, needs=("json",)),
    Case("extract to CSV, gzip on the wire", "extract", ceiling_mb=CSV_MB, needs=("gz",)),
    Case("extract to CSV.gz", "extract-gz", ceiling_mb=CSV_MB),
    Case("extract to Parquet", "extract-parquet", ("pyarrow alone",), "pyarrow alone", goal=1.0, ceiling_mb=TYPED_MB),
    Case("extract to Arrow", "extract-arrow", against="pyarrow alone", ceiling_mb=TYPED_MB),
    Case("query to polars", "extract-polars", against="pyarrow alone"),
    Case("JSON batches", "json-batches", needs=("batches",)),
    Case("XML batches", "xml-batches", needs=("batches",)),
    Case("load CSV, TLS", "load", needs=("tls",), ceiling_mb=CSV_MB),
    Case("extract to CSV, TLS", "extract", needs=("tls",), ceiling_mb=CSV_MB),
    Case(
        "load CSV, 50 ms and 1 s a batch",
        "load",
        ("simple-salesforce",),
        org=_SLOW,
        most_rows=100_000,
        wall_seconds=2.4,
    ),
    Case("load CSV, 1,000,000 so", "load", org=_SLOW, most_rows=1_000_000, wall_seconds=20.6),
    Case(
        "extract, 50 ms and 1 s a batch",
        "extract",
        ("simple-salesforce",),
        org=_SLOW,
        most_rows=100_000,
        needs=("json",),
    ),
    Case("load CSV, gzip on the wire", "load-gz", ceiling_mb=CSV_MB),
    Case("load CSV, 2.0", "load2", _PLAIN2, ceiling_mb=CSV_MB),
    Case("extract to CSV, 2.0", "extract2", _PLAIN2[:3], ceiling_mb=CSV_MB),
    Case("load CSV, 2.0, 50 ms and 1 s a batch", "load2", org=_SLOW, most_rows=100_000),
    Case("load CSV, 2.0, 1,000,000 so", "load2", org=_SLOW, most_rows=1_000_000),
    Case("extract, 2.0, 50 ms and 1 s a batch", "extract2", org=_SLOW, most_rows=100_000),
    *(
        Case(f"{count:,} {pieces} of a record", verb, against="", most_rows=count, once=True)
        for pieces, verb in (("batches", "load-tiny"), ("chunks", "extract-tiny"))
        for count in (1_000, 10_000, 100_000)
    ),
    *(
        Case(f"{count:,} jobs of a record, 2.0", "load2-tiny", against="", most_rows=count, once=True)
        for count in (1_000, 10_000)
    ),
    Case("three records", "start", cpu_seconds=0.25),
    Case("import and Client", "made", cpu_seconds=0.15),
    Case("bulkforce --help", "help", cpu_seconds=0.12, command=("sh", "-c", ".venv/bin/bulkforce --help > /dev/null")),
)
