"""Results of Bulk API 2.0: whatever the order and the notation in which they come back, none is tied to another's record.

The org's echo is modelled here after what is known of it, and beyond: doubles as Java writes them, moments in UTC, blanks,
booleans and line ends normalised. The number of a record is in the id of its result, where `tie` cannot see it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.apis.abc import Outcomes
from bulkforce.apis.results2 import Key, ResultFiles, Tied, tie
from bulkforce.errors import FormatError
from bulkforce.formats.csv import quote
from bulkforce.vocabulary import Operation

INSERT = Key(Operation.INSERT)
UPDATE = Key(Operation.UPDATE)
DELETE = Key(Operation.DELETE)
UPSERT = Key(Operation.UPSERT, "Code__c")
SUCCEEDED, FAILED, NOT_TRIED, NO_RESULT = Outcomes.SUCCEEDED, Outcomes.FAILED, Outcomes.NOT_TRIED, Outcomes.NO_RESULT
MARKER = "Zebrafink"


def record_id(number: int) -> str:
    return f"001{number:012d}AAA"


def quoted(*values: str) -> str:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values)


def successes(header: str, *lines: str) -> bytes:
    return "\n".join([f'"sf__Id","sf__Created",{header}', *lines]).encode()


def failures(header: str, *lines: str) -> bytes:
    return "\n".join([f'"sf__Id","sf__Error",{header}', *lines]).encode()


def kinds(tied: Tied) -> str:
    return tied.outcomes.kinds.decode()


# A model of the org


def java(value: str) -> str:
    """A double as Java writes it."""
    number = float(value)
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = repr(number)
        return text if "e" not in text else f"{number:.10f}".rstrip("0")
    mantissa, _, exponent = f"{number:.16e}".partition("e")
    for digits in range(17):
        mantissa = f"{number:.{digits}e}".partition("e")[0]
        if float(f"{mantissa}e{exponent}") == number:
            break
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def in_utc(value: str) -> str:
    return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def as_sent(value: str) -> str:
    return value


ECHOES: dict[str, tuple[st.SearchStrategy[str], Callable[[str], str]]] = {
    "text": (
        st.sampled_from(["Acme", "acme", "1", "1.0", "true", 'a "b", c', "two\nlines", "#", "x\0y", "x,y", "\1\2\3"]),
        as_sent,
    ),
    "trimmed": (st.sampled_from(["Ada", " Ada", "Ada ", "Bob", ""]), str.strip),
    "lines": (st.sampled_from(["a\r\nb", "a\nb", "c"]), lambda value: value.replace("\r\n", "\n")),
    "integer": (st.integers(-3, 10**8).map(str), as_sent),
    "double": (st.sampled_from(["1", "1.0", "0.1", "912260031", "9.12260031E8", "-3", "0.00001", "1e-5"]), java),
    "boolean": (
        st.sampled_from(["true", "TRUE", "false", "1", "0"]),
        lambda value: str(value.lower() in {"true", "1"}).lower(),
    ),
    "moment": (
        st.sampled_from(["2026-12-01T10:00:00Z", "2026-12-01T11:00:00+01:00", "2026-12-02T10:00:00.000Z"]),
        in_utc,
    ),
    "null": (st.sampled_from(["#N/A", "", "x"]), lambda value: "" if value == "#N/A" else value),
}


@dataclass(frozen=True)
class Piece:
    """Records that were sent, and what the org does with them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fates: tuple[bytes, ...]
    seed: int

    @property
    def header(self) -> bytes:
        return ",".join(f"{name}{place}" for place, name in enumerate(self.columns)).encode() + b"\n"

    @property
    def content(self) -> bytes:
        return "".join(
            ",".join(map(quote, row)) + "\n" if any(row) else quoted(*row) + "\n" for row in self.rows
        ).encode()

    def echo(self, number: int) -> tuple[str, ...]:
        return tuple(ECHOES[name][1](value) for name, value in zip(self.columns, self.rows[number], strict=True))

    def files(self) -> ResultFiles:
        order = list(range(len(self.rows)))
        random.Random(self.seed).shuffle(order)
        header = self.header.decode().strip()

        def those(fate: bytes) -> list[int]:
            return [number for number in order if self.fates[number] == fate]

        return ResultFiles(
            successes(header, *(quoted(record_id(number), "true", *self.echo(number)) for number in those(SUCCEEDED))),
            failures(header, *(quoted("", f"CODE:{number}:--", *self.echo(number)) for number in those(FAILED))),
            "\n".join([header, *(quoted(*self.echo(number)) for number in those(NOT_TRIED))]).encode(),
        )

    def tied(self) -> Tied:
        return tie(self.header, self.content, len(self.rows), self.files(), INSERT)


