"""Write `emulator-fidelity.md` from the emulator's code and from `conformance/`, and beside it the page of `bulkforce verify`: `make docs`.

What the emulator does comes from the code, how sure we are of it from the conversations; only what is missing is a list
kept here.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bulkforce.verify import report
from bulkforce_emulator import bulk2_texts, faults, mishaps, settings, texts, words
from bulkforce_emulator.emulator import Emulator
from bulkforce_emulator.schema import TYPES
from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.state.lifecycle import BATCH_MOVES, JOB_MOVES
from bulkforce_emulator.wire import oauth, rest, soap
from bulkforce_emulator.wire.resources import NOT_ALLOWED

HERE = Path(__file__).parent
PAGE = HERE / "emulator-fidelity.md"
GRADES = {
    "recorded": "a real server sent this, in a recording or an issue that is public",
    "guide": "Salesforce's developer guide says so",
    "client": "not shown anywhere, but a released client depends on it",
    "inferred": "follows from the above; no one has seen it, and the emulator is not held to it",
}
NOT_EMULATED = (
    ("Bulk API 2.0: big objects, `refresh`, `consentImport`", "refused"),
    ("Bulk API 2.0: platform events (`BulkApi2JobEvent`)", "none are sent: clients ask"),
    (
        "Code and rules of an org, unless a schema has them",
        (
            "the schema's triggers run before a write, once, and see only their own records; nothing runs after it; no "
            "Apex, flows or assignment rules (assignment rule ids are accepted and ignored); the formulas of validation "
            "rules know the commonest functions; duplicate rules compare whole values, letter case aside, and look for "
            "duplicates among stored records, not among those of the same transaction; the Bulk API has no way to allow them"
        ),
    ),
    (
        "Rights",
        (
            "one user; hardDelete's permission is a setting; field-level security and sharing where the schema says so: "
            "owners and share records, without roles, groups, territories or objects that are controlled by a parent; "
            "fields of a parent that is not shared are null, and a lookup by external id finds it and is then refused"
        ),
    ),
    (
        "Several currencies, translations, person accounts",
        (
            "one currency unless the schema lists more (amounts are not converted), one language, business accounts unless "
            "the schema switches person accounts on (their contacts follow them, but not the other way round)"
        ),
    ),
    (
        "200-row transactions",
        (
            "rows are written together, unless they can look each other up by external id, or the object has triggers or "
            "duplicate rules: then a row finds those of earlier transactions"
        ),
    ),
    (
        "Formula fields of an org of your own (`Emulator.from_describe`)",
        "empty: describe does not tell what can be evaluated; standard ones (Name, IsClosed) are there",
    ),
    ("Namespaces of packages", "`Sforce-Call-Options: defaultNamespace=` is accepted and ignored"),
    ("Undelete, merge, convertLead, the recycle bin", "deleted records stay deleted, and `queryAll` finds them"),
    ("Search (SOSL), Tooling beyond queries, Metadata, Streaming, Pub/Sub, Reports, Connect", "unknown paths"),
    ("Composite graphs; other resources than records, queries and limits in a composite request", "unknown paths"),
    ("TYPEOF in bulk queries: fields of a parent (`THEN Owner.Name`)", "refused as `MALFORMED_QUERY`"),
    ("SOQL over REST: TYPEOF, GROUP BY ROLLUP and CUBE, DISTANCE, WITH DATA CATEGORY", "refused as `MALFORMED_QUERY`"),
    ("REST and tokens in XML or as forms", "answers are JSON, whatever is accepted or asked for with `format=`"),
    ("Records found more than once by an external id", "an error, without the list of them"),
    ("Query plans (`explain`), `If-Modified-Since`", "refused as if they were queries; `If-Modified-Since` is ignored"),
    ("SOAP beyond `login`, `logout` and `getUserInfo`", "a fault"),
    ("Logins", "no device flow, no multi-factor, no IP ranges, no session policies"),
    ("Time zones and locales of users", "dates are read and written in UTC"),
    (
        "Jobs after a restart",
        "`--persist` keeps records and credentials; jobs, batches and the ledger live as long as the process",
    ),
    ("Server load", "locks, time-outs and retries happen only when they are scripted"),
)


def conversations() -> Iterator[tuple[str, str, str]]:
    """Yield call, format of the answer and confidence of each exchange that the emulator is held to."""
    for file in sorted((HERE.parent / "conformance").glob("*.toml")):
        told = tomllib.loads(file.read_text("utf-8"))
        for exchange in told["exchange"]:
            request = exchange.get("request")
            if request is None or not exchange.get("emulator", told.get("emulator", True)):
                continue
            path = re.sub(r"/(async|data|Soap/u)/v?\d+\.\d", r"/\1/vXX", request["path"].partition("?")[0].rstrip("/"))
            path = re.sub(r"\{[\w.]+\}|/(75[012])\w+", lambda found: f"/{{{found[1]}}}" if found[1] else "{id}", path)
            path = path.replace("invalidJobId000", "{id}")
            headers = {
                name.lower(): str(value) for name, value in exchange.get("answer", {}).get("headers", {}).items()
            }
            yield (
                f"{request['method']} {path}",
                headers.get("content-type", "any"),
                exchange.get("confidence", told["confidence"]),
            )


def comments(path: str, first: str, last: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and the `#:` comment of the fields between two lines of a module; neighbours without one
    share the last.
    """
    text = Path(path).read_text("utf-8").partition(first)[2]
    comment: list[str] = []
    fresh = True
    for line in (text.partition(last)[0] if last else text).splitlines():
        if told := re.match(r"    #: ?(.*)", line):
            comment = [told[1]] if fresh else [*comment, told[1]]
            fresh = False
        elif found := re.match(r"    (\w+): [^=]+ = (.+?)(?:  #.*)?$", line):
            fresh = True
            words = " ".join(comment)
            yield found[1], found[2], words[:1].upper() + words[1:]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def conformance_table() -> str:
    """Write how many exchanges of each grade there are for each call."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for call, _, confidence in conversations():
        counts[call][confidence] += 1
    grades = [grade for grade in GRADES if grade != "inferred"]
    return table(
        ["call", *grades],
        ([f"`{call}`", *(found[grade] or "" for grade in grades)] for call, found in sorted(counts.items())),
    )


def routes_table() -> str:
    """Write the paths around the Bulk API that are answered."""
    with_slash: dict[str, set[str]] = defaultdict(set)
    org = Emulator()
    for route in [*rest.routes(org.state), *oauth.routes(org.state), *soap.routes(org.state)]:
        if route.name != NOT_ALLOWED:
            with_slash[route.path.rstrip("/")] |= (route.methods or set()) - {"HEAD"}
    org.stop()
    known = {path: methods for path, methods in with_slash.items() if not path.endswith("{rest:path}")}
    return table(
        ["path", "methods"],
        ([f"`{re.sub(':[a-z]+}', '}', path)}`", ", ".join(sorted(methods))] for path, methods in sorted(known.items())),
    )


def texts_table(
    group: type[
        texts.CallTexts
        | texts.BatchTexts
        | texts.RowTexts
        | texts.QueryTexts
        | texts.LoginTexts
        | bulk2_texts.Bulk2Texts
    ],
) -> str:
    """Write the texts of one group, the surest first."""
    said = group()
    rows: list[list[object]] = []
    for name, _, sure in comments(sys.modules[group.__module__].__file__ or "", f"class {group.__name__}:", "\n\n\n"):
        text = getattr(said, name)
        rows.append([f"`{name}`", f"`{text.code}`", " ".join(text.words.split()), sure[:1].lower() + sure[1:]])
    return table(["text", "code", "words", "how sure"], rows)


def moves_table(moves: dict[Any, frozenset[Any]]) -> str:
    """Write the moves between states."""
    return table(
        ["from", "to"],
        (
            [words.spelled(state), ", ".join(sorted(map(words.spelled, after))) or "(the end)"]
            for state, after in moves.items()
        ),
    )


def fault_kinds() -> str:
    """Write what can go wrong on the wire."""
    text = Path(faults.__file__).read_text("utf-8").partition("Kind = Literal[")[2].partition("]\n")[0]
    return table(
        ["fault", "what happens"], ([f"`{kind}`", what] for kind, what in re.findall(r'"([^"]+)",  # (.+)', text))
    )


def page() -> str:
    """Write the whole page."""
    schema = load_schema()
    objects = (
        [f"`{one.name}`", one.key_prefix, len(one.fields)]
        for one in sorted(schema.sobjects.values(), key=lambda one: one.name)
    )
    graded = Counter(confidence for _, _, confidence in conversations())
    return f"""# What the emulator does, and how sure we are

