"""What many errors have in common: their texts without the values that differ from row to row."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cached_property
from string import Formatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.texts import BatchTexts, RowTexts, Texts
    from bulkforce_emulator.words import Text

#: Stands for what was left out.
_LEFT_OUT = "…"
#: Facts of a text that are values of one row or batch; others, such as labels, say what is wrong.
_VALUES = frozenset({"value", "id", "row", "given"})
#: Ids differ from row to row in texts of others, too: those of triggers and validation rules.
_ID = re.compile(r"\b(?=[A-Za-z]*\d)[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\b")


class Causes:
    """The causes of errors, by the texts that an org uses."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def of_row(self, code: str, message: str) -> str:
        """The message of a record's error without its values."""
        return _common(self._rows.get(code, ()), message)

    def of_batch(self, state_message: str) -> str:
        """The state message of a failed batch without its values."""
        code, _, message = state_message.partition(" : ")
        common = _common(self._batches.get(code, ()), message)
        return f"{code} : {common}" if message else state_message

    @cached_property
    def _rows(self) -> dict[str, list[re.Pattern[str]]]:
        return _patterns(self._texts.rows)

    @cached_property
    def _batches(self) -> dict[str, list[re.Pattern[str]]]:
        return _patterns(self._texts.batches)


def _patterns(texts: RowTexts | BatchTexts) -> dict[str, list[re.Pattern[str]]]:
    """The texts with values, by code."""
    found: dict[str, list[re.Pattern[str]]] = {}
    for field in fields(texts):
        text: Text = getattr(texts, field.name)
        parts = list(Formatter().parse(text.words))
        if any(name in _VALUES for _, name, _, _ in parts) and any(words.strip() for words, *_ in parts):
            found.setdefault(text.code, []).append(re.compile("".join(_pieces(parts)), re.DOTALL))
    return found


def _pieces(parts: Iterable[tuple[str, str | None, str | None, str | None]]) -> Iterable[str]:
    """A group for each piece: those of values have a name."""
    for number, (words, name, _, _) in enumerate(parts):
        yield f"({re.escape(words)})"
        if name is not None:
            yield f"(?P<value{number}>.*?)" if name in _VALUES else "(.*?)"


def _common(patterns: Iterable[re.Pattern[str]], message: str) -> str:
    for pattern in patterns:
        found = pattern.fullmatch(message)
        if found is not None:
            values = {pattern.groupindex[name] for name in pattern.groupindex}
            return "".join(
                _LEFT_OUT if number in values and piece else piece for number, piece in enumerate(found.groups(), 1)
            )
    return _ID.sub(_LEFT_OUT, message)
