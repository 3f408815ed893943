"""Results of Bulk API 2.0: whatever the order and the notation in which they come back, none is tied to another's record.

The org's echo is modelled here after what is known of it, and beyond: doubles as Java writes them, moments in UTC, blanks,
booleans and line ends normalised. The number of a record is in the id of its result, where `tie` cannot see it.
"""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkforce.apis import results2
from bulkforce.apis.abc import Outcomes
from bulkforce.apis.results2 import Key, ResultFiles, Tied
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


def tie(header: bytes, rows: bytes, records: int, files: ResultFiles, key: Key) -> Tied:
    """Tie results to records that are read in short blocks."""
    size = 7 if len(rows) < 1_000 else 65_536
    return results2.tie(
        header, lambda: (rows[begin : begin + size] for begin in range(0, len(rows), size)), records, files, key
    )


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


def test_external_ids_that_are_texts_are_told_apart_as_they_were_sent() -> None:
    said = ((3, "x y"), (2, "ABC"), (1, "abc"))
    files = ResultFiles(
        successes("Code__c,At", *(quoted(record_id(number), "true", code, "?") for number, code in said))
    )
    tied = tie(b"Code__c,At\n", b"abc,1\nABC,1\nx y,1\n", 3, files, UPSERT)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks] == [1, 2, 3]


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


