"""Reads XML uploads, which are `sObjects` documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.formats.documents import INSTANCE, UnreadableDocument, local_name, parse_xml
from bulkforce_emulator.formats.tables import by_field, check_sizes
from bulkforce_emulator.uploads import EXPLICIT_NULL, BatchError, Upload

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.texts import BatchTexts

_NIL = f"{{{INSTANCE}}}nil"
_TRUE = {"true", "1"}


def read_xml(body: bytes, settings: Settings, *, charset: str | None = None) -> Upload:
    """Read the rows of an XML batch.

    Raises:
        BatchError: It is not well-formed, has a DOCTYPE, is not an `sObjects` document, or is over a limit.
    """
    texts = settings.texts.batches
    try:
        root = parse_xml(body, charset)
    except UnreadableDocument as problem:
        raise BatchError.of(texts.xml_unreadable, reason=problem) from None
    if local_name(root.tag) != "sObjects" and settings.foreign_xml_root == "no records":
        raise BatchError.of(texts.records_none)
    if local_name(root.tag) != "sObjects" or any(local_name(child.tag) != "sObject" for child in root):
        raise BatchError.of(texts.xml_unreadable, reason="Expected sObjects with a sObject for each record")
    count = len(root)
    if not count:
        raise BatchError.of(texts.records_none)
    if count > settings.limits.batch_records:
        raise BatchError.of(texts.too_many_records, given=count, most=settings.limits.batch_records)
    columns = {header: pa.array(values, pa.string()) for header, values in _columns(root, settings).items()}
    columns = by_field(columns, settings)
    check_sizes(columns.values(), settings, len(columns))
    return Upload(columns, count, strict_types=settings.xml_type_error == "batch error")


def _columns(root: Element, settings: Settings) -> dict[str, list[str | None]]:
    count = len(root)
    empty = EXPLICIT_NULL if settings.empty_xml_text == "null" else None
    columns: dict[str, list[str | None]] = {}
    by_tag: dict[str, list[str | None]] = {}
    for row, record in enumerate(root):
        for element in record:
            if len(element):
                header, value = _reference(element, settings.texts.batches)
                columns.setdefault(header, [None] * count)[row] = value
                continue
            tag = element.tag
            column = by_tag.get(tag)
            if column is None:
                column = by_tag[tag] = columns.setdefault(local_name(tag), [None] * count)
            if column[row] is not None:
                raise BatchError.of(settings.texts.batches.field_twice, name=local_name(tag))
            column[row] = EXPLICIT_NULL if element.get(_NIL) in _TRUE else (element.text or empty)
    if not columns:
        raise BatchError.of(settings.texts.batches.xml_unreadable, reason="A sObject has no fields")
    return columns


def _reference(element: Element, texts: BatchTexts) -> tuple[str, str | None]:
    """`<Who><sObject><type>Lead</type><Email>x</Email></sObject></Who>` is what a CSV calls `Lead:Who.Email`."""
    name = local_name(element.tag)
    inner = list(element[0])
    if len(element) != 1 or local_name(element[0].tag) != "sObject":
        raise BatchError.of(texts.xml_unreadable, reason=f"Reference {name} must hold one sObject")
    prefix = ""
    if inner and local_name(inner[0].tag) == "type":
        prefix = f"{inner.pop(0).text}:"
    if len(inner) != 1 or len(inner[0]):
        raise BatchError.of(texts.reference_unreadable, name=name)
    return f"{prefix}{name}.{local_name(inner[0].tag)}", inner[0].text or None