@st.composite
def pieces(draw: st.DrawFn, *, lost: bool) -> Piece:
    columns = draw(st.lists(st.sampled_from(list(ECHOES)), min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*(ECHOES[name][0] for name in columns)), min_size=1, max_size=12))
    fates = [SUCCEEDED, FAILED, NOT_TRIED, *([NO_RESULT] if lost else [])]
    whole = st.lists(st.sampled_from(fates), min_size=len(rows), max_size=len(rows))
    return Piece(tuple(columns), tuple(rows), tuple(draw(whole)), draw(st.integers(0, 99)))


def owner(tied: Tied, place: int) -> int | None:
    """The number of the record whose result is at a place, if the result says."""
    mark = tied.outcomes.marks[place]
    if mark.strip(b","):
        return int(mark[3:15])
    return int(tied.outcomes.errors[place].split(":")[1]) if place in tied.outcomes.errors else None


def check(piece: Piece, tied: Tied) -> None:
    """No result is tied to a record that the org read differently; and all results are there once."""
    for place in range(len(piece.rows)):
        number = owner(tied, place)
        if number is not None:
            assert piece.echo(number) == piece.echo(place)
            assert piece.fates[number] == tied.outcomes.kinds[place : place + 1]
    by_echo = Counter((piece.echo(place), fate) for place, fate in enumerate(piece.fates))
    told = Counter((piece.echo(place), tied.outcomes.kinds[place : place + 1]) for place in range(len(piece.rows)))
    assert all(count <= by_echo[key] for key, count in told.items() if key[1] != NO_RESULT)
    numbers = [number for place in range(len(piece.rows)) if (number := owner(tied, place)) is not None]
    assert len(set(numbers)) == len(numbers)
    fates = Counter(piece.fates)
    assert (tied.succeeded, tied.failed, tied.not_tried) == (fates[SUCCEEDED], fates[FAILED], fates[NOT_TRIED])
    assert Counter(kinds(tied)) + Counter(
        {"s": tied.untied.succeeded, "f": tied.untied.failed, "n": tied.untied.not_tried}
    ) == Counter(
        {"s": fates[SUCCEEDED], "f": fates[FAILED], "n": fates[NOT_TRIED], "-": fates[NO_RESULT] + tied.untied.count}
    )
    assert len(list(tied.untied.rows())) == tied.untied.count


@given(pieces(lost=False))
def test_no_result_is_tied_to_a_record_of_another_content(piece: Piece) -> None:
    check(piece, piece.tied())


@given(pieces(lost=True))
def test_no_result_is_tied_to_a_record_of_another_content_when_some_are_lost(piece: Piece) -> None:
    check(piece, piece.tied())


@given(pieces(lost=False))
def test_every_result_is_tied_when_nothing_but_numbers_is_rewritten(piece: Piece) -> None:
    columns = tuple("double" if name == "double" else "text" for name in piece.columns)
    piece = (
        replace(piece, columns=columns)
        if all(map(can_be_doubles, zip(*piece.rows, strict=True), columns))
        else replace(piece, columns=("text",) * len(columns))
    )
    tied = piece.tied()
    check(piece, tied)
    assert tied.untied.count == 0


def can_be_doubles(values: Sequence[str], name: str) -> bool:
    return name != "double" or all(value.strip("-+.0123456789eE") == "" for value in values)


