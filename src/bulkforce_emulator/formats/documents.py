"""Job, batch and error documents, as the server writes and reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import orjson

from bulkforce_emulator.formats.charsets import codec, is_utf8

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>'
#: Characters that XML does not allow; the column names of a batch may have them.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DOCTYPE = re.compile(r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<!DOCTYPE", re.DOTALL)
_DECLARED = re.compile(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)[\"']")

#: A document's members in the order of the wire, with their values.
Members = Mapping[str, Any]


class UnreadableDocument(ValueError):
    """Not well-formed, or with a document type."""


def xml_document(root: str, members: Members) -> bytes:
    """A flat document: each element on its own line, indented by a space. Members that are None are left out."""
    lines = "".join(f" {_element(name, value)}\n" for name, value in members.items() if value is not None)
    return f'{PROLOG}<{root}\n   xmlns="{NAMESPACE}">\n{lines}</{root}>'.encode()


def xml_list(root: str, item: str, documents: Sequence[Members]) -> bytes:
    """A document of documents; an empty one is a single element."""
    if not documents:
        return f'{PROLOG}<{root}\n   xmlns="{NAMESPACE}" />'.encode()
    parts = [f'{PROLOG}<{root}\n   xmlns="{NAMESPACE}">\n']
    for members in documents:
        parts.append(f" <{item}>\n")
        parts += [f"  {_element(name, value)}\n" for name, value in members.items() if value is not None]
        parts.append(f" </{item}>\n")
    parts.append(f"</{root}>")
    return "".join(parts).encode()


def json_document(members: Members, *, spread: bool = False) -> bytes:
    """A document with its keys in alphabetical order, and with nulls."""
    return orjson.dumps(_json_members(members), option=orjson.OPT_INDENT_2 if spread else None)


def json_list(name: str, documents: Sequence[Members], *, spread: bool = False) -> bytes:
    """An object with one member: the list of these documents. `spread` indents it."""
    listed = {name: [_json_members(members) for members in documents]}
    return orjson.dumps(listed, option=orjson.OPT_INDENT_2 if spread else None)


def json_moment(moment: datetime) -> str:
    """A time as JSON documents write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def xml_moment(moment: datetime) -> str:
    """A time as XML documents write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _element(name: str, value: object) -> str:
    if isinstance(value, datetime):
        value = xml_moment(value)
    elif isinstance(value, bool):
        value = "true" if value else "false"
    return f"<{name}>{escape(_NO_XML.sub('', str(value)))}</{name}>"


def _json_members(members: Members) -> dict[str, Any]:
    return {
        name: json_moment(value) if isinstance(value, datetime) else value for name, value in sorted(members.items())
    }


def parse_xml(body: bytes, charset: str | None = None) -> ET.Element:
    """Parse a document. It may not have a document type, so there are no entities to expand.

    Raises:
        UnreadableDocument: It is not well-formed, or has a DOCTYPE.
    """
    text = _text(body, charset)
    if _DOCTYPE.match(text):
        raise UnreadableDocument("DOCTYPE is not allowed")
    try:
        return ET.fromstring(text)
    except (ET.ParseError, ValueError) as problem:
        raise UnreadableDocument(str(problem)) from None


def utf8(body: bytes, charset: str | None) -> bytes:
    """A body in UTF-8, whatever charset it came in.

    Raises:
        UnreadableDocument: There is no such charset, or it is in another.
    """
    if charset is None or is_utf8(charset):
        return body
    try:
        return body.decode(codec(charset)).encode()
    except (UnicodeError, LookupError) as problem:
        raise UnreadableDocument(str(problem)) from None


def _text(body: bytes, charset: str | None) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif charset is not None:
        encoding = charset
    else:
        declared = _DECLARED.match(body.lstrip()[:200])
        encoding = declared[1].decode() if declared else "utf-8"
    try:
        text = body.decode("utf-8-sig" if is_utf8(encoding) else codec(encoding))
    except (UnicodeDecodeError, LookupError) as problem:
        raise UnreadableDocument(str(problem)) from None
    # The parser gets decoded text; a declared encoding would only confuse it.
    return re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)


def local_name(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def xml_members(root: ET.Element) -> dict[str, Any]:
    """A flat document as names and strings."""
    nil = f"{{{INSTANCE}}}nil"
    return {local_name(child.tag): None if child.get(nil) == "true" else (child.text or "").strip() for child in root}
