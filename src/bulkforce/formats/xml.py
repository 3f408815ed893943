"""Records in XML: an ``sObjects`` document.

Source: developer guide, "Valid XML records". ``xsi:nil="true"`` sets null; a missing element leaves the field
unchanged.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from codecs import getincrementaldecoder
from collections.abc import Iterable, Mapping
from typing import Final

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats.csv import Measure, too_long
from bulkforce.formats.text import encoded
from bulkforce.formats.values import Value, plain, text_of
from bulkforce.protocol import limits
from bulkforce.protocol.wire_xml import NAMESPACE, PROLOG, SCHEMA_INSTANCE

_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
# Characters that XML 1.0 cannot contain, not even escaped.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def encode(rows: Iterable[Mapping[str, Value]]) -> bytes:
    """Encode records as an ``sObjects`` document.

    Raises:
        FormatError: A record is not a mapping, or has a name or value that XML cannot contain.
    """
    root = ET.Element("sObjects", {"xmlns": NAMESPACE, "xmlns:xsi": SCHEMA_INSTANCE})
    for place, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise FormatError(f"A record must be a mapping of names to values, not a {type(row).__name__}", row=place)
        try:
            _fill(ET.SubElement(root, "sObject"), row, place)
        except RecursionError as error:
            raise FormatError("The parents of a record are nested too deeply", row=place) from error
    return _document(root)


def encode_element(element: ET.Element) -> bytes:
    """Encode an ``sObjects`` element as it is."""
    return _document(element)


def _document(root: ET.Element) -> bytes:
    try:
        # A parser reads a bare CR as LF; a character reference keeps it.
        text = PROLOG + ET.tostring(root, encoding="unicode").replace("\r", "&#13;")
    except (TypeError, AttributeError, ValueError, RecursionError):
        text = ""
    if not text:
        raise FormatError(
            "The elements cannot be written as XML: a name, an attribute or a text is not a str, "
            "or they are nested too deeply"
        )
    return encoded(text)


def _fill(parent: ET.Element, row: Mapping[str, Value], place: int) -> None:
    for name, value in row.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise FormatError(f"{arguments.shown(name)} cannot be the name of an XML element", row=place)
        element = ET.SubElement(parent, name)
        if plain(value) is None:
            element.set("xsi:nil", "true")
        elif isinstance(value, Mapping):
            _reference(element, value, place)
        else:
            _write(element, value, place, name)


def _write(element: ET.Element, value: Value, place: int, name: str) -> None:
    try:
        element.text = text_of(value)
    except FormatError as error:
        raise FormatError(error.text, row=place, column=name) from error
    if forbidden := _FORBIDDEN.search(element.text):
        raise FormatError(
            f"XML cannot contain the character U+{ord(forbidden[0]):04X}; use CSV", row=place, column=name
        )


def _reference(element: ET.Element, parent: Mapping[str, Value], place: int) -> None:
    """Write a parent: ``<Who><sObject><type>Lead</type><Email>..</Email></sObject></Who>``, the type only if given."""
    inner = ET.SubElement(element, "sObject")
    attributes = parent.get("attributes")
    if isinstance(attributes, Mapping) and "type" in attributes:
        _write(ET.SubElement(inner, "type"), str(attributes["type"]), place, element.tag)
    _fill(inner, {name: value for name, value in parent.items() if name != "attributes"}, place)


class _Counter:
    """A parser target that counts and stores nothing."""

    def __init__(self) -> None:
        self.records = 0
        self.characters = 0
        self._depth = 0
        self._lengths: list[int] = []

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition("}")[2]
        if self._depth == 1 and name != "sObjects":
            raise FormatError(f"XML content must be an sObjects document, not {arguments.shown(name)}")
        if self._depth == 2:
            self.records += 1
            self._lengths = []
            if name != "sObject":
                raise FormatError(f"A record must be an sObject element, not {arguments.shown(name)}", row=self.records)
        if self._depth == 3:
            self._lengths.append(0)

    def data(self, text: str) -> None:
        if self._depth >= 3:
            self._lengths[-1] += len(text)

    def end(self, _tag: str) -> None:
        if self._depth == 2:
            if len(self._lengths) > limits.RECORD_FIELDS:
                raise FormatError(
                    f"A record has at most {limits.RECORD_FIELDS:,} fields, not {len(self._lengths):,}",
                    row=self.records,
                )
            problem = too_long(self._lengths)
            if problem:
                raise FormatError(f"Invalid record: {problem}", row=self.records)
        self._depth -= 1

    def doctype(self, _name: str, _pubid: str | None, _system: str | None) -> None:
        raise FormatError("XML with a DOCTYPE is refused, since it can declare entities")

    def close(self) -> None:
        pass


def measure(blocks: Iterable[bytes]) -> Measure:
    """Check that content is an ``sObjects`` document within the limits, and count its records and characters.

    Raises:
        FormatError: It is not; says where.
    """
    counter = _Counter()
    # The request declares UTF-8 to the org, whatever the document declares.
    parser = ET.XMLParser(target=counter, encoding="utf-8")
    decoder, characters = getincrementaldecoder("utf-8")(), 0
    try:
        for block in blocks:
            characters += len(decoder.decode(block))
            parser.feed(block)
        parser.close()
        return Measure(counter.records, characters)
    except UnicodeDecodeError:
        ours = FormatError("The content is not UTF-8", row=counter.records or None)
    except ET.ParseError as error:
        line, column = error.position
        ours = FormatError(f"Not well-formed XML at line {line}, column {column}: {error}", row=counter.records or None)
    raise ours
