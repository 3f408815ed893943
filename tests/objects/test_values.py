"""Values of a CSV file against the fields they go to: what is found in blocks is what a judge of each value finds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.objects.contacts import CONTACT, PARENTS

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.objects.columns import Severity, fit
from bulkforce.objects.notation import Cause
from bulkforce.objects.values import Column, CsvValues, ValueFinding, columns_of
from bulkforce.vocabulary import Operation

INSERT, UPDATE, UPSERT, DELETE = Operation.INSERT, Operation.UPDATE, Operation.UPSERT, Operation.DELETE
PREFIXES = {"Contact": "003", "Account": "001", "Lead": "00Q", "User": "005", "Group": "00G"}
ID = "003Kf000015ftgGIAQ"


def columns(
    names: Sequence[str], operation: Operation = UPDATE, key: str | None = None, *, empty_as_null: bool = False
) -> list[Column]:
    targets = fit(names, CONTACT, operation, external_id=key, describe=PARENTS.get).targets
    return columns_of(
        targets, operation, key=key, object_name="Contact", prefixes=PREFIXES, empty_as_null=empty_as_null
    )


def looked_at(content: bytes, asked: Sequence[Column], block: int = csv.BLOCK_BYTES) -> CsvValues:
    header = csv.header(content)
    rest = content[header.end :]
    values = CsvValues(asked, len(header.names))
    for unit in csv.units(
        (rest[begin : begin + block] for begin in range(0, len(rest), block)), len(header.names), header.end
    ):
        values.add(unit)
    return values


def found(
    text: str, operation: Operation = UPDATE, key: str | None = None, *, empty_as_null: bool = False
) -> list[tuple[str, Cause, int, int, str]]:
    names = csv.header(text.encode()).names
    return told(looked_at(text.encode(), columns(names, operation, key, empty_as_null=empty_as_null)).findings())


def told(findings: Sequence[ValueFinding]) -> list[tuple[str, Cause, int, int, str]]:
    return [(one.column, one.problem.cause, one.count, one.first_row, one.sample) for one in findings]


def test_file_whose_values_fit_has_nothing_to_be_found() -> None:
    text = (
        f'Id,LastName,Birthdate,Level__c,Account.Ext__c\n{ID},"Mor""kel, A",2026-02-28,"Gold, '
        f'old",A-1\r\n{ID},,,,#N/A\n'
    )
    assert found(text) == []


def test_problems_are_counted_by_column_and_cause() -> None:
    text = "Id,birthdate,Count__c\n" + f"{ID},1/2/2026,1\n{ID},2026-02-30,x\n{ID},2026-02-28,2\n{ID},3/4/2026,3.0\n"
    assert found(text) == [
        ("birthdate", Cause.NOT_A_DATE, 2, 1, "1/2/2026"),
        ("birthdate", Cause.NO_SUCH_DAY, 1, 2, "2026-02-30"),
        ("Count__c", Cause.NOT_A_NUMBER, 1, 2, "x"),
        ("Count__c", Cause.WHOLE_WITH_POINT, 1, 4, "3.0"),
    ]


def test_finding_names_column_and_field_and_shows_the_sample_only_when_asked() -> None:
    (finding,) = looked_at(b"Id,birthdate\n003Kf000015ftgG,secret\n", columns(["Id", "birthdate"])).findings()
    assert (finding.column, finding.field, finding.sample) == ("birthdate", "Birthdate", "secret")
    assert "secret" not in repr(finding)


def test_long_sample_is_cut() -> None:
    assert [len(sample) for *_, sample in found(f"Id,Birthdate\n{ID},{'x' * 1000}\n")] == [83]


def test_records_that_are_none_are_counted_and_not_judged() -> None:
    text = f"Id,Birthdate\n{ID},bad,and one more\n\n{ID},worse\n{ID}\n{ID},worst"
    values = looked_at(text.encode(), columns(["Id", "Birthdate"]))
    assert (values.rows, told(values.findings())) == (4, [("Birthdate", Cause.NOT_A_DATE, 2, 2, "worse")])


def test_rows_are_counted_where_nothing_is_asked_of_the_values() -> None:
    assert looked_at(b"a,b\n1,2\n3\n4,5\n", []).rows == 3


def test_quote_that_stands_where_none_may_is_told() -> None:
    with pytest.raises(FormatError):
        looked_at(b'Id,Birthdate\n1,a"b\n', columns(["Id", "Birthdate"]))


@pytest.mark.parametrize(
    ("text", "operation", "key", "expected"),
    [
        ("Id,Email\n,a@b.c\n", UPDATE, None, [("Id", Cause.EMPTY, 1, 1, "")]),
        ("Id,Email\n#N/A,a@b.c\n", UPDATE, None, [("Id", Cause.NULL, 1, 1, "#N/A")]),
        ('Id\n""\n', DELETE, None, [("Id", Cause.EMPTY, 1, 1, "")]),
        (
            'LastName,Email\n,""\n#N/A,#N/A\n',
            INSERT,
            None,
            [("LastName", Cause.EMPTY, 1, 1, ""), ("LastName", Cause.NULL, 1, 2, "#N/A")],
        ),
        (f"Id,LastName\n{ID},\n{ID},#N/A\n", UPDATE, None, [("LastName", Cause.NULL, 1, 2, "#N/A")]),
        (f"Id,Active__c\n{ID},\n{ID},#N/A\n", UPDATE, None, []),
        ("LastName,Active__c,OwnerId\na,,\na,#N/A,#N/A\n", INSERT, None, []),
        ("Ext__c,LastName\n,a\n#N/A,a\n", UPSERT, "ext__c", [("Ext__c", Cause.EMPTY, 2, 1, "")]),
        ("Id,LastName\n,a\n", UPSERT, "Id", []),
        (f"Id,Account\n{ID},\n{ID},#N/A\n{ID},A\n", UPDATE, None, [("Account", Cause.NOT_NULL, 1, 3, "A")]),
    ],
)
def test_empty_and_null_are_found_where_they_may_not_be(
    text: str, operation: Operation, key: str | None, expected: list[tuple[str, Cause, int, int, str]]
) -> None:
    assert found(text, operation, key) == expected


@pytest.mark.parametrize(
    ("text", "operation", "key", "remedy"),
    [
        ("LastName\n#N/A\n", INSERT, None, "Give a value."),
        ("Id\n#N/A\n", UPDATE, None, "Give a value."),
        ("Id\n#N/A\n", DELETE, None, "Give a value."),
        (f"Id,LastName\n{ID},#N/A\n", UPDATE, None, "Give a value, or leave it empty, which changes nothing."),
        ("Ext__c,OwnerId\nk,#N/A\n", UPSERT, "Ext__c", "Give a value, or leave it empty, which changes nothing."),
        (
            "Ext__c,LastName\nk,#N/A\n",
            UPSERT,
            "Ext__c",
            "Give a value; left empty, it changes nothing in a record that exists, and a new one fails.",
        ),
        ("Id,LastName\n#N/A,a\n", UPSERT, "Id", "Give an id, or leave it empty, which makes a new record."),
    ],
)
def test_remedy_for_null_says_what_an_empty_value_does(
    text: str, operation: Operation, key: str | None, remedy: str
) -> None:
    names = csv.header(text.encode()).names
    (finding,) = looked_at(text.encode(), columns(names, operation, key)).findings()
    assert (finding.problem.cause, finding.problem.remedy) == (Cause.NULL, remedy)


def test_empty_value_sent_as_null_is_not_to_be_left_empty() -> None:
    text = f"Id,LastName\n{ID},\n".encode()
    (finding,) = looked_at(text, columns(["Id", "LastName"], empty_as_null=True)).findings()
    assert finding.problem.remedy == "Give a value."


def test_empty_value_that_is_sent_as_null_is_judged_as_null() -> None:
    assert found(f"Id,LastName\n{ID},\n", empty_as_null=True) == [("LastName", Cause.NULL, 1, 1, "")]
    assert found(f"Id,Email\n{ID},\n", empty_as_null=True) == []


def test_empty_key_of_an_upsert_is_warned_of() -> None:
    (finding,) = looked_at(b"Ext__c,LastName\n,a\n", columns(["Ext__c", "LastName"], UPSERT, "Ext__c")).findings()
    assert finding.problem.severity is Severity.WARN


def test_ids_are_looked_at_by_their_object_and_check_characters() -> None:
    wrong = ID[:-1] + "R"
    text = f"Id,AccountId,WhoId\n{ID},001000000000001,{ID}\n{ID[:15]},{ID},00Q000000000001EAA\n{wrong},,\n{ID},001000000000001AAB,\n"
    assert found(text) == [
        ("Id", Cause.WRONG_CHECK, 1, 3, wrong),
        ("AccountId", Cause.OTHER_OBJECT, 1, 2, ID),
        ("AccountId", Cause.WRONG_CHECK, 1, 4, "001000000000001AAB"),
    ]


@pytest.mark.parametrize("name", ["Morkel", '"Mor, kel"'])
def test_ids_of_records_that_are_bad_otherwise_are_looked_at(name: str) -> None:
    wrong = ID[:-1] + "R"
    text = f"Id,LastName,Birthdate\n{ID},{name},x\n{wrong},{name},y\n{ID},{name},#N/A\n"
    assert found(text) == [("Id", Cause.WRONG_CHECK, 1, 2, wrong), ("Birthdate", Cause.NOT_A_DATE, 2, 1, "x")]


def test_id_of_another_object_is_not_looked_at_any_closer() -> None:
    assert found(f"Id,AccountId\n{ID},{ID[:17]}R\n") == [("AccountId", Cause.OTHER_OBJECT, 1, 1, ID[:17] + "R")]


def test_id_whose_letter_case_is_lost_is_counted_once() -> None:
    assert found(f"Id,WhoId\n{ID},00q000000000001EAA\n") == [("WhoId", Cause.OTHER_CASE, 1, 1, "00q000000000001EAA")]
    assert found(f"Id,Account\n{ID},001000000000001AAB\n") == [("Account", Cause.NOT_NULL, 1, 1, "001000000000001AAB")]


@pytest.mark.parametrize(
    ("name", "right", "wrong"), [("Id", ID, "001000000000001"), ("Account.Id", "001000000000001", ID)]
)
def test_id_is_of_the_object_it_is_given_for(name: str, right: str, wrong: str) -> None:
    names, rest = (name, "Email") if name == "Id" else (name, "Id"), "" if name == "Id" else ID
    assert found(f"{','.join(names)}\n{right},{rest}\n{wrong},{rest}\n") == [(name, Cause.OTHER_OBJECT, 1, 2, wrong)]


def test_id_with_something_before_it_is_none() -> None:
    assert found(f"Id,Email\nXX{ID},a\n{ID},b\n") == [("Id", Cause.NOT_AN_ID, 1, 1, f"XX{ID}")]


def test_line_inside_a_value_is_no_record() -> None:
    assert found(f'Id,Notes__c\nBAD,"a\n{ID},b"\n{ID},x\n') == [("Id", Cause.NOT_AN_ID, 1, 1, "BAD")]


def test_text_is_measured_in_characters() -> None:
    assert found("Id,LastName\n" + f"{ID},{'ä' * 80}\n" + f"{ID},{'ä' * 81}\n") == [
        ("LastName", Cause.TOO_LONG, 1, 2, "ä" * 80 + "...")
    ]


def test_carriage_return_inside_a_value_is_told_and_at_the_end_of_a_line_is_not() -> None:
    text = f'Id,Notes__c,Email\r\n{ID},"a\r\nb",x\r\n{ID},plain,x\r\n{ID},"a\nb",x\r\n'
    assert found(text) == [("Notes__c", Cause.CARRIAGE_RETURN, 1, 1, "a\r\nb")]


GOOD = [
    [ID, ID[:15]],
    ["Morkel", "Mor,kel", 'Mor"kel', "two\nlines", "ä" * 80, "x" * 80, "#N/A?"],
    ["2026-02-28", "2026-12-31", "2024-02-29", "", "#N/A"],
    ["1.5", "-20", "100.000", "", "#N/A"],
    ["Primary", "Gold, old", "", "#N/A"],
    ["001000000000001", "001000000000001AAA", ""],
    ["red", "red;blue", "", "#N/A"],
    ["anything", '"', "a,b", "two\nlines", "", "#N/A"],
    ["true", "1", "", "#N/A"],
]
BAD = [
    [
        "",
        "#N/A",
        "non,sense",
        'non"sense',
        "two\nlines",
        ID[:17] + "R",
        ID[:17] + "R, x",
        "001000000000001",
        "003KF000015ftgGIAQ",
    ],
    ["#N/A", "x" * 81, "a\r\nb", "ä" * 81, '"' * 81],
    ["2026-02-30", "x", "1,5", 'a"b', "2026-02-28T00:00:00Z"],
    ["1,5", "x", "1.005", "1" * 17],
    ["primary", "Gold", "Gold, old "],
    [ID, ID[:17] + "R", "001000000000001AAB", "x"],
    ["red,blue", "pink", "red;pink"],
    [],
    ["yes", "x", "two\nlines"],
]
NAMES = ["Id", "LastName", "Birthdate", "Amount__c", "Level__c", "AccountId", "Tags__c", "sf__Error", "Active__c"]


def written(rows: Sequence[Sequence[str]], quoted: Sequence[bool], end: str) -> bytes:
    """Write records, some values in quotes that do not need them."""
    quotes = itertools.cycle(quoted)
    lines = [
        ",".join('"' + value.replace('"', '""') + '"' if next(quotes) else csv.quote(value) for value in row)
        for row in rows
    ]
    return (end.join([",".join(NAMES), *lines]) + end).encode()


def judged(rows: Sequence[Sequence[str]], asked: Sequence[Column]) -> Iterator[tuple[str, Cause, int, int, str]]:
    """Judge value by value."""
    for column in asked:
        values = [row[column.target.place] for row in rows]
        problems = [column.judge(value) for value in values]
        for problem in dict.fromkeys(filter(None, problems)):
            value = values[problems.index(problem)]
            sample = value if len(value) <= 80 else value[:80] + "..."
            yield column.target.column, problem.cause, problems.count(problem), problems.index(problem) + 1, sample


def records(bad: float) -> st.SearchStrategy[list[str]]:
    return st.tuples(
        *(
            st.sampled_from([*good * 4, *wrong]) if bad else st.sampled_from(good)
            for good, wrong in zip(GOOD, BAD, strict=True)
        )
    ).map(list)


@settings(max_examples=250)
@given(
    st.lists(records(0), max_size=6),
    st.lists(records(1), max_size=12),
    st.lists(records(0), max_size=6),
    st.sampled_from([[False], [True], [False, True], [False] * 8 + [True]]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([7, 64, 300, csv.BLOCK_BYTES]),
    st.sampled_from([UPDATE, INSERT, UPSERT]),
)
def test_blocks_are_judged_as_their_values_are(
    before: list[list[str]],
    rows: list[list[str]],
    behind: list[list[str]],
    quoted: list[bool],
    end: str,
    block: int,
    operation: Operation,
) -> None:
    rows = [*before, *rows, *behind]
    targets = fit(NAMES, CONTACT, UPDATE).targets
    asked = columns_of(targets, operation, key="LastName", prefixes=PREFIXES)
    values = looked_at(written(rows, quoted, end), asked, block)
    assert values.rows == len(rows)
    assert told(values.findings()) == list(judged(rows, asked))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [[False], [True], [False, True]])
def test_good_records_are_passed_over_without_a_closer_look(quoted: list[bool], end: str) -> None:
    class Watched(CsvValues):
        closely = 0

        def _look(self, *_: object, **__: object) -> None:
            self.closely += 1

    good = [[values[place % len(values)] for values in GOOD] for place in range(40)]
    # What takes a closer look: a day that not every year has, and a value that is longer in bytes.
    rows = [row for row in good if row[2] != "2024-02-29" and not row[1].startswith("ä")]
    if not any(quoted):
        rows = [row for row in rows if all(csv.quote(value) == value for value in row)]
    content = written(rows, quoted, end)
    header = csv.header(content)
    values = Watched(columns(NAMES), len(NAMES))
    # A run that is not the last one, which is always looked at closely.
    (unit, *_) = csv.units([content[header.end :], b"x"], len(NAMES))
    assert unit.clean
    values.add(unit)
    assert (values.rows, values.closely) == (len(rows), 0)
    assert len(rows) > 1


def test_carriage_returns_are_counted_whatever_else_is_wrong() -> None:
    long = "x" * 41
    content = f'FirstName,MailingCity,Notes__c\r\n"a\r\nb",c,"{long}\rd"\r\n{long},"c\r\n","""\r"""\r\n"x, ""y""\r\n","{long}",z\r\n'
    told = {(column, cause): (count, first) for column, cause, count, first, _ in found(content, INSERT)}
    assert told == {
        ("FirstName", Cause.CARRIAGE_RETURN): (2, 1),
        ("FirstName", Cause.TOO_LONG): (1, 2),
        ("MailingCity", Cause.CARRIAGE_RETURN): (1, 2),
        ("MailingCity", Cause.TOO_LONG): (1, 3),
        ("Notes__c", Cause.CARRIAGE_RETURN): (2, 1),
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_last_column_ends_before_the_line_end(end: str) -> None:
    for operation, content, expected in (
        (
            INSERT,
            "FirstName,LastName|x,y|x,|x,#N/A|x,z",
            {("LastName", Cause.EMPTY, 1, 2), ("LastName", Cause.NULL, 1, 3)},
        ),
        (UPDATE, f"LastName,Id|x,{ID}|x,{ID}|x,{ID[:15]}AAA", {("Id", Cause.OTHER_CASE, 1, 3)}),
        (INSERT, f"LastName,MailingCity|x,{'y' * 40}|x,{'y' * 41}", {("MailingCity", Cause.TOO_LONG, 1, 2)}),
    ):
        text = "".join(line + end for line in content.split("|"))
        assert {one[:4] for one in found(text, operation)} == expected


def test_carriage_returns_are_counted_until_there_are_enough() -> None:
    for records, is_least in ((20_000, True), (900, False)):
        text = "FirstName,LastName\n" + '"a\r\nb",c\n' * records
        (one,) = looked_at(text.encode(), columns(["FirstName", "LastName"], INSERT)).findings()
        assert one.is_least == is_least
        assert one.count == records or (is_least and 1_000 <= one.count < records)
