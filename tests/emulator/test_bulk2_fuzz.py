"""Whatever is uploaded to Bulk API 2.0, the job comes to its end, and each row is in one file. Seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from tests.emulator.test_fuzz import SCHEMA, VALUES
from tests.emulator.wire2 import Wire2, rows

from bulkforce_emulator import Emulator, Pace

DELIMITERS = {"BACKQUOTE": "`", "COMMA": ",", "TAB": "\t"}
LINE_ENDS = {"LF": "\n", "CRLF": "\r\n"}
MARKS = ["a", "b", '"', '""', "\n", "\r", "5", "1e9", "#N/A", "\ufeff", "é", "\0", " "]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire2]:
    with Emulator(schema=SCHEMA, pace=Pace.instant()) as org:
        yield Wire2(org)


def check(wire: Wire2, job: str, delimiter: str) -> str:
    """The state of an ended job, whose files must agree with it."""
    seen = wire.job(job)
    assert seen["state"] in {"JobComplete", "Failed"}
    assert "InternalServerError" not in seen.get("errorMessage", "")
    files = wire.files(job)
    if seen["state"] == "Failed":  # what could not be read comes back as it was sent, and need not be CSV
        assert seen["numberRecordsProcessed"] == 0
        return "Failed"
    counts = [max(0, len(rows(text.replace("\0", "0"), delimiter)) - 1) for text in files[:2]]
    assert counts == [
        seen["numberRecordsProcessed"] - seen["numberRecordsFailed"],
        seen["numberRecordsFailed"],
    ], seen
    return str(seen["state"])


@pytest.mark.parametrize("seed", range(4))
def test_files_of_any_kind(wire: Wire2, seed: int) -> None:
    chance = random.Random(seed)
    states = set()
    for _ in range(40):
        name, between = chance.choice(list(DELIMITERS.items()))
        line_ending, end = chance.choice(list(LINE_ENDS.items()))
        head = chance.choice(["Name", f"Name{between}Site", f'"Name"{between}AnnualRevenue', ""])
        marks = chance.choices([*MARKS, between, end, end], k=chance.randrange(20))
        job = wire.load(head + end + "".join(marks), columnDelimiter=name, lineEnding=line_ending)
        states.add(check(wire, job, between))
    assert states == {"JobComplete", "Failed"}


@pytest.mark.parametrize(
    "field",
    ["Double__c", "Currency__c", "Int__c", "Boolean__c", "Date__c", "Moment__c", "Time__c", "Text__c", "Pick__c"],
)
def test_values_of_any_kind_in_a_field_of_each_type(wire: Wire2, field: str) -> None:
    lines = ['"' + value.replace('"', '""') + '"' for value in VALUES if "\0" not in value]
    job = wire.load(
        f"Key__c,{field}\n" + "".join(f"{field[:5]}{n},{line}\n" for n, line in enumerate(lines)), "insert", "Odd__c"
    )
    assert check(wire, job, ",") == "JobComplete"
    assert wire.job(job)["numberRecordsProcessed"] == len(lines)