def test_ids_tie_what_the_org_echoes_otherwise() -> None:
    rows = f"{record_id(1)},1e8\n{record_id(2)[:15]},5\n".encode()
    files = ResultFiles(
        successes("Id,Amount", quoted(record_id(2), "false", record_id(2), "FIVE")),
        failures("Id,Amount", quoted("", "X:no:--", record_id(1), "")),
    )
    tied = tie(b"Id,Amount\n", rows, 2, files, UPDATE)
    assert (kinds(tied), list(tied.outcomes.marks), tied.outcomes.errors) == (
        "fs",
        [b",", f"{record_id(2)},false,".encode()],
        {0: "X:no:--"},
    )


def test_external_ids_tie_what_the_org_echoes_otherwise() -> None:
    files = ResultFiles(
        successes("Code__c,Amount", quoted(record_id(2), "true", "2.0", "?"), quoted(record_id(1), "false", "1.0", "!"))
    )
    tied = tie(b"Code__c,Amount\n", b"1,a\n2,b\n", 2, files, UPSERT)
    assert [mark[:15].decode() for mark in tied.outcomes.marks] == [record_id(1)[:15], record_id(2)[:15]]


def test_no_one_of_two_candidates_is_guessed() -> None:
    """Whether the org takes both for one record does not matter: only one of them has a result."""
    files = ResultFiles(successes("Code__c", quoted(record_id(1), "true", "ABC")))
    tied = tie(b"Code__c\n", b"abc\nABC\n", 2, files, UPSERT)
    assert (kinds(tied), tied.untied.count) == ("--", 1)
    assert list(tied.untied.rows()) == [(b"001000000000001AAA,true,,", b"ABC")]


def test_equal_records_share_their_results_by_count() -> None:
    files = ResultFiles(
        successes("Name", quoted(record_id(1), "true", "A")),
        failures("Name", quoted("", "X:y:--", "A")),
        b'Name\n"A"\n',
    )
    tied = tie(b"Name\n", b"A\nA\nA\nA\n", 4, files, INSERT)
    assert (sorted(kinds(tied)), tied.untied.count) == (sorted("sfn-"), 0)


def test_more_results_than_records_are_not_tied() -> None:
    files = ResultFiles(
        successes(
            "Name",
            quoted(record_id(1), "true", "A"),
            quoted(record_id(2), "true", "A"),
            quoted(record_id(3), "true", "B"),
        )
    )
    tied = tie(b"Name\n", b"A\nB\n", 2, files, INSERT)
    assert (kinds(tied), tied.untied.count, tied.succeeded) == ("-s", 2, 3)


def test_files_that_are_not_there_are_no_results() -> None:
    tied = tie(b"Name\n", b"A\n", 1, ResultFiles(), INSERT)
    assert (kinds(tied), tied.untied.count) == ("-", 0)


def test_results_may_be_on_disk(tmp_path: Path) -> None:
    (tmp_path / "successful").write_bytes(successes("Name", quoted(record_id(1), "true", "A")))
    assert kinds(tie(b"Name\n", b"A\n", 1, ResultFiles(tmp_path / "successful"), INSERT)) == "s"


DAMAGED = {
    "cut in a value": ResultFiles(successes("Name", quoted(record_id(1), "true", MARKER))[:-4]),
    "cut between values": ResultFiles(successes("Name", f'"{record_id(1)}"')),
    "not UTF-8": ResultFiles(successes("Name", quoted(record_id(1), "true", MARKER)).replace(b"Z", b"\xff")),
    "no id": ResultFiles(successes("Name", quoted("", "true", MARKER))),
    "no such id": ResultFiles(failures("Name", quoted(MARKER, "X:y:--", MARKER))),
    "neither created nor not": ResultFiles(successes("Name", quoted(record_id(1), MARKER, MARKER))),
    "another header": ResultFiles(successes(MARKER, quoted(record_id(1), "true", "A"))),
    "the header of another file": ResultFiles(failures("Name", quoted("", "X:y:--", MARKER))),
    "no header": ResultFiles(b"\n"),
    "a page": ResultFiles(b"<html>Zebrafink</html>"),
}


@pytest.mark.parametrize("files", DAMAGED.values(), ids=DAMAGED)
def test_damaged_results_are_refused_without_showing_a_value(files: ResultFiles) -> None:
    with pytest.raises(FormatError) as raised:
        tie(b"Name\n", b"A\n", 1, files, INSERT)
    assert MARKER not in str(raised.value)
