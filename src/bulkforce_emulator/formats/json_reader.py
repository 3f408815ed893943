"""Reads JSON uploads, which are arrays of records, one field at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from bulkforce_emulator.formats.charsets import codec, is_utf8
from bulkforce_emulator.formats.tables import by_field, check_sizes
from bulkforce_emulator.uploads import EXPLICIT_NULL, BatchError, Upload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.texts import BatchTexts


def read_json(body: bytes, settings: Settings, *, charset: str = "utf-8") -> Upload:
    """Read the rows of a JSON batch.

    Raises:
        BatchError: It is not JSON, not an array of objects, or over a limit.
    """
    texts = settings.texts.batches
    records = _records(body, charset, texts)
    if not records:
        raise BatchError.of(texts.records_none)
    if len(records) > settings.limits.batch_records:
        raise BatchError.of(texts.too_many_records, given=len(records), most=settings.limits.batch_records)
    empty = EXPLICIT_NULL if settings.empty_json_text == "null" else None
    columns: dict[str, pa.StringArray] = {}
    for name in _names(records):
        values = [record.get(name, "") for record in records]
        if name == "attributes" and all(isinstance(value, dict) or value == "" for value in values):
            if settings.record_attributes == "refuse":
                raise BatchError.of(texts.field_unknown, name=name)
            continue
        columns |= dict(_columns(name, values, [name in record for record in records], empty, texts))
    columns = by_field(columns, settings)
    check_sizes(columns.values(), settings, len(columns))
    return Upload(columns, len(records), strict_types=settings.json_type_error == "batch error")


def _records(body: bytes, charset: str, texts: BatchTexts) -> list[dict[str, Any]]:
    try:
        text = body if is_utf8(charset) else body.decode(codec(charset)).encode()
        records = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeDecodeError, LookupError) as problem:
        raise BatchError.of(texts.json_unreadable, reason=problem) from None
    if not isinstance(records, list):
        raise BatchError.of(texts.json_unreadable, reason="Expected an array of records")
    if not all(isinstance(record, dict) for record in records):
        raise BatchError.of(texts.json_unreadable, reason="Expected an object for each record")
    return records


def _names(records: list[dict[str, Any]]) -> Iterable[str]:
    """All names, in the order of their first appearance."""
    names: dict[str, None] = {}
    for record in records:
        if record.keys() - names.keys():
            names |= dict.fromkeys(record)
    return names


def _columns(
    name: str, values: list[Any], given: list[bool], empty: str | None, texts: BatchTexts
) -> Iterable[tuple[str, pa.StringArray]]:
    """A field as one column; a parent as a column for each field that identifies it."""
    if not any(isinstance(value, dict) for value in values):
        yield name, _texts(values, given, empty, texts)
        return
    parents = [_parent(name, value, texts) for value in values]
    for header in dict.fromkeys(parent[0] for parent in parents if parent is not None):
        own = [parent[1] if parent is not None and parent[0] == header else "" for parent in parents]
        yield header, _texts(own, [True] * len(own), None, texts)


def _parent(name: str, value: object, texts: BatchTexts) -> tuple[str, Any] | None:
    """`{"attributes": {"type": "Lead"}, "Email": x}` below `Who` is what a CSV calls `Lead:Who.Email`."""
    if value is None or value == "":
        return None
    if not isinstance(value, dict):
        raise BatchError.of(texts.field_unknown, name=name)
    kind = (value.get("attributes") or {}).get("type")
    given = [(field, text) for field, text in value.items() if field != "attributes"]
    if len(given) != 1:
        raise BatchError.of(texts.reference_unreadable, name=name)
    prefix = f"{kind}:" if kind else ""
    return f"{prefix}{name}.{given[0][0]}", given[0][1]


def _texts(values: list[Any], given: list[bool], empty: str | None, texts: BatchTexts) -> pa.StringArray:
    """Values as strings: null where none was given, the null mark where null was asked for."""
    written = [
        (value or (empty if there else None))
        if type(value) is str
        else (EXPLICIT_NULL if value is None else _text(value, texts))
        for value, there in zip(values, given, strict=True)
    ]
    try:
        return pa.array(written, pa.string())
    except pa.ArrowInvalid as problem:
        raise BatchError.of(texts.json_unreadable, reason=problem) from None


def _text(value: object, texts: BatchTexts) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (dict, list)):
        raise BatchError.of(texts.json_unreadable, reason=f"Unexpected value: {json.dumps(value)[:80]}")
    return str(value)
