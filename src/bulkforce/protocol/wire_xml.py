"""Control documents in XML: how to write and read them. Refuses a DOCTYPE, truncated documents and unknown states.

Elements are matched by namespace and local name, whatever their prefix; members of a record by local name only.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn
from xml.parsers import expat

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import BatchInfo, JobInfo, RecordError, Result
from bulkforce.protocol.wire import info

NAMESPACE: Final = "http://www.force.com/2009/06/asyncapi/dataload"
_OURS: Final = f"{{{NAMESPACE}}}"
# The guide shows query results in this namespace; a document in any other is not from the org.
_PARTNER: Final = "{urn:partner.soap.sforce.com}queryResult"
SCHEMA_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
MEDIA: Final = "application/xml"
_BLOCK: Final = 65_536
PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>'


class _Builder(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:  # noqa: ARG002  (expat's signature)
        # Only a DOCTYPE can declare entities, and no document of this API has one: it would be an attack.
        raise ValueError("XML with a DOCTYPE is refused")


class _Rooted(_Builder):
    """Knows the root while the rest is still being read."""

    root: ET.Element | None = None

    def start(self, tag: str, attrs: dict[Any, Any], /) -> ET.Element:
        element = super().start(tag, attrs)
        self.root = element if self.root is None else self.root
        return element


def parse(content: bytes | str) -> ET.Element:
    """Parse XML without a DOCTYPE.

    Raises:
        ValueError: It has a DOCTYPE or is not well-formed.
    """
    parser = _parser(_Builder())
    try:
        parser.feed(content)
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        reason = _reason(error)
    else:
        return root
    raise ValueError(reason)


def _parser(builder: ET.TreeBuilder) -> ET.XMLParser:
    # All documents of this API are UTF-8, whatever they declare.
    return ET.XMLParser(target=builder, encoding="utf-8")


def _reason(error: ET.ParseError) -> str:
    # Not the error's own text, which may quote the document.
    line, column = error.position
    return f"not well-formed XML: {expat.ErrorString(error.code)}, line {line}, column {column}"


def local(element: ET.Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def job_info_request(fields: Mapping[str, str | None]) -> bytes:
    """Write a ``jobInfo``; keep the order of the fields, and omit those that are ``None``."""
    root = ET.Element("jobInfo", {"xmlns": NAMESPACE})
    for name, value in fields.items():
        if value is not None:
            ET.SubElement(root, name).text = value
    return (PROLOG + ET.tostring(root, encoding="unicode")).encode()


def root_of(answer: Answer, *names: str) -> ET.Element:
    """Parse an answer; its root must be one of ``names``, in this API's namespace."""
    try:
        root = parse(answer.body)
    except ValueError as error:
        raise _unreadable(str(error), answer) from error
    return _named(root, answer, *names)


def _unreadable(reason: str, answer: Answer) -> ProtocolError:
    return ProtocolError(f"The org's answer cannot be read: {reason}{_looks(answer)}", answer.facts())


def _named(root: ET.Element, answer: Answer, *names: str) -> ET.Element:
    if root.tag not in {_OURS + name for name in names} and not (root.tag == _PARTNER and "queryResult" in names):
        raise ProtocolError(
            f"The org's answer is a {root.tag[:100]!r} document, expected {' or '.join(names)}{_looks(answer)}",
            answer.facts(),
        )
    return root


def _looks(answer: Answer) -> str:
    return f" ({answer.media_type or 'untyped'} body of {len(answer.body)} bytes; a proxy may have answered)"


def _members(element: ET.Element) -> dict[str, object]:
    return {local(child): child.text or "" for child in element}


def _known_once(element: ET.Element, answer: Answer, besides: str = "") -> dict[str, object]:
    """Read the members of a control document; only ``besides`` may repeat, or it would be unclear which counts."""
    besides = _OURS + besides
    members: dict[str, object] = {}
    for child in element:
        tag = child.tag
        if tag == besides:
            continue
        name = tag.removeprefix(_OURS)
        if name in members or name == tag:
            raise ProtocolError(
                f"The org's {local(element)} has the same member twice, or one from another namespace", answer.facts()
            )
        members[name] = child.text or ""
    return members


