"""The report of a verification, in Markdown, for an issue: nothing in it identifies an org or a record."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from bulkforce.verify.questions import OPEN, QUESTIONS
from bulkforce.verify.run import Left, Org, Outcome


def report(outcomes: Sequence[Outcome], org: Org, left: Left, about: str) -> str:
    """Write the report.

    Args:
        outcomes: What came of each question.
        org: What kind of org it was.
        left: What could not be cleaned up.
        about: Versions and the day.
    """
    answered = [one for one in outcomes if one.value is not None]
    others = [one for one in answered if one.value != one.question.assumed]
    kind = "a sandbox or scratch org" if org.is_sandbox else "a trial" if org.is_trial else "no sandbox"
    rows = [f"| `{one.question.id}` | {one.question.text} | {_answer(one)} | {_cell(one.seen)} |" for one in outcomes]
    return "\n".join(
        [
            f"# bulkforce verify: {len(answered)} of {len(outcomes)} questions answered",
            "",
            f"{about}; {org.edition}, {kind}. {len(others)} answers are not what the emulator assumes (in bold).",
            *_left(left),
            "",
            "| setting | question | answer | seen |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def shown(value: object) -> str:
    """Write a value of a setting."""
    return json.dumps(value, ensure_ascii=False)


def without_ids(text: str) -> str:
    """Take out what looks like an id of Salesforce: 15 or 18 letters and digits, at least three of them digits."""
    return re.sub(
        r"\b[0-9a-zA-Z]{15}(?:[0-9A-Z]{3})?\b",
        lambda found: "<id>" if sum(letter.isdigit() for letter in found[0]) >= 3 else found[0],
        text,
        flags=re.ASCII,
    )


def page() -> str:
    """Write the documentation's page about all questions."""
    parts = [_HEAD]
    for api in dict.fromkeys(one.api for one in QUESTIONS):
        parts += ["", f"## {api}", "", "| setting | question | the emulator assumes | how it is tried |"]
        parts += ["| --- | --- | --- | --- |"]
        parts += [
            f"| `{one.id}` | {one.text} | `{shown(one.assumed)}` | {one.tried} |" for one in QUESTIONS if one.api == api
        ]
    parts += ["", "## What we cannot try", "", "| API | question | because | setting |"]
    parts += ["| --- | --- | --- | --- |"]
    parts += [f"| {one.api} | {one.text} | {one.because} | {_names(one.settings)} |" for one in OPEN]
    return "\n".join([*parts, ""])


def _left(left: Left) -> list[str]:
    if left == Left(0, 0):
        return []
    records = "perhaps some" if left.records is None else left.records
    return [f"Left behind: {records} records, {left.jobs} open jobs."]


def _names(settings: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in settings)


def _answer(one: Outcome) -> str:
    if one.value is None:
        return "?"
    text = f"`{shown(one.value)}`"
    return text if one.value == one.question.assumed else f"**{text}**"


def _cell(text: str) -> str:
    return " ".join(without_ids(text).split()).replace("|", "\\|")[:200]


_HEAD = """# What we do not know

Made from the table of `bulkforce verify`, by `make docs`; a test fails when it is not current.

bulkforce was built from public documentation and recordings. What they leave open is a setting of the emulator, and a question here. bulkforce itself relies on none of the answers.
Do you have a scratch org, a sandbox or a Developer Edition? One command answers most of the questions.

## How you can help

**Make the object that is written**, and give yourself its permission set. Its name begins with a prefix that you choose, and nothing else is written:

```sh
bulkforce verify --prefix bfv_ --write-object verify-object
cd verify-object
sf project deploy start --target-org dev
sf org assign permset --name bulkforce_verify --target-org dev
```

**Try the questions.** It says what it will do, and asks:

<!-- invisible-code-block: python
stand_ins["--org dev --prefix bfv_"] = "--emulator --only locators"
-->

```sh
bulkforce verify --org dev --prefix bfv_ > report.md
```

**Read `report.md`**, and paste it into an issue of the kind "Answers from an org". It holds no id, name, address or token of the org.

It writes about 500 small records into `bfv_Record__c`, whose names are `bulkforce-verify`, and deletes them at the end; they can be found in the recycle bin. It reads that object, and of the
rest of the org only whether it is a sandbox, and a list of jobs that should be empty. It makes about 80 jobs and 600 to 1,000 API calls, and stops at 2,000 (`--max-api-calls`), but for those that clean up. It refuses an org that is neither a sandbox, a scratch org, a trial nor a
Developer Edition, unless you say `--production`. To see it first, without an org: `bulkforce verify --emulator`."""
