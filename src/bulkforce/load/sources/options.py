"""How a source is to be read, where it does not say so itself."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Final

from bulkforce import arguments
from bulkforce.errors import UsageError

AUTO: Final = "auto"
NO_QUOTE: Final = "none"
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "^": "caret"}
"""What usually stands between the columns of a file, and the names that an option may give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to read a source; `None` means that the source tells.

    Attributes:
        delimiter: The character between the columns of a text file, or its name: ``comma``, ``semicolon``, ``tab``,
            ``pipe`` or ``caret``; ``auto``, like ``None``: the header tells.
        encoding: The name of a text file's encoding.
        quote: The character around values of a text file, or ``none`` if there is none.
        sheet: The name of a workbook's sheet, or its number from 1.
        columns: The names of the columns of records that are lists.
    """

    delimiter: str | None = None
    encoding: str | None = None
    quote: str | None = None
    sheet: str | int | None = None
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        delimiter, quote = _delimiter(self.delimiter), _quote(self.quote)
        if delimiter is not None and delimiter == quote:
            raise UsageError("delimiter and quote must be different characters")
        for name, value in (
            ("delimiter", delimiter),
            ("quote", quote),
            ("encoding", _encoding(self.encoding)),
            ("sheet", _sheet(self.sheet)),
            ("columns", _columns(self.columns)),
        ):
            object.__setattr__(self, name, value)

    def refuse_but(self, *names: str, kind: str) -> None:
        """Refuse options that have no meaning for a kind of source.

        Raises:
            UsageError: One is given that is not among ``names``.
        """
        for option in fields(self):
            if option.name not in names and getattr(self, option.name) is not None:
                raise UsageError(f"{option.name} has no meaning for {kind}; leave it out")


def _delimiter(given: object) -> str | None:
    if given is None:
        return None
    text = arguments.text(given, "delimiter")
    if text == AUTO:
        return None
    # In a shell, a tab is easier to name than to type.
    names = {name: mark for mark, name in DELIMITERS.items()} | {"\\t": "\t"}
    mark = names.get(text.lower(), text)
    if not _may_mark(mark) or mark == '"':
        known = ", ".join((*DELIMITERS.values(), AUTO))
        raise UsageError(
            f"delimiter must be one character of ASCII that is no letter, digit or double quote, or one of {known}, "
            f"not {arguments.shown(text)}"
        )
    return mark


def _quote(given: object) -> str | None:
    if given is None:
        return None
    text = arguments.text(given, "quote")
    if text != NO_QUOTE and not _may_mark(text):
        raise UsageError(
            f"quote must be one character of ASCII that is no letter or digit, or {NO_QUOTE}, "
            f"not {arguments.shown(text)}"
        )
    return text


def _may_mark(text: str) -> bool:
    return len(text) == 1 and text.isascii() and not text.isalnum() and text not in "\r\n\0"


def _encoding(given: object) -> str | None:
    if given is None:
        return None
    text = arguments.text(given, "encoding")
    # Decoding an empty value asks no codec.
    with suppress(LookupError, ValueError):
        b" ".decode(text, "replace")
        return codecs.lookup(text).name
    raise UsageError(
        f"{arguments.shown(text)} is not the name of an encoding of text that Python knows, such as windows-1252, "
        "utf-16 or shift-jis"
    )


def _sheet(given: object) -> str | int | None:
    if given is None or isinstance(given, str):
        return None if given is None else arguments.text(given, "sheet")
    return arguments.count(given, "sheet, unless it is a name,", 1)


def _columns(given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise UsageError("columns must be a list of names")
    names = tuple(arguments.text(name, "Each of columns") for name in given)
    if not names or not all(name.strip() for name in names):
        raise UsageError("columns must name each column of the records")
    lowered = [name.lower() for name in names]
    if twice := next((name for name in names if lowered.count(name.lower()) > 1), None):
        raise UsageError(f"columns names {arguments.shown(twice)} twice")
    return names