@dataclass(frozen=True)
class Keyed:
    """Records with a key, of which some have the same or one that might be the same."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    fates: tuple[bytes, ...]
    seed: int
    by_id: bool

    def tied(self) -> Tied:
        order = list(range(len(self.ids)))
        random.Random(self.seed).shuffle(order)
        column = "Id" if self.by_id else "Code__c"

        def lines(fate: bytes, said: Callable[[int], tuple[str, ...]]) -> list[str]:
            those = [number for number in order if self.fates[number] == fate]
            return [quoted(*said(number), self.ids[number], self.names[number]) for number in those]

        def went_in(number: int) -> tuple[str, str]:
            # For an update, what the org says the id is must be the one that it echoes.
            return (self.ids[number][:15].ljust(18, "A") if self.by_id else record_id(number), "false")

        files = ResultFiles(
            successes(f"{column},Name", *lines(SUCCEEDED, went_in)),
            failures(f"{column},Name", *lines(FAILED, lambda number: ("", f"X:{number}:--"))),
            "\n".join([f"{column},Name", *lines(NOT_TRIED, lambda _: ())]).encode(),
        )
        rows = "".join(f"{one},{name}\n" for one, name in zip(self.ids, self.names, strict=True)).encode()
        return tie(f"{column},Name\n".encode(), rows, len(self.ids), files, UPDATE if self.by_id else UPSERT)


@st.composite
def keyed(draw: st.DrawFn) -> Keyed:
    by_id = draw(st.booleans())
    ids = st.sampled_from(
        [record_id(1), record_id(2), record_id(3)[:15], "001aB0000000000AAA"]
        if by_id
        else ["1", "1.0", "abc", "ABC", "x", ""]
    )
    count = draw(st.integers(1, 8))
    some = st.lists(ids, min_size=count, max_size=count)
    names = st.lists(st.sampled_from(["Acme", "acme", "7", "7.0"]), min_size=count, max_size=count)
    fates = st.lists(st.sampled_from([SUCCEEDED, FAILED, NOT_TRIED, NO_RESULT]), min_size=count, max_size=count)
    return Keyed(tuple(draw(some)), tuple(draw(names)), tuple(draw(fates)), draw(st.integers(0, 99)), by_id)


@given(keyed())
def test_no_result_is_tied_to_a_record_with_another_key(piece: Keyed) -> None:
    tied = piece.tied()
    told: Counter[tuple[str, str, bytes]] = Counter()
    for place, record in enumerate(zip(piece.ids, piece.names, strict=True)):
        kind = tied.outcomes.kinds[place : place + 1]
        told[(*record, kind)] += kind != NO_RESULT
        number = None if piece.by_id and kind == SUCCEEDED else owner(tied, place)
        if number is not None:
            assert (piece.ids[number], piece.names[number], piece.fates[number]) == (*record, kind)
        if piece.by_id and kind == SUCCEEDED:
            assert tied.outcomes.marks[place][:15].decode() == piece.ids[place][:15]
    happened = Counter(zip(piece.ids, piece.names, piece.fates, strict=True))
    assert all(count <= happened[one] for one, count in told.items())
    tied_ones = len(piece.ids) - kinds(tied).count("-")
    assert tied_ones + tied.untied.count == len(piece.ids) - piece.fates.count(NO_RESULT)
    if NO_RESULT not in piece.fates:
        assert tied.untied.count == 0


def test_ids_are_the_same_with_15_and_18_characters_and_with_their_case_lost() -> None:
    one, other = "003P000001avB5GIAU", "003P000001avB5gIAU"
    files = ResultFiles(
        successes("Id", quoted(one, "false", one)),
        failures("Id", quoted("", "X:y:--", "003P000001avB5g")),
        b'Id\n"003P000001AVB5HIAU"\n',
    )
    rows = f"003p000001avb5giau\n{other[:15]}\n003P000001AVB5HIAU\n".encode()
    assert kinds(tie(b"Id\n", rows, 3, files, DELETE)) == "sfn"


def test_a_result_that_is_said_to_be_about_another_record_is_not_tied() -> None:
    files = ResultFiles(successes("Id", quoted(record_id(2), "false", record_id(1))))
    tied = tie(b"Id,Name\n", f"{record_id(1)},x\n".encode(), 1, files, UPDATE)
    assert (kinds(tied), tied.untied.count) == ("-", 1)


def test_columns_may_come_back_in_another_order_and_case() -> None:
    files = ResultFiles(
        successes("name,AMOUNT", quoted(record_id(2), "true", "b", "x"), quoted(record_id(1), "true", "a", "y")),
        b'"sf__Error",AMOUNT,"sf__Id","NAME"\n' + quoted("X:y:--", "z", "", "a").encode(),
    )
    tied = tie(b"Amount,Name\n", b"y,a\nx,b\nz,a\n", 3, files, INSERT)
    assert (kinds(tied), tied.untied.count) == ("ssf", 0)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks[:2]] == [1, 2]


def test_lines_may_end_with_crlf() -> None:
    successful = successes("Name", quoted(record_id(1), "true", "a\nb"), quoted(record_id(2), "true", "c")).replace(
        b"\n", b"\r\n"
    )
    tied = tie(b"Name\r\n", b'c\r\n"a\r\nb"\r\n', 2, ResultFiles(successful), INSERT)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks] == [2, 1]


def test_a_notation_that_nobody_knows_does_not_keep_other_columns_from_tying() -> None:
    """Moments without a zone come back in that of the user."""
    files = ResultFiles(
        successes(
            "Name,At",
            quoted(record_id(2), "true", "B", "2026-12-01T09:00:00.000Z"),
            quoted(record_id(1), "true", "A", "2026-12-01T08:00:00.000Z"),
            quoted(record_id(3), "true", "C", "2026-12-01T08:00:00.000Z"),
            quoted(record_id(4), "true", "C", "2026-12-01T09:00:00.000Z"),
        )
    )
    rows = b"A,2026-12-01 10:00\nB,2026-12-01 11:00\nC,2026-12-01 10:00\nC,2026-12-01 11:00\n"
    tied = tie(b"Name,At\n", rows, 4, files, INSERT)
    assert (kinds(tied), tied.untied.succeeded) == ("ss--", 2)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks[:2]] == [1, 2]


def test_nothing_is_tied_by_what_it_has_in_common_with_a_record_that_is_tied() -> None:
    files = ResultFiles(
        successes(
            "Name,At",
            quoted(record_id(2), "true", "A", "2026-12-01T09:00:00.000Z"),
            quoted(record_id(1), "true", "A", "5.0"),
        )
    )
    tied = tie(b"Name,At\n", b"A,5\nA,2026-12-01 10:00\n", 2, files, INSERT)
    assert (kinds(tied), tied.untied.count) == ("s-", 1)


def test_blanks_that_were_taken_off_do_not_mix_up_what_differs_in_case() -> None:
    """Each came back twice: which of both had blanks, nothing says."""
    codes = ["A", "a", " a", " A"]
    files = ResultFiles(
        successes("Code", *(quoted(record_id(number), "true", code.strip()) for number, code in enumerate(codes)))
    )
    tied = tie(b"Code\n", "\n".join([*codes, ""]).encode(), 4, files, INSERT)
    assert (kinds(tied), tied.untied.count) == ("----", 4)


def test_one_value_that_was_written_otherwise_in_a_column_of_texts_is_tied_by_what_it_means() -> None:
    files = ResultFiles(
        successes(
            "Code", *(quoted(record_id(number), "true", code) for number, code in ((3, "1.0"), (2, "b"), (1, "a")))
        )
    )
    tied = tie(b"Code\n", b"a\nb\n1\n", 3, files, INSERT)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks] == [1, 2, 3]


@pytest.mark.parametrize("name", ["Zeta", "acme", "5"])
def test_a_result_of_a_record_that_was_not_sent_is_not_tied(name: str) -> None:
    """Not even if it is the only one, and all else is equal."""
    files = ResultFiles(
        successes(
            "Name,Type", quoted(record_id(1), "true", "B", "Partner"), quoted(record_id(9), "true", name, "Customer")
        )
    )
    tied = tie(b"Name,Type\n", b"Acme Inc,Customer\nB,Partner\n", 2, files, INSERT)
    assert (kinds(tied), tied.untied.count) == ("-s", 1)


def test_records_that_mean_the_same_are_told_apart_by_what_was_not_changed() -> None:
    """Only the number was written otherwise: the text that looks like one is as it was sent."""
    files = ResultFiles(
        successes(
            "Text,Amount",
            *(quoted(record_id(number), "true", text, "5.0") for number, text in ((2, "1.0"), (1, "1"), (3, "a"))),
        )
    )
    tied = tie(b"Text,Amount\n", b"1,5\n1.0,5\na,5.0\n", 3, files, INSERT)
    assert [int(mark[3:15]) for mark in tied.outcomes.marks] == [1, 2, 3]


def test_a_record_that_failed_for_its_form_is_echoed_empty_and_not_tied() -> None:
    files = ResultFiles(
        successes("Name,Type", quoted(record_id(1), "true", "A", "x")),
        failures("Name,Type", quoted("", "INVALID_FIELD:Number of fields:--", "", "")),
    )
    tied = tie(b"Name,Type\n", b"A,x\nB,x\n", 2, files, INSERT)
    assert (kinds(tied), tied.untied.failed) == ("s-", 1)


def test_reasons_and_values_are_those_of_the_org() -> None:
    reason = 'X:a "quoted", thing\nof two lines \0 é:--'
    files = ResultFiles(None, failures("Name", quoted("", reason, "A"), quoted(record_id(1), "", 'q"')))
    tied = tie(b"Name\n", b"A\nB\n", 2, files, INSERT)
    assert tied.outcomes.errors == {0: reason}
    assert list(tied.untied.rows()) == [(f"{record_id(1)},,,".encode(), b'"q"""')]
    with pytest.raises(KeyError):
        tied.outcomes.errors[1]


