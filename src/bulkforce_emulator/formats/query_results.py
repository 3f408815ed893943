"""Results of query batches as CSV, XML and JSON (sections 6.4 to 6.7 of the reference)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bulkforce_emulator.formats.columns import data_of, json_escaped, xml_escaped
from bulkforce_emulator.formats.wire import NAMESPACE, PROLOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.soql.query import CompiledQuery

NO_RECORDS = b"Records not found for this query"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query found, ready to be written.

    The table has the columns of `compiled`, and after them, for XML and JSON, an id and a type for each identity.
    """

    compiled: CompiledQuery
    table: pa.Table
    api_version: str


def write_query_result(selection: Selection, family: str, settings: Settings) -> bytes:
    """One result file."""
    return {"CSV": _csv, "XML": _xml, "JSON": _json}[family](selection, settings)


def _csv(selection: Selection, settings: Settings) -> bytes:
    columns = selection.compiled.columns
    if not selection.table.num_rows:
        return NO_RECORDS
    header = ",".join('"' + column.label.replace('"', '""') + '"' for column in columns) + "\n"
    texts = [
        pc.fill_null(_text(selection.table[f"c{number}"], column.field.type), "")
        for number, column in enumerate(columns)
    ]
    table = pa.table({str(number): text for number, text in enumerate(texts)})
    out = io.BytesIO()
    out.write(header.encode())
    options = csv.WriteOptions(include_header=False, batch_size=65536, quoting_style="all_valid")
    csv.write_csv(table, out, options)
    body = out.getvalue()
    return body if settings.query_csv_ends_with_newline else body.removesuffix(b"\n")


def _text(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Values as the CSV and the XML show them."""
    stored = column.type
    if pa.types.is_timestamp(stored):
        return pc.binary_join_element_wise(pc.strftime(column.cast(pa.timestamp("ms")), "%Y-%m-%dT%H:%M:%S"), "Z", "")
    if pa.types.is_date(stored):
        return pc.strftime(column, "%Y-%m-%d")
    if pa.types.is_time(stored):
        return pc.binary_join_element_wise(column.cast(pa.time32("ms")).cast(pa.string()), "Z", "")
    if pa.types.is_floating(stored):
        return _decimal(column)
    if pa.types.is_boolean(stored):
        return pc.if_else(column, "true", "false")
    return column if pa.types.is_string(stored) and kind else column.cast(pa.string())


def _decimal(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles with a decimal point, without exponents as far as that goes."""
    text = column.cast(pa.string())
    if pc.any(pc.match_substring_regex(text, "e")).as_py():
        plain = [None if value is None else _plain(value) for value in column.to_pylist()]
        text = pa.chunked_array([pa.array(plain, pa.string())])
    whole = pc.invert(pc.match_substring(text, "."))
    return pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)


def _plain(value: float) -> str:
    return format(value, "f") if abs(value) >= 1 else format(value, ".18f").rstrip("0")


def result_list(ids: Sequence[str], family: str, settings: Settings) -> bytes:
    """The ids of a query batch's results, in the order to fetch them."""
    if family == "JSON":
        return orjson.dumps(list(ids))
    listed = "".join(f"<result>{result}</result>" for result in ids)
    prolog = PROLOG if settings.result_list_prolog else ""
    return f'{prolog}<result-list xmlns="{NAMESPACE}">{listed}</result-list>'.encode()


def _fragments(selection: Selection, parts: Sequence[pa.ChunkedArray | str]) -> bytes:
    """Join columns and constants row by row."""
    rows = selection.table.num_rows
    if not rows:
        return b""
    columns = [pa.repeat(pa.scalar(part), rows) if isinstance(part, str) else part for part in parts]
    return data_of(pc.binary_join_element_wise(*[_large(column) for column in columns], pa.scalar("", pa.large_string())))