Made by `docs/fidelity.py` from the code and from [`conformance/`](../conformance/README.md); a test fails when it is not current. Nothing here has been tried against a real org.

## How sure

{table(["grade", "means", "exchanges the emulator is held to"], ([grade, what, graded[grade] or ""] for grade, what in GRADES.items()))}
Clients that others wrote run against it in our tests, too: [the judges](../tests/judges/README.md).

## Not emulated

{table(["what", "instead"], NOT_EMULATED)}
## The Bulk API and logins, call by call

How many conversations of each grade the emulator is held to, word for word where they were recorded.

{conformance_table()}
## Around it

These calls are answered so that clients can log in, look around and handle single records. Their form follows public documentation and what clients read of them, which is less than a
recording: trust the names and types in an answer, but not that nothing is missing.

{routes_table()}
## States

Jobs:

{moves_table(dict(JOB_MOVES))}
Batches; one that is put back goes from InProgress to Queued:

{moves_table(dict(BATCH_MOVES))}
## Not known: choices that are settings

What public sources leave open is a setting: `Emulator(settings=Settings(...))`. The defaults are our choice, not facts about Salesforce. [What we do not know](what-we-do-not-know.md) says how a scratch org can tell.

{table(["setting", "default", "what is open"], ([f"`{name}`", f"`{default}`", what] for name, default, what in comments(settings.__file__, "class Settings:") if name not in {"limits", "texts"}))}
Some things are fixed: a job never fails as a whole (it is not known what makes one `Failed`); a row with several errors reports the first;
columns of parents in CSV are named as they were selected.

