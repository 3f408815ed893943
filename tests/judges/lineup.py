"""The judges: clients that others wrote, each in an environment of its own, let loose on an emulated org."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkforce_emulator import Emulator, Pace

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
SCHEMA = {
    "Contact": {"fields": {"Badge__c": "string(20) unique external_id"}},
    "Account": {"fields": {"Number__c": "string(20) unique external_id"}},
}
_SECONDS = 120

#: Values that clients and servers like to damage, each the Description of one contact.
NASTY: tuple[str | None, ...] = (
    'a "quoted" word',
    '"',
    "one, two",
    "one\ntwo",
    "one\r\ntwo",
    "one\rtwo",
    "tab\there",
    "grüße, žluť, 中文",
    "\N{GRINNING FACE}\N{MATHEMATICAL BOLD SCRIPT CAPITAL A}",
    "NA",
    "null",
    "007",
    "=1+1",
    "<b>&amp;</b>",
    "back\\slash",
    "",
    None,
)


def as_json_keeps_it() -> dict[str, str | None]:
    """The nasty values by their place, as the org has them when they came as JSON: an empty text is null."""
    return {str(place): value or None for place, value in enumerate(NASTY)}


def as_csv_keeps_it() -> dict[str, str | None]:
    """The same when they came as CSV: the platform's parser makes every line end within a value a line feed."""
    return {
        place: value and value.replace("\r\n", "\n").replace("\r", "\n") for place, value in as_json_keeps_it().items()
    }


@dataclass(frozen=True)
class Verdict:
    """What a client saw in each case, and the org as it left it."""

    org: Emulator
    seen: dict[str, dict[str, Any]]

    def saw(self, case: str) -> Any:
        """What the client got; it must not have failed."""
        assert "raised" not in self.seen[case], self.seen[case]
        return self.seen[case]["saw"]

    def raised(self, case: str) -> tuple[str, str]:
        """Name and text of the error that the client raised."""
        assert "raised" in self.seen[case], self.seen[case]
        return self.seen[case]["raised"], self.seen[case]["message"]

    def contacts(self, department: str, field: str = "LastName") -> list[Any]:
        """That field of a case's contacts as the org keeps them."""
        return [record[field] for record in self.org.records("Contact") if record["Department"] == department]

    def descriptions(self) -> dict[str, str | None]:
        """The nasty values as the org keeps them, by their place."""
        return {
            record["LastName"]: record["Description"]
            for record in self.org.records("Contact")
            if record["Department"] == "nasty"
        }


def judge(
    command: Sequence[str | Path], org: Emulator, environment: dict[str, str] | None = None, **more: str
) -> Verdict:
    """Let a client's script run, and read what it says.

    Args:
        command: How it is started.
        org: What it works on.
        environment: Variables that its libraries look at.
        more: What its cases need to know besides where the org is.
    """
    about = {
        "base_url": org.base_url, "session_id": org.session_id, "username": org.username, "password": org.password,
        "client_id": org.client_id, "client_secret": org.client_secret, "refresh_token": org.refresh_token,
    }  # fmt: skip
    given = {
        **os.environ,
        **(environment or {}),
        "EMULATED_ORG": json.dumps(about | more),
        "NASTY_VALUES": json.dumps(NASTY),
    }
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return Verdict(org, json.loads(done.stdout))


def org(**options: Any) -> Emulator:
    """An org for one judge: batches are done at once, so that no client waits for its own poll interval."""
    return Emulator(schema=SCHEMA, pace=Pace.instant(), **options)


def python(name: str) -> Path:
    """The interpreter of a client's environment."""
    return ROOT / ".judges" / name / "bin" / "python"
