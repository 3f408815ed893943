"""The emulator's house: what lies in which room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bulkforce_emulator
from bulkforce_emulator import load_schema
from bulkforce_emulator.schema import TYPES

PACKAGE = Path(bulkforce_emulator.__file__).parent

#: `numberBatchesTotal`, `hardDelete`; `InProgress`; `Sforce-Line-Ending`, `X-SFDC-Session`.
WIRE_SHAPE = re.compile(
    r"(?<![A-Za-z])(?:[a-z]{2,}(?:[A-Z][a-z0-9]+)+|(?:[A-Z][a-z0-9]+){2,}|(?:X|[A-Z][a-z]+)(?:-[A-Z][A-Za-z]+)+)(?![A-Za-z])"
)
#: Spellings of the wire that have only one hump: states, modes, formats and line ends.
WIRE_WORDS = frozenset(
    {"Open", "Closed", "Aborted", "Queued", "Completed", "Failed", "Parallel", "Serial"}
    | {"CSV", "JSON", "XML", "ZIP_CSV", "ZIP_JSON", "ZIP_XML", "LF", "CRLF"}
)
CAMEL_CASE = re.compile(r"_*[a-z]+[a-z0-9]*[A-Z]\w*")
#: What looks like the wire and is not.
EXCEPTIONS = {
    "getLogger": "the standard library's",
    "dateTime": "a type, as refusals of SOQL name it",
    "sObject": "an object, as refusals of SOQL name it",
    "AggregateResult": "an object of which no org has records, as refusals of SOQL name it",
}
MODULES = [*sorted((PACKAGE / "state").rglob("*.py")), *sorted((PACKAGE / "soql").rglob("*.py")), PACKAGE / "schema.py"]


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """All strings but docstrings, with their lines."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names of variables, attributes, arguments, functions and classes."""
    for node in ast.walk(tree):
        for attribute in ("id", "attr", "arg", "name"):
            name = getattr(node, attribute, None)
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), name


def of_the_wire(source: str) -> list[str]:
    """What a module says in the wire's spelling.

    Names of objects, fields and types are the org's data, and those of classes are Python's.
    """
    tree = ast.parse(source)
    classes = {name for _, name in identifiers(tree) if name[:1].isupper()}
    allowed = names_of_the_org() | classes | EXCEPTIONS.keys()
    found = [f"{line}: {text}" for line, text in strings(tree) if text in WIRE_WORDS]
    for line, text in strings(tree):
        found += [f"{line}: {word}" for word in WIRE_SHAPE.findall(text) if word not in allowed]
    return found + [
        f"{line}: {name}" for line, name in identifiers(tree) if CAMEL_CASE.fullmatch(name) and name not in EXCEPTIONS
    ]


@cache
def names_of_the_org() -> frozenset[str]:
    """Objects, fields and types, as Salesforce spells them."""
    sobjects = load_schema().sobjects
    return TYPES | frozenset(sobjects) | {name for sobject in sobjects.values() for name in sobject.fields}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_wire_alone_spells_as_the_wire_does(module: Path) -> None:
    assert of_the_wire(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        'state = "InProgress"',
        'state = "Queued"',
        'members = {"numberBatchesTotal": 1}',
        'words = f"{name} of createdById"',
        'header = "Sforce-Line-Ending"',
        'header = "X-SFDC-Session"',
        "numberBatchesTotal = 1",
        "job.numberRetries += 1",
        "def f(jobId): pass",
        "f(jobId=1)",
    ],
)
def test_what_the_wire_would_say_is_found(line: str) -> None:
    assert of_the_wire(line) != []


@pytest.mark.parametrize(
    "line",
    [
        '"""numberBatchesTotal in a docstring"""',
        'state, field = "in_progress", "SystemModstamp"',
        'query = \'SELECT "Id", "IsDeleted" FROM "OpportunityLineItem"\'',
        'class BatchState: pass\ndef state() -> "BatchState": pass',
        'pattern = "[A-Za-z]+"',
    ],
)
def test_names_of_the_org_and_plain_words_pass(line: str) -> None:
    assert of_the_wire(line) == []