def _all(root: ET.Element, name: str, answer: Answer) -> ET.Element:
    """Return an element after checking that all its children have one name."""
    _check_each(root, root, name, answer)
    return root


def _check_each(elements: Iterable[ET.Element], root: ET.Element, name: str, answer: Answer) -> None:
    if any(child.tag != _OURS + name for child in elements):
        raise ProtocolError(f"The org's {local(root)} contains something other than a {name}", answer.facts())


def _each(answer: Answer, root_name: str, name: str) -> Iterator[ET.Element]:
    """Yield the children of a document of any length, which must all have one name; each is forgotten after its turn.

    That the rest of the document is well shows only at its end: none may be used before.
    """
    builder = _Rooted()
    parser = _parser(builder)
    try:
        for start in range(0, len(answer.body) or 1, _BLOCK):
            parser.feed(answer.body[start : start + _BLOCK])
            if builder.root is not None:
                # The last one may still grow.
                yield from _taken(_named(builder.root, answer, root_name), -1, name, answer)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError) as error:
        reason = _reason(error) if isinstance(error, ET.ParseError) else str(error)
    else:
        yield from _taken(_named(root, answer, root_name), None, name, answer)
        return
    raise _unreadable(reason, answer)


def _taken(root: ET.Element, end: int | None, name: str, answer: Answer) -> list[ET.Element]:
    """Take children out of a document."""
    taken = root[:end]
    del root[:end]
    _check_each(taken, root, name, answer)
    return taken


def job_info(answer: Answer) -> JobInfo:
    """Read a ``jobInfo``."""
    return info(JobInfo, _known_once(root_of(answer, "jobInfo"), answer), answer)


def batch_info(answer: Answer) -> BatchInfo:
    """Read a ``batchInfo``."""
    return info(BatchInfo, _known_once(root_of(answer, "batchInfo"), answer), answer)


def batch_infos(answer: Answer) -> Iterator[BatchInfo]:
    """Read a ``batchInfoList``, which may be long; nothing of it counts before all of it is read."""
    for child in _each(answer, "batchInfoList", "batchInfo"):
        yield info(BatchInfo, _known_once(child, answer), answer)


def results(root: ET.Element, answer: Answer) -> list[Result]:
    """Read the ``results`` of a data batch."""
    return [_result(element, answer) for element in _all(root, "result", answer)]


def _result(element: ET.Element, answer: Answer) -> Result:
    members = _known_once(element, answer, besides="errors")
    if not {members.get("success", ""), members.get("created", "")} <= {"true", "false", ""}:
        raise ProtocolError(
            "A result in the org's answer has a success or created that is neither true nor false", answer.facts()
        )
    errors = [
        RecordError(
            status_code=str(_members(child).get("statusCode", "")),
            message=str(_members(child).get("message", "")),
            fields=tuple(field.text or "" for field in child if local(field) == "fields"),
        )
        for child in element
        if local(child) == "errors"
    ]
    return Result(
        id=str(members.get("id", "")) or None,
        success=members.get("success") == "true",
        created=members.get("created") == "true",
        errors=errors,
    )


def result_ids(root: ET.Element, answer: Answer) -> list[str]:
    """Read the ``result-list`` of a query batch."""
    return [(element.text or "").strip() for element in _all(root, "result", answer)]


def error(answer: Answer) -> tuple[str, str] | None:
    """Read the code and message of a Bulk API error document; ``None`` if it is not one."""
    members = _known_once(root_of(answer, "error"), answer) if answer.media_type == MEDIA else {}
    code = str(members.get("exceptionCode", "")).strip()
    return (code, str(members.get("exceptionMessage", ""))) if code else None
