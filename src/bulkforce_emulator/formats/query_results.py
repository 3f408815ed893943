"""Results of query batches as CSV, XML and JSON."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bulkforce_emulator.formats.columns import data_of, java_doubles, json_escaped, xml_escaped
from bulkforce_emulator.formats.documents import INSTANCE, NAMESPACE, PROLOG
from bulkforce_emulator.uploads import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.soql.query import CompiledQuery

NO_RECORDS = b"Records not found for this query"
#: Rows written at a time.
_SLICE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query found, ready to be written.

    The table has the columns of `compiled`, and after them, for XML and JSON, an id and a type for each identity.
    """

    compiled: CompiledQuery
    table: pa.Table
    api_version: str


def write_query_result(selection: Selection, written_in: Format, settings: Settings) -> Iterator[bytes]:
    """One result file, piece by piece."""
    if not selection.table.num_rows and (written_in == Format.CSV or settings.empty_result == "line"):
        yield NO_RECORDS
        return
    if not selection.table.num_rows and written_in == Format.JSON:
        yield b"[]" if settings.json_results == "compact" else b"[ ]"
        return
    head, write, tail = {Format.CSV: _csv, Format.XML: _xml, Format.JSON: _json}[written_in](selection, settings)
    yield head
    left = selection.table.num_rows
    for part in selection.table.combine_chunks().to_batches(max_chunksize=_SLICE_ROWS):
        left -= part.num_rows
        piece = write(part)
        if not left and written_in == Format.JSON:
            piece = piece.rstrip(b", ")
        if not left and written_in == Format.CSV and not settings.query_csv_ends_with_newline:
            piece = piece.removesuffix(b"\n")
        yield piece
    yield tail


Writer = Callable[[pa.RecordBatch], bytes]


def _csv(selection: Selection, settings: Settings) -> tuple[bytes, Writer, bytes]:
    columns = selection.compiled.columns
    header = ",".join('"' + column.label.replace('"', '""') + '"' for column in columns) + "\n"

    def shown(column: pa.Array) -> pa.Array:
        moment = pa.types.is_timestamp(column.type) and settings.csv_datetimes == "milliseconds"
        return _milliseconds(column) if moment else shown_text(column, settings)

    options = csv.WriteOptions(include_header=False, batch_size=_SLICE_ROWS, quoting_style="all_valid")

    def write(part: pa.RecordBatch) -> bytes:
        texts = [pc.fill_null(shown(part[f"c{number}"]), "") for number in range(len(columns))]
        out = io.BytesIO()
        csv.write_csv(pa.RecordBatch.from_arrays(texts, [str(number) for number in range(len(texts))]), out, options)
        return out.getvalue()

    return header.encode(), write, b""


def shown_text(column: pa.Array, settings: Settings) -> pa.Array:
    """Values as CSV and XML show them."""
    stored = column.type
    if pa.types.is_timestamp(stored):
        text = pc.utf8_replace_slice(column.cast(pa.timestamp("ms")).cast(pa.string()), 10, 11, "T")
        return pc.binary_join_element_wise(text, "Z", "")
    if pa.types.is_time(stored):
        return pc.binary_join_element_wise(column.cast(pa.time32("ms")).cast(pa.string()), "Z", "")
    if pa.types.is_floating(stored):
        return java_doubles(column) if settings.large_numbers == "scientific" else _decimal(column)
    if pa.types.is_boolean(stored):
        return pc.if_else(column, "true", "false")
    return column.cast(pa.string())


def _decimal(column: pa.Array) -> pa.Array:
    """Doubles with a decimal point and without an exponent."""
    text = column.cast(pa.string())
    if pc.any(pc.match_substring_regex(text, "e")).as_py():
        plain = [None if value is None else _plain(value) for value in column.to_pylist()]
        text = pa.array(plain, pa.string())
    whole = pc.invert(pc.match_substring(text, "."))
    return pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)


def _plain(value: float) -> str:
    return format(Decimal(repr(value)), "f")


def result_list(ids: Sequence[str], written_in: Format, settings: Settings) -> bytes:
    """The ids of a query batch's results, in the order to fetch them."""
    if written_in == Format.JSON:
        return orjson.dumps(list(ids))
    listed = "".join(f"<result>{result}</result>" for result in ids)
    prolog = PROLOG if settings.result_list_prolog else ""
    return f'{prolog}<result-list xmlns="{NAMESPACE}">{listed}</result-list>'.encode()


def _join(*parts: pa.Array | str) -> pa.Array:
    """Columns and constants row by row; a null in any column makes the row null."""
    return pc.binary_join_element_wise(*parts, "")


@dataclass(frozen=True, slots=True)
class _Node:
    """A record within a row: the root, or a parent."""

    number: int
    #: The columns of its fields by name; of a TYPEOF, for each object.
    fields: dict[str, int]
    parents: dict[str, _Node]
    choices: dict[str, dict[str, int]] = field(default_factory=dict)


def _milliseconds(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("ms")).cast(pa.int64()).cast(pa.string())


