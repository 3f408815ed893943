"""XML records, one at a time: an ``sObjects`` document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.values import Value
from bulkforce.protocol.wire_xml import SCHEMA_INSTANCE

_NIL: Final = f"{{{SCHEMA_INSTANCE}}}nil"
_ROOT, _RECORD, _FIELD, _PARENT, _PARENT_FIELD = 1, 2, 3, 4, 5


def sobjects(blocks: Iterable[bytes]) -> Iterator[Mapping[str, Value]]:
    """Read an ``sObjects`` document in constant memory.

    Raises:
        UsageError: It is empty.
        FormatError: The content is not such a document; the error gives the record.
    """
    records = _Records()
    parser = ET.XMLParser(target=records)
    empty = True
    for block in blocks:
        _parse(partial(parser.feed, block), records)
        empty = False
        yield from records.take()
    if empty:
        raise UsageError("The source is empty")
    _parse(parser.close, records)
    yield from records.take()


def _parse(step: Callable[[], object], records: _Records) -> None:
    try:
        step()
    except FormatError:
        raise
    except ET.ParseError as error:
        line, column = error.position
        raise FormatError(
            f"Not well-formed XML at line {line}, column {column}: {error}", row=records.count or None
        ) from error
    except (LookupError, ValueError) as error:
        raise FormatError(f"The XML declares an encoding that cannot be read: {error}") from error


class _Records:
    """A parser's target that collects records: their fields, and those of their parents."""

    def __init__(self) -> None:
        self.count = 0
        self._whole: list[dict[str, Value]] = []
        self._depth = 0
        self._record: dict[str, Value] = {}
        self._parent: dict[str, Value] | None = None
        self._nil = False
        self._text: list[str] = []

    def take(self) -> list[dict[str, Value]]:
        """Return the complete records, and forget them."""
        whole, self._whole = self._whole, []
        return whole

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._refuse_text()
        self._depth += 1
        name = _local(tag)
        if self._depth == _ROOT and name != "sObjects":
            raise FormatError(f"XML content must be an sObjects document, not {arguments.shown(name)}")
        if self._depth == _RECORD:
            self.count += 1
            self._record = {}
        if self._depth in {_RECORD, _PARENT} and name != "sObject":
            raise FormatError(f"Expected an sObject element, not {arguments.shown(name)}", row=self.count)
        if self._depth == _PARENT:
            if self._parent is not None:
                raise FormatError("A field has two parent records; only one is allowed", row=self.count)
            self._parent = {}
        if self._depth > _PARENT_FIELD:
            raise FormatError(
                "A parent record must be named by one of its own fields, not by its parent's",
                row=self.count,
                column=name,
            )
        self._nil = attributes.get(_NIL, "") in {"true", "1"}
        self._text = []

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        value = None if self._nil else "".join(self._text)
        if self._depth == _PARENT_FIELD:
            assert self._parent is not None
            name = _local(tag)
            self._set(self._parent, *(("attributes", {"type": value}) if name == "type" else (name, value)))
        elif self._depth == _FIELD and self._parent is None:
            self._set(self._record, _local(tag), value)
        else:
            self._refuse_text()
            if self._depth == _FIELD:
                self._set(self._record, _local(tag), self._parent)
                self._parent = None
            elif self._depth == _RECORD:
                self._whole.append(self._record)
        self._nil = False
        self._text = []
        self._depth -= 1

    def _refuse_text(self) -> None:
        if self._text and not "".join(self._text).isspace():
            raise FormatError("Text where only elements are allowed", row=self.count or None)

    def _set(self, record: dict[str, Value], name: str, value: Value) -> None:
        if name in record:
            raise FormatError("A field appears twice in a record", row=self.count, column=name)
        record[name] = value

    def doctype(self, _name: str, _pubid: str | None, _system: str | None) -> None:
        raise FormatError("XML with a DOCTYPE is refused: it can declare entities")

    def close(self) -> None:
        pass


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
