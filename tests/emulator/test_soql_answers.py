"""Queries against records: what comes back, and what is refused."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.soql import SoqlError, check_bulk, compile_soql
from bulkforce_emulator.soql.query import CompiledQuery
from bulkforce_emulator.state.store import Store
from bulkforce_emulator.uploads import Format

NOW = datetime(2026, 8, 5, 12, tzinfo=UTC)
SCHEMA = load_schema(
    {
        "Line__c": {
            "key_prefix": "a01",
            "fields": {
                "Code__c": "string(20) unique external_id case_sensitive",
                "Colors__c": "multipicklist(Red|Green|Blue)",
                "Size__c": "double(10,2)",
                "Due__c": "date",
                "Note__c": "textarea(1000)",
                "Account__c": "reference(Account) relationship=Account__r",
            },
        }
    }
)
USER, ACME, BETA, CASE_TWIN = "005000000000001AAA", "001000000000001AAA", "001000000000002AAA", "00100000000000aAAA"
ROWS: dict[str, list[dict[str, Any]]] = {
    "User": [{"Id": USER, "Username": "boss@example.com", "FirstName": "Ada", "LastName": "Boss"}],
    "Account": [
        {"Id": ACME, "Name": "Acme", "Industry": "Banking", "AnnualRevenue": 10.0, "OwnerId": USER,
         "CreatedDate": "2026-08-05 01:00:00"},
        {"Id": BETA, "Name": "beta 100% _", "AnnualRevenue": 5.0, "OwnerId": USER, "ParentId": ACME,
         "CreatedDate": "2026-07-01 00:00:00"},
        {"Id": CASE_TWIN, "Name": "Gone", "IsDeleted": True, "CreatedDate": "2026-01-01 00:00:00"},
    ],
    "Contact": [
        {"Id": "003000000000001AAA", "LastName": "Able", "AccountId": BETA, "MailingCity": "Ulm", "DoNotCall": True},
        {"Id": "003000000000002AAA", "LastName": "Baker", "DoNotCall": False},
    ],
    "Task": [{"Id": "00T000000000001AAA", "Subject": "Call", "WhoId": "003000000000001AAA", "WhatId": ACME}],
    "Line__c": [
        {"Id": "a01000000000001AAA", "Name": "1", "Code__c": "abc", "Colors__c": "Red;Blue", "Size__c": 1.5,
         "Due__c": "2026-08-05", "Account__c": BETA},
        {"Id": "a01000000000002AAA", "Name": "2", "Code__c": "ABC", "Colors__c": "Green", "Size__c": 2.0,
         "Due__c": "2026-08-04"},
        {"Id": "a01000000000003AAA", "Name": "3"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    store = Store(SCHEMA)
    with store.writing() as cursor:
        for name, rows in ROWS.items():
            for row in rows:
                values = {"IsDeleted": False} | row
                columns = ", ".join(f'"{column}"' for column in values)
                marks = ", ".join("?" for _ in values)
                cursor.execute(f'INSERT INTO "{name}" ({columns}) VALUES ({marks})', list(values.values()))
    yield store
    store.close()


def compiled(text: str, *, include_deleted: bool = False) -> CompiledQuery:
    return compile_soql(text, SCHEMA, now=NOW, user_id=USER, include_deleted=include_deleted)


Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(store: Store) -> Ask:
    def ask(text: str, *, include_deleted: bool = False) -> list[dict[str, Any]]:
        query = compiled(text, include_deleted=include_deleted)
        rows = store.query(query.sql, query.parameters).to_pylist()
        labels = [column.label for column in query.columns]
        return [dict(zip(labels, row.values(), strict=bool(labels))) for row in rows]

    return ask


@pytest.fixture
def names(ask: Ask) -> Callable[[str], str]:
    """The names of the lines that a condition holds for, in one string."""

    def names(condition: str) -> str:
        return "".join(row["Name"] for row in ask(f"SELECT Name FROM Line__c WHERE {condition} ORDER BY Name"))

    return names


def test_names_come_back_in_their_proper_case(ask: Ask) -> None:
    assert ask("select ID, account.PARENT.owner.name from contact where lastname = 'ABLE'") == [
        {"Id": "003000000000001AAA", "Account.Parent.Owner.Name": "Ada Boss"}
    ]


def test_a_missing_parent_is_empty_to_its_formulas(ask: Ask) -> None:
    assert ask("SELECT Account.Owner.Name FROM Contact WHERE LastName = 'Baker'") == [{"Account.Owner.Name": None}]


def test_a_reference_to_several_objects_shows_names_and_types(ask: Ask) -> None:
    assert ask("SELECT Who.Type, Who.Name, What.Name FROM Task WHERE What.Type = 'account'") == [
        {"Who.Type": "Contact", "Who.Name": "Able", "What.Name": "Acme"}
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Code__c = 'abc'", "1"),  # case-sensitive
        ("Code__c LIKE 'a%'", "1"),
        ("Code__c != 'abc'", "23"),
        ("Code__c NOT IN ('abc', 'x')", "23"),
        ("(NOT Code__c = 'abc')", "23"),
        ("NOT Size__c > 1.5", "13"),
        ("Size__c > 1.5", "2"),
        ("Size__c IN (1.5, 7)", "1"),
        ("Size__c = null", "3"),
        ("Size__c != NULL", "12"),
        ("Code__c = ''", "3"),
        ("Code__c IN ('ABC', null)", "23"),
        ("Colors__c INCLUDES ('red;blue', 'Green')", "12"),
        ("Colors__c INCLUDES ('Red;Green')", ""),
        ("Colors__c EXCLUDES ('Green')", "13"),
        ("Due__c = TODAY", "1"),
        ("Due__c < TODAY", "2"),
        ("Due__c = LAST_N_DAYS:1", "12"),
        ("Due__c != THIS_MONTH", "3"),
        ("Due__c IN (YESTERDAY, 2026-08-05)", "12"),
        ("Due__c >= 2026-08-05", "1"),
        ("CALENDAR_MONTH(Due__c) = 8 AND DAY_IN_WEEK(Due__c) = 4", "1"),
        ("Account__r.Name LIKE '%100\\% \\_'", "1"),
        ("Account__r.Parent.Name = 'ACME'", "1"),
        ("Account__r.Name = null", "23"),
        ("Account__r.Name != 'x'", "123"),
        (f"Account__c = '{BETA[:15]}'", "1"),
        (f"Account__c IN ('{BETA[:15]}', '{ACME}')", "1"),
        ("Account__c IN (SELECT Id FROM Account WHERE AnnualRevenue < 6)", "1"),
        ("Account__c NOT IN (SELECT Id FROM Account WHERE Name = 'beta 100% _')", "23"),
        ("(Size__c = 2 OR Size__c = 1.5) AND (NOT Name = '1')", "2"),
        ("Id >= 'a01000000000002' AND Id < 'a01000000000003'", "2"),
        ("Id > 'a01000000000001AAA'", "23"),
        ("Id <= 'a01000000000002'", "12"),
    ],
)
def test_conditions(names: Callable[[str], str], condition: str, expected: str) -> None:
    assert expected == names(condition)


def test_ids_compare_case_sensitively(ask: Ask) -> None:
    found = ask("SELECT Id FROM Account WHERE Id >= '00100000000000Z' ORDER BY Id", include_deleted=True)
    assert found == [{"Id": CASE_TWIN}]


def test_text_ignores_case_and_booleans_are_words(ask: Ask) -> None:
    assert ask("SELECT LastName FROM Contact WHERE LastName LIKE 'AB%' AND DoNotCall = TRUE") == [{"LastName": "Able"}]


def test_date_times_compare_with_days_and_moments(ask: Ask) -> None:
    assert ask("SELECT Name FROM Account WHERE CreatedDate = TODAY") == [{"Name": "Acme"}]
    assert ask("SELECT Name FROM Account WHERE CreatedDate = 2026-08-05T03:00:00+02:00") == [{"Name": "Acme"}]


def test_order_puts_nulls_first_unless_told(ask: Ask) -> None:
    assert [row["Size__c"] for row in ask("SELECT Size__c FROM Line__c ORDER BY Size__c")] == [None, 1.5, 2.0]
    text = "SELECT Size__c FROM Line__c ORDER BY Size__c DESC NULLS LAST"
    assert [row["Size__c"] for row in ask(text)] == [2.0, 1.5, None]


def test_deleted_records_show_when_asked_for(ask: Ask) -> None:
    assert len(ask("SELECT Id FROM Account")) == 2
    assert len(ask("SELECT Id FROM Account", include_deleted=True)) == 3


def test_groups(ask: Ask) -> None:
    text = (
        "SELECT Industry, COUNT(Id) n, SUM(AnnualRevenue) FROM Account GROUP BY Industry ORDER BY COUNT(Id), Industry"
    )
    assert ask(text) == [{"Industry": None, "n": 1, "expr0": 5.0}, {"Industry": "Banking", "n": 1, "expr0": 10.0}]


def test_a_query_may_select_children_alone(ask: Ask) -> None:
    assert ask("SELECT (SELECT Id FROM Contacts) FROM Account") == [{}, {}]


def test_aliases_and_scope(ask: Ask) -> None:
    text = "SELECT c.Id, a.Name FROM Contact c, c.Account a WHERE a.Name != null"
    assert ask(text) == [{"Id": "003000000000001AAA", "Account.Name": "beta 100% _"}]
    assert ask("SELECT Id FROM Contact USING SCOPE mine") == []


HINT = "Please reference your WSDL or the describe call for the appropriate names."


@pytest.mark.parametrize(
    ("text", "code", "ending"),
    [
        (
            "SELECT Id, BadField FROM Account",
            "INVALID_FIELD",
            (
                "\nSELECT Id, BadField FROM Account\n           ^\nERROR at Row:1:Column:12\nNo such column 'BadField' "
                "on "
                "entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the "
                f"custom field name. {HINT}"
            ),
        ),
        (
            "SELECT Id FROM Nothing",
            "INVALID_TYPE",
            (
                "\nSELECT Id FROM Nothing\n               ^\nERROR at Row:1:Column:16\nsObject type 'Nothing' is not "
                "supported. If you are attempting to use a custom object, be sure to append the '__c' after the "
                "entity "
                f"name. {HINT}"
            ),
        ),
        ("SELECT Foo.Name FROM Account", "INVALID_FIELD", f"after the custom relationship name. {HINT}"),
        ("SELECT Who.Birthdate FROM Task", "INVALID_FIELD", f"the '__c' after the custom field name. {HINT}"),
        (
            "SELECT Id FROM Account WHERE Name = 5",
            "INVALID_FIELD",
            "\nvalue of filter criterion for field 'Name' must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > '2020-01-01'",
            "INVALID_FIELD",
            "for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        (
            "SELECT Id FROM Line__c WHERE Note__c = 'x'",
            "INVALID_FIELD",
            "'Note__c' can not be filtered in a query call",
        ),
        ("SELECT Id FROM Line__c WHERE Size__c LIKE 'x'", "INVALID_QUERY_FILTER_OPERATOR", "operator on double field"),
        ("SELECT Id FROM Line__c WHERE Due__c = SOON", "MALFORMED_QUERY", "unexpected token: 'SOON'"),
        (
            "SELECT Id FROM Line__c WHERE Name = 'a\\q'",
            "MALFORMED_QUERY",
            "character sequence '\\q' in string literal.",
        ),
        ("SELECT Id FROM Account ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
        ("SELECT Id nick FROM Account", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT Id FROM Account WHERE MAX(Name) = 'x'", "MALFORMED_QUERY", "unexpected token: 'MAX'"),
        ("SELECT COUNT(Id) FROM Account ORDER BY Name", "MALFORMED_QUERY", "must be grouped or aggregated: Name"),
        ("SELECT Id FROM Account WHERE Name IN (SELECT Id FROM User)", "INVALID_QUERY_FILTER_OPERATOR", "string field"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "offset allowed is 2000"),
    ],
)
def test_refusals(text: str, code: str, ending: str) -> None:
    with pytest.raises(SoqlError) as caught:
        compiled(text)
    assert code == caught.value.code
    assert caught.value.message.endswith(ending)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT COUNT() FROM Contact", "FUNCTIONALITY_NOT_ENABLED: Aggregate"),
        ("SELECT LastName FROM Contact GROUP BY LastName", "FUNCTIONALITY_NOT_ENABLED: GROUP BY"),
        ("SELECT Id FROM Contact LIMIT 1 OFFSET 1", "FUNCTIONALITY_NOT_ENABLED: OFFSET"),
        ("SELECT FIELDS(STANDARD) FROM Contact", "FUNCTIONALITY_NOT_ENABLED: The SOQL FIELDS function"),
        (
            "SELECT Id, MailingAddress FROM Contact",
            "FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
        ),
        (
            "SELECT Id FROM Account",
            (
                "INVALID_TYPE_FOR_OPERATION: The root entity of the requested query (Account) does not match the "
                "entity of "
                "the requested Bulk API Job (Contact)."
            ),
        ),
    ],
)
def test_bulk_refuses_more(text: str, message: str) -> None:
    query = compiled(text)
    with pytest.raises(SoqlError) as caught:
        check_bulk(query, "Contact", Format.CSV, Settings())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "job_object", "message"),
    [
        ("SELECT Body FROM Attachment", "Attachment", "FeatureNotEnabled: Binary field not supported"),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            "account",
            "FeatureNotEnabled: Cannot serialize value for 'Contacts' in CSV format",
        ),
    ],
)
def test_bulk_refuses_what_csv_cannot_hold(text: str, job_object: str, message: str) -> None:
    with pytest.raises(SoqlError) as caught:
        check_bulk(compiled(text), job_object, Format.CSV, Settings())
    assert message == str(caught.value)


def quoted(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f"'{text}'"


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="\0", codec="utf-8")))
def test_any_text_can_be_quoted(text: str) -> None:
    assert [text] == compiled(f"SELECT Id FROM Account WHERE Name = {quoted(text)}").parameters


def like(pattern: str, value: str) -> bool:
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern.lower()]
    return re.fullmatch("".join(parts), value.lower(), re.DOTALL) is not None


LEAVES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Size__c > 1.7": lambda row: (row.get("Size__c") or 0) > 1.7,
    "Size__c <= 1.5": lambda row: "Size__c" in row and row["Size__c"] <= 1.5,
    "Size__c = null": lambda row: "Size__c" not in row,
    "Code__c = 'abc'": lambda row: row.get("Code__c") == "abc",
    "Code__c != 'abc'": lambda row: row.get("Code__c") != "abc",
    "Name IN ('1', '3')": lambda row: row["Name"] in ("1", "3"),
    "Name NOT IN ('1')": lambda row: row["Name"] != "1",
    "Colors__c LIKE '%E%'": lambda row: "Colors__c" in row and like("%E%", row["Colors__c"]),
    "Due__c < TODAY": lambda row: "Due__c" in row and row["Due__c"] < "2026-08-05",
    "Account__r.Name = null": lambda row: "Account__c" not in row,
}
TREES: st.SearchStrategy[tuple[str, Callable[[dict[str, Any]], bool]]] = st.recursive(
    st.sampled_from(list(LEAVES.items())),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"(NOT {one[0]})", lambda row: not one[1](row))),
        st.tuples(inner, inner).map(
            lambda two: (f"({two[0][0]} AND {two[1][0]})", lambda row: two[0][1](row) and two[1][1](row))
        ),
        st.tuples(inner, inner).map(
            lambda two: (f"({two[0][0]} OR {two[1][0]})", lambda row: two[0][1](row) or two[1][1](row))
        ),
    ),
    max_leaves=8,
)


@given(TREES)
@settings(deadline=None, max_examples=80)
def test_any_condition_means_what_it_says(store: Store, tree: tuple[str, Callable[[dict[str, Any]], bool]]) -> None:
    text, holds = tree
    query = compiled(f"SELECT Name FROM Line__c WHERE {text} ORDER BY Name")
    found = store.query(query.sql, query.parameters)["c0"].to_pylist()
    assert [row["Name"] for row in ROWS["Line__c"] if holds(row)] == found


def answer_or_refuse(store: Store, text: str) -> None:
    with suppress(SoqlError):
        query = compiled(text)
        store.query(query.sql, query.parameters)


WORDS = re.split(
    " +",
    "SELECT FROM WHERE AND OR NOT IN LIKE INCLUDES ORDER BY GROUP HAVING LIMIT OFFSET NULLS LAST DESC TYPEOF COUNT "
    "FIELDS "
    "Id Name Account Line__c Contacts Colors__c Due__c Size__c Account__r.Name TODAY LAST_N_DAYS:3 LAST_N_YEARS:9999 "
    "true "
    "null 5 -1.5e3 'x' '\\q' 2026-08-05 2026-99-99 2026-08-05T00:00:00Z 10:00:00Z ( ) ( ) , , = != < : '",
)


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(deadline=None, max_examples=300)
def test_any_text_is_answered_or_refused(store: Store, words: list[str]) -> None:
    for text in (" ".join(words), "SELECT Id, Name FROM Line__c WHERE " + " ".join(words)):
        answer_or_refuse(store, text)


def _leaf() -> st.SearchStrategy[str]:
    fields = [
        "Id",
        "Name",
        "Code__c",
        "Colors__c",
        "Size__c",
        "Due__c",
        "Note__c",
        "CreatedDate",
        "IsDeleted",
        "Account__r.Name",
    ]
    operators = ["=", "!=", "<", ">=", "LIKE", "IN", "NOT IN", "INCLUDES", "EXCLUDES"]
    values = ["'a'", "''", f"'{ACME}'", "5", "1e400", "2026-08-05", "TODAY", "null", "TRUE", "2026-08-05T00:00:00.000Z"]
    one = st.tuples(*map(st.sampled_from, (fields, operators, values, values)))
    return one.map(
        lambda w: f"{w[0]} {w[1]} ({w[2]}, {w[3]})" if w[1].isupper() and w[1] != "LIKE" else " ".join(w[:3])
    )


@given(_leaf())
@settings(deadline=None, max_examples=300)
def test_any_comparison_is_answered_or_refused(store: Store, condition: str) -> None:
    answer_or_refuse(store, f"SELECT Id FROM Line__c WHERE {condition}")
