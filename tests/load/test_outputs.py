"""Rows joined with their results, against Python's own reader of CSV."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rehearsal import read_csv

from bulkforce.apis.abc import Outcomes
from bulkforce.apis.results1 import read
from bulkforce.apis.results2 import Untied
from bulkforce.errors import SourceChanged
from bulkforce.load.outputs import Ended, Outputs

ID = "001000000000001AAA"
# As a source may hold it: any text, also line ends and quotes. A lone CR is refused when a source is read, and NUL by
# Python's reader.
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=8)


@dataclass(frozen=True)
class Row:
    values: tuple[str, str]
    error: str | None  # why it failed
    created: bool


ROWS = st.lists(
    st.builds(Row, st.tuples(VALUES.filter(bool), VALUES), st.none() | VALUES.filter(bool), st.booleans()),
    min_size=1,
    max_size=6,
)


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def blocks(content: bytes, size: int = 99) -> list[bytes]:
    return [content[begin : begin + size] for begin in range(0, len(content), size)]


def ended(number: int, rows: list[Row], *, first: int = 1, results: int | None = None) -> Ended:
    told = rows if results is None else rows[:results]
    lines = [["Id", "Success", "Created", "Error"]]
    lines += [
        ["", "false", "false", row.error] if row.error else [ID, "true", str(row.created).lower(), ""] for row in told
    ]
    content = written([list(row.values) for row in rows])
    outcomes = read(written(lines), len(rows), whole=results is None)
    return Ended(number, first, len(rows), blocks(content, 7), outcomes, "the batch failed")


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Outputs]:
    outputs = Outputs(tmp_path, b"A,B", [])
    yield outputs
    outputs.discard()


@given(st.lists(ROWS, min_size=1, max_size=3), st.data())
def test_each_row_is_in_one_file_with_what_became_of_it(batches: list[list[Row]], data: st.DataObject) -> None:
    success, failed, unprocessed = [], [], []
    with tempfile.TemporaryDirectory() as name, ExitStack() as files:
        outputs = Outputs(Path(name), b"A,B", [])
        files.callback(outputs.discard)
        first = 1
        for number, rows in enumerate(batches, 1):
            told = data.draw(st.none() | st.integers(0, len(rows)))
            outputs.add(ended(number, rows, first=first, results=told))
            first += len(rows)
            for place, row in enumerate(rows):
                if told is not None and place >= told:
                    unprocessed.append(("the batch failed", *row.values))
                elif row.error:
                    failed.append(("", row.error, *row.values))
                else:
                    success.append((ID, str(row.created).lower(), *row.values))
        outputs.publish()
        assert read_csv(Path(name) / "success.csv") == [("sf__Id", "sf__Created", "A", "B"), *success]
        assert read_csv(Path(name) / "failed.csv") == [("sf__Id", "sf__Error", "A", "B"), *failed]
        assert read_csv(Path(name) / "unprocessed.csv") == [("sf__Error", "A", "B"), *unprocessed]
        assert {path.name for path in Path(name).iterdir()} == set(Outputs.NAMES)
        tally = outputs.tally
        assert (tally.succeeded, tally.failed, tally.unprocessed, tally.in_doubt) == (
            len(success),
            len(failed),
            len(unprocessed),
            0,
        )
        assert sum(group.count for group in tally.groups()) == len(failed) + len(unprocessed)


def test_rows_in_doubt_have_a_file_of_their_own_and_only_then(tmp_path: Path, outputs: Outputs) -> None:
    outputs.add(Ended(1, 1, 2, blocks(b'1,"x\ny"\n2,z\n'), Outcomes(()), "nobody knows", in_doubt=True))
    outputs.publish()
    assert read_csv(tmp_path / "in_doubt.csv") == [
        ("sf__Error", "A", "B"),
        ("nobody knows", "1", "x\ny"),
        ("nobody knows", "2", "z"),
    ]
    assert outputs.tally.in_doubt == 2


def untied(*rows: tuple[bytes, bytes], succeeded: int) -> Untied:
    return Untied(lambda: iter(rows), succeeded=succeeded, failed=len(rows) - succeeded)


def test_rows_may_be_without_a_result_anywhere(tmp_path: Path, outputs: Outputs) -> None:
    marks = [f"{ID},true,".encode(), b"", b",", b"", f"{ID},false,".encode()]
    outcomes = Outcomes(marks, {2: "X:no, never:--"}, b"s-fns")
    rows = b'1,a\n2,"b\nb"\n3,c\n4,d\n5,e\n'
    outputs.add(Ended(1, 1, 5, blocks(rows), outcomes, "not tried", unknown="lost"))
    outputs.publish()
    assert read_csv(tmp_path / "success.csv")[1:] == [(ID, "true", "1", "a"), (ID, "false", "5", "e")]
    assert read_csv(tmp_path / "failed.csv")[1:] == [("", "X:no, never:--", "3", "c")]
    assert read_csv(tmp_path / "unprocessed.csv")[1:] == [("not tried", "4", "d")]
    assert read_csv(tmp_path / "in_doubt.csv")[1:] == [("lost", "2", "b\nb")]
    tally = outputs.tally
    assert (tally.succeeded, tally.failed, tally.unprocessed, tally.in_doubt, tally.untied) == (2, 1, 1, 1, 0)
    assert sorted((group.status_code, group.row) for group in tally.groups()) == [
        ("BATCH", 4),
        ("IN_DOUBT", 2),
        ("X", 3),
    ]


def test_rows_without_a_result_are_found_in_each_part_of_a_long_piece(tmp_path: Path, outputs: Outputs) -> None:
    count = 20_000
    rows = b"".join(b"%d,x\n" % number for number in range(count))
    kinds = (b"sn" * count)[:count]
    outputs.add(
        Ended(1, 1, count, blocks(rows, 65_536), Outcomes([f"{ID},true,".encode()] * count, {}, kinds), "not tried")
    )
    outputs.publish()
    assert [row[2] for row in read_csv(tmp_path / "success.csv")[1:]] == list(map(str, range(0, count, 2)))
    assert [row[1] for row in read_csv(tmp_path / "unprocessed.csv")[1:]] == list(map(str, range(1, count, 2)))
    assert [group.count for group in outputs.tally.groups()] == [count // 2]


@pytest.mark.parametrize("count", [2, 4])
def test_rows_that_are_not_as_many_as_there_are_outcomes_stop_the_load(outputs: Outputs, count: int) -> None:
    with pytest.raises(SourceChanged):
        outputs.add(Ended(1, 1, 3, blocks(b"1,x\n" * count), Outcomes([b""] * 3, {}, b"nnn"), "not tried"))


def test_results_that_belong_to_no_row_are_written_as_they_came(tmp_path: Path, outputs: Outputs) -> None:
    left = untied((f"{ID},true,,".encode(), b'"1.0","x, y"'), (b",,X:y:--,", b'"2.0",""'), succeeded=1)
    outputs.add(Ended(1, 1, 1, [b"1,x\n"], Outcomes([b""], {}, b"-"), "", unknown="lost", untied=left, sent=b"A,B"))
    outputs.add(Ended(2, 2, 1, [b"1,x\n"], Outcomes([b""], {}, b"-"), "", unknown="lost", untied=left, sent=b"A,B"))
    outputs.publish()
    head = ("sf__Id", "sf__Created", "sf__Error", "A", "B")
    both = [(ID, "true", "", "1.0", "x, y"), ("", "", "X:y:--", "2.0", "")]
    assert read_csv(tmp_path / "untied.csv") == [head, *both, *both]
    assert (outputs.tally.untied, outputs.tally.in_doubt) == (4, 2)


def test_results_that_belong_to_no_row_are_no_formulas_of_a_spreadsheet(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, b"A", [], excel=True)
    left = untied((f"{ID},true,,".encode(), b'"=1+1"'), succeeded=1)
    outputs.add(Ended(1, 1, 1, [b"=1+1\n"], Outcomes([b""], {}, b"-"), "", untied=left, sent=b"A"))
    outputs.publish()
    assert (tmp_path / "untied.csv").read_text("utf-8-sig").splitlines() == [
        "sf__Id,sf__Created,sf__Error,sf__Escaped,A",
        f"{ID},true,,yes,'=1+1",
    ]


def test_nothing_has_its_name_before_all_is_there(tmp_path: Path, outputs: Outputs) -> None:
    outputs.add(ended(1, [Row(("1", "2"), None, created=True)]))
    assert {path.suffix for path in tmp_path.iterdir()} == {".part"}
    outputs.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_are_not_as_many_as_were_sent_stop_the_load(outputs: Outputs, count: int) -> None:
    rows = [Row((str(number), "x"), None, created=True) for number in range(2)]
    sent = ended(1, rows)
    changed = Ended(1, 1, 2, [b"1,x\n" * count], sent.outcomes, "")
    with pytest.raises(SourceChanged):
        outputs.add(changed)


def test_numbers_of_rows_are_those_of_the_source(tmp_path: Path) -> None:
    """Rows 2, 3 and 7 of the source were rejected, so what was sent as 1, 2, 3, 4 is 1, 4, 5, 6, and then 8."""
    outputs = Outputs(tmp_path, b"A,B", [2, 3, 7])
    assert [outputs.source_row(row) for row in (1, 2, 3, 4, 5)] == [1, 4, 5, 6, 8]
    outputs.discard()
