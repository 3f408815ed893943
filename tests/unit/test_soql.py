"""What a query is seen to be from outside: its object, columns and clauses."""

from __future__ import annotations

import pytest

from bulkforce.errors import UsageError
from bulkforce.protocol import soql


@pytest.mark.parametrize(
    ("text", "object_name", "columns", "clauses"),
    [
        ("SELECT Id FROM Account", "Account", ("Id",), ["SELECT", "FROM"]),
        ("  select Id,Name\nfrom\tAccount  ", "Account", ("Id", "Name"), ["SELECT", "FROM"]),
        (
            ("SELECT toLabel(Status), Owner.Name, (SELECT Id FROM Contacts WHERE Name = 'x'), COUNT(Id) n FROM Case c "
"WHERE Subject = ' FROM Lead'"),
            "Case",
            ("toLabel(Status)", "Owner.Name", "(SELECT Id FROM Contacts WHERE Name = 'x')", "COUNT(Id) n"),
            ["SELECT", "FROM", "WHERE"],
        ),
        (
            (r"SELECT Id FROM Account WHERE Name = 'it\'s WHERE LIMIT' GROUP  BY Name HAVING COUNT(Id) > 1 ORDER BY "
r"Name LIMIT 5 OFFSET 2"),
            "Account",
            ("Id",),
            ["SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET"],
        ),
        ("SELECT FIELDS(ALL) FROM Account USING SCOPE mine WITH SECURITY_ENFORCED FOR VIEW ALL ROWS", "Account", ("FIELDS(ALL)",),
         ["SELECT", "FROM", "USING SCOPE", "WITH", "FOR VIEW", "ALL ROWS"]),
    ],
)  # fmt: skip
def test_query_is_seen_from_outside(text: str, object_name: str, columns: tuple[str, ...], clauses: list[str]) -> None:
    query = soql.read(text)
    assert (query.text, query.object, query.columns, list(query.clauses)) == (
        text.strip(),
        object_name,
        columns,
        clauses,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Account",
        "FROM Account SELECT Id",
        "SELECT Id",
        "SELECT Id FROM",
        "DELETE FROM Account",
        "x SELECT Id FROM Account",
    ],
)
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"A query must begin with SELECT|names no object"):
        soql.read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Id FROM A", "SELECT Id FROM A WHERE x = 1"),
        ("SELECT Id FROM A WHERE b = 2 OR c = 3", "SELECT Id FROM A WHERE x = 1 AND (b = 2 OR c = 3)"),
        ("SELECT Id FROM A USING SCOPE mine ORDER BY Id", "SELECT Id FROM A USING SCOPE mine WHERE x = 1 ORDER BY Id"),
        ("SELECT Id FROM A WHERE b = 2 ORDER BY Id LIMIT 3", ("SELECT Id FROM A WHERE x = 1 AND (b = 2) ORDER BY Id "
"LIMIT 3")),
    ],
)  # fmt: skip
def test_one_more_condition_narrows_the_whole_query(text: str, expected: str) -> None:
    assert " ".join(soql.read(text).with_condition("x = 1").split()) == expected


def test_mistake_in_a_query_is_shown_at_its_place() -> None:
    text = "SELECT Id,\n  Nmae FROM Account"
    shown = soql.explain(
        text,
        "InvalidBatch : Failed to process query: INVALID_FIELD:\n  Nmae FROM Account\n  ^\nERROR at Row:2:Column:3\nNo "
        "such column 'Nmae'",
    )
    assert shown == "INVALID_FIELD: No such column 'Nmae' (line 2, column 3)\n    Nmae FROM Account\n    ^"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: compound data is not supported",
            "select its parts",
        ),
        ("Anything else", "Anything else"),
        ("INVALID_FIELD: ERROR at Row:9:Column:1 none", "ERROR at Row:9"),
    ],
)
def test_mistake_without_a_place_is_told_as_the_org_says_it(message: str, expected: str) -> None:
    assert expected in soql.explain("SELECT Id FROM A", message)