In 2.0, these are fixed: `X-SFDC-Session` is ignored, and `Sforce-Limit-Info` always sent; there is no `Location`; a job may be asked for in any version, but its query results only in its own;
an aborted job has no `errorMessage`, and its files grow while a batch still runs; `unprocessedrecords` has the values as they were sent; each link of `resultPages` has a locator,
and `maxRecords` has no upper bound; faults of a query are told when its job is created.

## Limits

The numbers published in 2026, unless a line says otherwise: `Settings(limits=Limits(...))`.

{table(["limit", "default", "of what"], ([f"`{name}`", f"`{default}`", what] for name, default, what in comments(settings.__file__, "class Limits:", "@dataclass")))}
## Texts

What a refusal says, and how sure we are of it: the grades above, and *ours* where no one has seen it. Each can be changed: `Settings(texts=Texts(...))`.
Do not match on words that are ours; codes are surer than words. The texts of REST and SOQL follow public documentation and custom, and are in the code.

A call is refused:

{texts_table(texts.CallTexts)}
A batch fails:

{texts_table(texts.BatchTexts)}
A row fails:

{texts_table(texts.RowTexts)}
Bulk API 2.0 says otherwise; the codes of calls are in capitals, those of `errorMessage` are not:

{texts_table(bulk2_texts.Bulk2Texts)}
A token is refused:

{texts_table(texts.LoginTexts)}
## Objects and types

Objects and fields can be added from a file. Field types: {", ".join(f"`{kind}`" for kind in sorted(TYPES))}.

{table(["object", "key prefix", "fields"], objects)}
## SOQL that a bulk query refuses

Everything else in the grammar is supported: parent paths, conditions, semi-joins, date literals and functions, ORDER BY, LIMIT; over REST also aggregates and children.

{texts_table(texts.QueryTexts)}
## What can go wrong on purpose

On the wire, by method, path and count, from Python (`org.faults.add(Fault(...))`), from a mark of the pytest plugin, or over HTTP (`POST /_emulator/...`):

{fault_kinds()}
Within a batch (`org.mishaps.plan(Mishap(...))`):

{table(["field", "default", "what happens"], ([f"`{name}`", f"`{default}`", what] for name, default, what in comments(mishaps.__file__, "class Mishap:", "    def ")))}"""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    (HERE / "what-we-do-not-know.md").write_text(report.page(), "utf-8")
    print(f"wrote {PAGE.name} and what-we-do-not-know.md", file=sys.stderr)
