"""Write figures into pages, between their marks: `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    python -m bench.tables bench/results.json

The README gets a row for each client of the cases that others take part in; `docs/performance.md` gets all of it.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

README: Final = Path("README.md")
PAGE: Final = Path("docs/performance.md")
SHOWN: Final = ("load CSV", "extract to CSV", "load CSV, 2.0", "extract to CSV, 2.0")


def replace(page: Path, name: str, text: str) -> None:
    """Put a text between the marks of a page.

    Raises:
        ValueError: The page has no such marks.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before = page.read_text("utf-8")
    after, count = re.subn(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}\n{text}\n{end}", before, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{page} has no marks {begin} and {end}.")
    page.write_text(after, "utf-8")


def machine(about: dict[str, str]) -> str:
    """Say where and with what it was measured."""
    where = ("date", "machine", "processors", "processor", "python")
    versions = ", ".join(f"{name} {version}" for name, version in about.items() if name not in where)
    return (
        f"{about['date']}, {about['machine']}, {about['processors']} processors ({about['processor']}), "
        f"Python {about['python']}, {versions}."
    )


def compared(found: dict[str, Any]) -> str:
    """Write a table of a million records, a column for each kind of work, a row for each client."""
    figures = [one for one in found["figures"] if one["case"] in SHOWN and (one["run"] or one["too_long"])]
    rows = max(one["rows"] for one in figures)
    figures = [one for one in figures if one["rows"] == rows]
    clients = sorted({one["peer"] for one in figures}, key=lambda peer: (peer != "bulkforce", peer))
    lines = [
        f"{rows:,} records: seconds of CPU and most memory, whole process.",
        "",
        f"| client | {' | '.join(SHOWN)} |",
        f"| --- |{' ---: |' * len(SHOWN)}",
        *(f"| {peer} | {' | '.join(_cell(figures, case, peer) for case in SHOWN)} |" for peer in clients),
        "",
        machine(found["about"]),
    ]
    return "\n".join(lines)


def _cell(figures: Sequence[dict[str, Any]], case: str, peer: str) -> str:
    found = next((one for one in figures if one["case"] == case and one["peer"] == peer), None)
    if found is None:
        return ""
    run = found["run"]
    if run is None:
        return str(found["problem"])
    text = f"{run['cpu_seconds']:.1f} s, {run['peak_mb']:,.0f} MB"
    return f"**{text}**" if peer == "bulkforce" else text


def whole(found: dict[str, Any]) -> str:
    """Write the table of all cases."""
    lines = [
        "| work | client | rows | wall s | CPU s | of the mark | peak MB | calls | MB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found["figures"]:
        start = f"| {one['case']} | {one['peer']} | {one['rows']:,} |"
        run = one["run"]
        if run is None:
            lines.append(f"{start} {one['problem']} | | | | | |")
            continue
        ratio = f"{one['ratio']:.1f} x" if one["ratio"] else ""
        lines.append(
            f"{start} {run['wall_seconds']:.2f} | {run['cpu_seconds']:.2f} | {ratio} | {run['peak_mb']:.0f} "
            f"| {run['calls']:,} | {run['bytes_mb']:.0f} |"
        )
    return "\n".join([*lines, "", machine(found["about"])])


def write(found: dict[str, Any]) -> None:
    """Write the results of a whole run into both pages."""
    replace(README, "bench", compared(found))
    replace(PAGE, "bench", whole(found))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    write(json.loads(parser.parse_args().results.read_text("utf-8")))


if __name__ == "__main__":
    main()
