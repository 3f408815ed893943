"""The table in the README, from the figures of a run: `python -m bench.readme bench/results.json`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

README: Final = Path(__file__).parents[1] / "README.md"
SHOWN: Final = ("load CSV", "load CSV, 2.0", "extract to CSV", "extract to CSV, 2.0", "load CSV, 50 ms and 1 s a batch")
"""Which cases are shown; clients only as they are beside us in them."""
HIDDEN: Final = {"sketch", "curl"}
"""The marks, which are no clients."""


def table(found: dict[str, Any]) -> str:
    """Write the table, and below it what it was measured on."""
    rows = [
        "| {case} | {peer} | {rows:,} | {run[wall_seconds]:.1f} | {run[cpu_seconds]:.1f} | {run[peak_mb]:.0f} |".format(
            **figure
        )
        for figure in sorted(found["figures"], key=lambda figure: -figure["rows"])
        if figure["case"] in SHOWN and figure["run"] and figure["peer"] not in HIDDEN
    ]
    ordered = sorted(rows, key=lambda row: SHOWN.index(row.split(" | ")[0].removeprefix("| ")))
    about = found["about"]
    return "\n".join(
        [
            "| work | client | rows | wall s | CPU s | peak MB |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
            *ordered,
            "",
            f"{about['date']}, {about['processors']} processors, {about['machine']}, Python {about['python']}.",
        ]
    )


def put(text: str, found: dict[str, Any]) -> str:
    """Put the table between its marks."""
    put_in = f"<!-- bench:begin -->\n{table(found)}\n<!-- bench:end -->"
    return re.sub(r"<!-- bench:begin -->.*<!-- bench:end -->", lambda _: put_in, text, flags=re.DOTALL)


if __name__ == "__main__":
    results = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    README.write_text(put(README.read_text("utf-8"), results), "utf-8")
