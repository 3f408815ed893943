"""What the wire says is translated in `bulkforce.apis`; a run knows neither its states nor its error codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bulkforce
from bulkforce import vocabulary
from bulkforce.vocabulary import ColumnDelimiter, ConcurrencyMode, LineEnding, Operation

ROOMS = ("load", "extract", "run")
OURS = {Operation.__name__, ColumnDelimiter.__name__, ConcurrencyMode.__name__, LineEnding.__name__}
"""What a user says in the API's own words."""

STATES = {state.value for words in (vocabulary.JobState, vocabulary.BatchState) for state in words}
CODE = re.compile(r"(Invalid|ClientInput|Feature|Exceeded|Unsupported|InternalServer)[A-Z]\w+|[A-Z]{3,}_[A-Z_]{3,}")
REPORTED = {"IN_DOUBT"}
"""What our own reports say."""
VARIABLES = {"ARROW_DEFAULT_MEMORY_POOL"}
"""Of the environment; their spelling is that of error codes."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    root = Path(bulkforce.__file__).parent
    for room in ROOMS:
        for path in (root / room).rglob("*.py"):
            yield path, ast.parse(path.read_text("utf-8"))


def test_runs_take_no_states_from_the_wire() -> None:
    for path, tree in sources():
        names = {
            name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == vocabulary.__name__
            for name in node.names
        }
        assert names <= OURS, path


def test_runs_write_no_states_and_no_error_codes() -> None:
    for path, tree in sources():
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not texts & STATES, path
        assert not {text for text in texts if CODE.fullmatch(text)} - REPORTED - VARIABLES, path