def test_values_of_any_length_are_read() -> None:
    value = "x" * 200_000
    files = ResultFiles(
        successes("Name", quoted(record_id(1), "true", value)), failures("Name", quoted("", value, "B"))
    )
    tied = tie(b"Name\n", f"B\n{value}\n".encode(), 2, files, INSERT)
    assert (kinds(tied), tied.outcomes.errors) == ("fs", {0: value})


def test_records_that_are_not_as_many_as_were_sent_are_an_error() -> None:
    with pytest.raises(FormatError):
        tie(b"Name\n", b"A\nB\n", 3, ResultFiles(successes("Name", quoted(record_id(1), "true", "A"))), INSERT)


@given(st.integers(0, 200), st.integers(0, 255), st.sampled_from(["cut", "put", "change"]))
@example(23, 0, "put")
def test_damage_is_an_error_or_ties_nothing_wrongly(at: int, byte: int, how: str) -> None:
    """The damaged id of a result itself may be another: nothing can tell."""
    content = successes(
        "Name,City", *(quoted(record_id(number), "true", f"Name {number}", "Rome") for number in range(3))
    )
    at %= len(content)
    damaged = content[:at] + (b"" if how == "cut" else bytes([byte]) + content[at + (how == "change") :])
    rows = b"Name 2,Rome\nName 0,Rome\nName 1,Rome\n"
    with suppress(FormatError):
        tied = tie(b"Name,City\n", rows, 3, ResultFiles(damaged), INSERT)
        assert kinds(tied).count("s") + tied.untied.count == tied.succeeded
        for place, number in enumerate((2, 0, 1)):
            begin = content.find(record_id(number).encode())
            if not begin <= at <= begin + 18:
                assert tied.outcomes.marks[place] in {b"", f"{record_id(number)},true,".encode()}


def test_tying_needs_less_than_twice_the_memory_of_the_records(tmp_path: Path) -> None:
    """The files are on disk; what is held is a digest and a place for each record, whatever its length."""
    count = 30_000
    values = [(f"Company {number}", "x" * 70, java(f"{number}e4")) for number in range(count)]
    rows = "".join(f"{name},{text},{number}0000\n" for number, (name, text, _) in enumerate(values)).encode()
    (tmp_path / "successful").write_bytes(
        successes("A,B,C", *(quoted(record_id(number), "true", *row) for number, row in enumerate(values)))
    )
    tracemalloc.start()
    try:
        tied = tie(b"A,B,C\n", rows, count, ResultFiles(tmp_path / "successful"), INSERT)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kinds(tied) == "s" * count
    assert tied.outcomes.marks[count - 1] == f"{record_id(count - 1)},true,".encode()
    assert most < 2 * len(rows) + 1_000_000


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


def test_result_about_another_id_is_not_tied_by_the_other_columns() -> None:
    sent = b"a00ig000000093A"  # ids of 15 characters differ by their case
    other = b'"a00ig000000093aAAA"'
    successful = b'"sf__Id","sf__Created","Id","Name"\n' + other + b',"false",' + other + b',"x"\n'
    files = ResultFiles(successful)
    tied = tie(b"Id,Name\n", sent + b",x\n", 1, files, Key(Operation.UPDATE))
    assert (tied.outcomes.kinds, tied.untied.count) == (b"-", 1)
