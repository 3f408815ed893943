"""Numbers of an extract as plain decimals, or as the org wrote them."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bulkforce.extract.columns import Column
from bulkforce.extract.numbers import Exponents, PlainNumbers
from bulkforce.extract.sinks import sink_for
from bulkforce.extract.sinks.csv import CsvSink
from bulkforce.formats.values import without_exponent

COLUMNS = [
    Column("Id"),
    Column("Amount", "currency", 18, 2),
    Column("Code__c", "string"),
    Column("Factor__c", "double"),
]
# The notation of a large number: as `NumberOfEmployees` or a custom number comes out of the Bulk API.
ROWS = (
    b'"001","1.6147805824397E13","1.6E13","-2.5E-7"\n"002","12.50","say ""1E5"", ok","1.0E7"\n"003","","A\nE5","E10"\n'
)
PLAIN = b'"001","16147805824397","1.6E13","-0.00000025"\n"002","12.50","say ""1E5"", ok","10000000"\n"003","","A\nE5","E10"\n'
HEADER = b'"Id","Amount","Code__c","Factor__c"\n'


def extracted(folder: Path, name: str, content: bytes, numbers: str = "plain", header: bytes = HEADER) -> bytes:
    (folder / "part").write_bytes(header + content)
    sink = sink_for(folder / name, numbers=numbers)  # type: ignore[arg-type]
    sink.begin(COLUMNS)
    sink.add(folder / "part")
    sink.add(folder / "part")
    sink.finish()
    return (folder / name).read_bytes()


def test_numbers_of_csv_are_plain_where_the_field_is_a_number(tmp_path: Path) -> None:
    assert extracted(tmp_path, "a.csv", ROWS) == HEADER + PLAIN * 2
    header, rows, plainly = (text.replace(b'"\n', b'"\r\n') for text in (HEADER, ROWS, PLAIN))
    assert extracted(tmp_path, "a.csv", rows, header=header) == header + plainly * 2
    assert extracted(tmp_path, "a.csv", ROWS, "org") == HEADER + ROWS * 2


def test_numbers_of_json_lines_are_plain_where_the_field_is_a_number(tmp_path: Path) -> None:
    first = extracted(tmp_path, "a.jsonl", ROWS).splitlines()[0]
    assert first == b'{"Id":"001","Amount":16147805824397,"Code__c":"1.6E13","Factor__c":-0.00000025}'
    first = extracted(tmp_path, "a.jsonl", ROWS, "org").splitlines()[0]
    assert first == b'{"Id":"001","Amount":1.6147805824397E13,"Code__c":"1.6E13","Factor__c":-2.5E-7}'


def test_types_are_asked_for_only_if_a_number_may_need_it() -> None:
    asked = []

    def columns() -> list[Column]:
        asked.append(1)
        return COLUMNS

    numbers = PlainNumbers(columns)
    assert b"".join(numbers.written([b'"001","12.5","THE END","1"\n'] * 3)) == b'"001","12.5","THE END","1"\n' * 3
    assert asked == []
    assert b"".join(numbers.written([ROWS, ROWS])) == PLAIN * 2
    assert asked == [1]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6) | st.sampled_from(["1E5", '"E5"'])
NUMBER = st.sampled_from(["1.6147805824397E13", "-2.5E-7", "0.5", "", "3"])


@given(
    st.lists(st.tuples(TEXT, NUMBER, TEXT, NUMBER), min_size=1, max_size=8), st.lists(st.integers(1, 40), min_size=1)
)
def test_every_value_is_the_same_wherever_blocks_are_cut(
    rows: list[tuple[str, str, str, str]], sizes: list[int]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue().encode()
    blocks: list[bytes] = []
    place = 0
    while place < len(content):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(content[place : place + size])
        place += size
    written = b"".join(PlainNumbers(lambda: COLUMNS).written(blocks)).decode()
    expected = [[a, without_exponent(b), c, without_exponent(d)] for a, b, c, d in rows]
    assert list(csv.reader(io.StringIO(written, newline=""))) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9).map(lambda value: f"{value:E}"))
def test_plain_number_is_the_same_number(number: str) -> None:
    assert Decimal(without_exponent(number)) == Decimal(number)
    assert "E" not in without_exponent(number)


@given(
    st.lists(st.sampled_from([b'1E5"', b'2.5E-324"', b'E"', b"E12345", b'THE END"', b"E-", b"7", b'"']), max_size=8),
    st.integers(1, 12),
)
def test_exponents_are_found_wherever_blocks_are_cut(pieces: list[bytes], size: int) -> None:
    content = b"".join(pieces)
    looking = Exponents()
    for start in range(0, len(content), size):
        looking.feed(content[start : start + size])
    assert looking.found == bool(re.search(rb'E-?[0-9]{1,3}"', content))


def test_a_part_known_to_be_plain_is_copied_as_it_is(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(HEADER + ROWS)
    sink = sink_for(tmp_path / "a.csv")
    assert isinstance(sink, CsvSink)
    sink.plain.add(part)
    sink.begin(COLUMNS)
    sink.add(part)
    sink.add(part)
    sink.finish()
    # The second time it is not known any more.
    assert (tmp_path / "a.csv").read_bytes() == HEADER + ROWS + PLAIN