def _large(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return (pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole).cast(pa.large_string())


@dataclass(frozen=True, slots=True)
class _Node:
    """A record within a row: the root, or a parent."""

    number: int
    fields: dict[str, int]
    parents: dict[str, _Node]


def _tree(compiled: CompiledQuery) -> _Node:
    """Columns put under the records that they belong to."""
    numbers = {identity.path: number for number, identity in enumerate(compiled.identities)}
    nodes = {(): _Node(numbers[()], {}, {})}

    def node(path: tuple[str, ...]) -> _Node:
        if path not in nodes:
            nodes[path] = node(path[:-1]).parents.setdefault(path[-1], _Node(numbers[path], {}, {}))
        return nodes[path]

    for number, column in enumerate(compiled.columns):
        node(column.path[:-1]).fields[column.path[-1]] = number
    return nodes[()]


def _json(selection: Selection, settings: Settings) -> bytes:
    if not selection.table.num_rows:
        return b"[]"
    body = _fragments(selection, ["", _json_record(selection, _tree(selection.compiled), settings), ","])
    return b"[" + body[:-1] + b"]"


def _json_record(selection: Selection, node: _Node, settings: Settings) -> pa.Array:
    table, kinds = selection.table, selection.compiled.columns
    ids, types = table[f"id{node.number}"], table[f"type{node.number}"]
    url = f'","url":"/services/data/v{selection.api_version}/sobjects/'
    parts: list[pa.Array | str] = ['{"attributes":{"type":"', types, url, types, "/", ids, '"}']
    for name, number in node.fields.items():
        parts += [f',"{name}":', _json_value(table[f"c{number}"], kinds[number].field.type, settings)]
    for name, parent in node.parents.items():
        parts += [f',"{name}":', _json_record(selection, parent, settings)]
    parts.append("}")
    joined = pc.binary_join_element_wise(
        *[_large(pa.repeat(part, table.num_rows) if isinstance(part, str) else part) for part in parts],
        pa.scalar("", pa.large_string()),
        null_handling="emit_null",
    )
    return pc.fill_null(joined, "null")


def _json_value(column: pa.ChunkedArray, kind: str, settings: Settings) -> pa.ChunkedArray:
    stored = column.type
    if pa.types.is_timestamp(stored):
        # Milliseconds, not text as in REST (6.7).
        text = column.cast(pa.timestamp("ms")).cast(pa.int64()).cast(pa.string())
    elif pa.types.is_date(stored) and settings.json_dates == "milliseconds":
        text = column.cast(pa.timestamp("ms")).cast(pa.int64()).cast(pa.string())
    elif pa.types.is_floating(stored) or pa.types.is_integer(stored) or pa.types.is_boolean(stored):
        text = _text(column, kind)
    else:
        inside = json_escaped(_text(column, kind))
        text = pc.binary_join_element_wise('"', inside, '"', "")
    return pc.fill_null(text, "null")


def _xml(selection: Selection, _: Settings) -> bytes:
    head = f'{PROLOG}<queryResult xmlns="{NAMESPACE}" xmlns:xsi="{_INSTANCE}">\n'
    body = b""
    if selection.table.num_rows:
        record = _xml_record(selection, _tree(selection.compiled))
        body = _fragments(selection, [' <records xsi:type="sObject">', record, "</records>\n"])
    return head.encode() + body + b"</queryResult>\n"


def _xml_record(selection: Selection, node: _Node) -> pa.Array:
    """Type first, then the Id, which comes twice when it was selected and nil when it was not (6.6)."""
    table, kinds = selection.table, selection.compiled.columns
    types = table[f"type{node.number}"]
    parts: list[pa.Array | str] = ["<type>", types, "</type>"]
    id_column = node.fields.get("Id")
    if id_column is None:
        parts.append('<Id xsi:nil="true"/>')
    else:
        parts += ["<Id>", table[f"c{id_column}"], "</Id>"]
    for name, number in node.fields.items():
        parts.append(_xml_value(name, table[f"c{number}"], kinds[number].field.type))
    for name, parent in node.parents.items():
        inside = pc.binary_join_element_wise(
            f'<{name} xsi:type="sObject">', _xml_record(selection, parent), f"</{name}>", pa.scalar("", pa.large_string())
        )
        parts.append(pc.fill_null(inside, f'<{name} xsi:nil="true"/>'))
    return pc.binary_join_element_wise(
        *[_large(pa.repeat(part, table.num_rows) if isinstance(part, str) else part) for part in parts],
        pa.scalar("", pa.large_string()),
    )


def _xml_value(name: str, column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    text = xml_escaped(_text(column, kind))
    tag = escape(name)
    return pc.fill_null(pc.binary_join_element_wise(f"<{tag}>", text, f"</{tag}>", ""), f'<{tag} xsi:nil="true"/>')