def _tree(compiled: CompiledQuery, settings: Settings) -> _Node:
    """The columns, grouped by the records they belong to."""
    numbers = {identity.path: number for number, identity in enumerate(compiled.identities)}
    nodes: dict[tuple[str, ...], _Node] = {(): _Node(numbers[()], {}, {})}

    def node(path: tuple[str, ...]) -> _Node:
        if path not in nodes:
            nodes[path] = node(path[:-1]).parents.setdefault(path[-1], _Node(numbers[path], {}, {}))
        return nodes[path]

    for number, column in enumerate(compiled.columns):
        if settings.parents == "flat":
            nodes[()].fields[".".join(column.path)] = number
            continue
        owner = node(column.path[:-1])
        fields = owner.fields if column.only_of is None else owner.choices.setdefault(column.only_of, {})
        fields[column.path[-1]] = number
    return nodes[()]


def _json(selection: Selection, settings: Settings) -> tuple[bytes, Writer, bytes]:
    tree = _tree(selection.compiled, settings)
    pretty = settings.json_results == "pretty"
    colon = " : " if pretty else ":"

    def line(depth: int) -> str:
        return "\n" + "  " * depth if pretty else ""

    def record(part: pa.RecordBatch, node: _Node, depth: int) -> pa.Array:
        if not node.choices:
            return pc.fill_null(one(part, node, node.fields, depth), "null")
        # What a TYPEOF shows depends on the object; of one that it does not name, the fields after ELSE.
        written = one(part, node, node.choices[""], depth) if "" in node.choices else pa.nulls(len(part), pa.string())
        for name, fields in node.choices.items():
            if name:
                written = pc.if_else(
                    pc.equal(part[f"type{node.number}"], name), one(part, node, fields, depth), written
                )
        return pc.fill_null(written, "null")

    def one(part: pa.RecordBatch, node: _Node, fields: dict[str, int], depth: int) -> pa.Array:
        ids, types = part[f"id{node.number}"], part[f"type{node.number}"]
        inner, innermost = line(depth + 1), line(depth + 2)
        url = f'",{innermost}"url"{colon}"/services/data/v{selection.api_version}/sobjects/'
        opening = f'{{{inner}"attributes"{colon}{{{innermost}"type"{colon}"'
        parts: list[pa.Array | str] = [opening, types, url, types, "/", ids, f'"{inner}}}']
        for name, number in fields.items():
            parts += [f',{inner}"{name}"{colon}', _json_value(part[f"c{number}"], settings)]
        for name, parent in node.parents.items():
            parts += [f',{inner}"{name}"{colon}', record(part, parent, depth + 1)]
        return _join(*parts, line(depth) + "}")

    blank = " " if pretty else ""
    return (
        f"[{blank}".encode(),
        lambda part: data_of(_join(record(part, tree, 0), f",{blank}")),
        f"{blank}]".encode(),
    )


def _json_value(column: pa.Array, settings: Settings) -> pa.Array:
    stored = column.type
    if pa.types.is_timestamp(stored) or (pa.types.is_date(stored) and settings.json_dates == "milliseconds"):
        text = _milliseconds(column)  # not text as in REST
    elif pa.types.is_floating(stored) or pa.types.is_integer(stored) or pa.types.is_boolean(stored):
        text = shown_text(column, settings)
    else:
        text = _join('"', json_escaped(shown_text(column, settings)), '"')
    return pc.fill_null(text, "null")


def _xml(selection: Selection, settings: Settings) -> tuple[bytes, Writer, bytes]:
    head = f'{PROLOG}<queryResult\n   xmlns="{NAMESPACE}"\n   xmlns:xsi="{INSTANCE}">\n'
    tree = _tree(selection.compiled, settings)

    def write(part: pa.RecordBatch) -> bytes:
        return data_of(
            _join(' <records xsi:type="sObject">\n', _xml_record(part, tree, "  ", settings), " </records>\n")
        )

    return head.encode(), write, b"</queryResult>"


def _xml_record(part: pa.RecordBatch, node: _Node, indent: str, settings: Settings) -> pa.Array:
    """The type comes first, then the Id: twice if it was selected, nil if not."""
    parts: list[pa.Array | str] = [f"{indent}<type>", part[f"type{node.number}"], "</type>\n"]
    id_column = node.fields.get("Id")
    if id_column is None:
        parts.append(f'{indent}<Id xsi:nil="true"/>\n')
    else:
        parts += [f"{indent}<Id>", part[f"c{id_column}"], "</Id>\n"]
    for name, number in node.fields.items():
        text = xml_escaped(shown_text(part[f"c{number}"], settings))
        parts.append(
            pc.fill_null(_join(f"{indent}<{name}>", text, f"</{name}>\n"), f'{indent}<{name} xsi:nil="true"/>\n')
        )
    for name, parent in node.parents.items():
        inside = _join(
            f'{indent}<{name} xsi:type="sObject">\n',
            _xml_record(part, parent, indent + " ", settings),
            f"{indent}</{name}>\n",
        )
        parts.append(pc.fill_null(inside, f'{indent}<{name} xsi:nil="true"/>\n'))
    return _join(*parts)
