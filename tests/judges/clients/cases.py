"""What the judges' scripts share: every case is run, and what it saw, or the error that it raised, is printed as
JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Case = Callable[[], Any]

ORG: dict[str, str] = json.loads(os.environ["EMULATED_ORG"])
"""Where the org is and who may come in."""

VALUES: list[str | None] = json.loads(os.environ["NASTY_VALUES"])
"""Values that clients and servers like to damage."""


def run(cases: dict[str, Case]) -> None:
    """Run every case and print what each one saw."""
    seen = {}
    for name, case in cases.items():
        try:
            seen[name] = {"saw": case()}
        except Exception as error:  # noqa: BLE001 - the test decides whether it was wanted
            seen[name] = {"raised": type(error).__name__, "message": str(error)}
    json.dump(seen, sys.stdout)
