"""How the emulator words what it says: a text with facts in it, and Salesforce's spelling of states and operations."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


def spelled(state: StrEnum) -> str:
    """A state of a job or batch as Salesforce spells it: `in_progress` is `InProgress`."""
    return "".join(word.capitalize() for word in state.split("_"))


def spelled_operation(operation: StrEnum) -> str:
    """An operation as Salesforce spells it: `hard_delete` is `hardDelete`."""
    first, *more = operation.split("_")
    return first + "".join(word.capitalize() for word in more)


class Text(NamedTuple):
    """A code and the words that go with it; `{names}` are filled in."""

    code: str
    words: str

    def said(self, **facts: object) -> str:
        """The words with their facts filled in; states are spelled as Salesforce spells them."""
        written = {name: spelled(fact) if isinstance(fact, StrEnum) else fact for name, fact in facts.items()}
        return self.words.format(**written)


def spelled_line_end(line_end: str) -> str:
    """A line end as Salesforce names it."""
    return {"\n": "LF", "\r\n": "CRLF"}[line_end]
