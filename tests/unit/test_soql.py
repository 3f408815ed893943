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


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("-- all of them\nSELECT Id -- the id\nFROM Account;\n", "SELECT Id  \nFROM Account"),
        ("SELECT Id /* not\nthe name */ FROM Account ; ;", "SELECT Id \n FROM Account"),
        ("SELECT Id FROM Account WHERE Name = '-- /* no; comment */'", "SELECT Id FROM Account WHERE Name = '-- /* no; comment */'"),
        (r"SELECT Id FROM Account WHERE Name = 'it\'s --' -- so", r"SELECT Id FROM Account WHERE Name = 'it\'s --'"),
    ],
)  # fmt: skip
def test_comments_and_the_semicolon_are_no_part_of_a_query(text: str, bare: str) -> None:
    assert soql.read(text).text == bare


def test_comment_without_an_end_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\*/ is missing"):
        soql.read("SELECT Id FROM Account /* and so on")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("SELECT COUNT() FROM Account", "bulkforce count"),
        ("SELECT count(Id) FROM Account WHERE Name != ''", "bulkforce count"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "to_duckdb"),
        ("SELECT MAX(CreatedDate) FROM Account", "to_duckdb"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "child object by itself"),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", "each type of parent"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 5", "by a condition"),
    ],
)
def test_query_that_bulk_cannot_answer_names_the_way_that_can(text: str, way: str) -> None:
    with pytest.raises(UsageError, match=f"A bulk query cannot .*{way}"):
        soql.check_bulk(soql.read(text))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id, Count__c, Max_Size__c FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Name = 'GROUP BY' ORDER BY Name LIMIT 5",
        "SELECT FIELDS(STANDARD), toLabel(Industry), convertCurrency(AnnualRevenue) FROM Account",
    ],
)
def test_query_that_bulk_can_answer_passes(text: str) -> None:
    soql.check_bulk(soql.read(text))


@pytest.mark.parametrize(
    ("text", "counting"),
    [
        ("Account", "SELECT COUNT() FROM Account"),
        ("  My_Object__c ; ", "SELECT COUNT() FROM My_Object__c"),
        ("Account WHERE Name LIKE 'A%'", "SELECT COUNT() FROM Account WHERE Name LIKE 'A%'"),
        ("from Account", "SELECT COUNT() FROM Account"),
        ("SELECT COUNT() FROM Account LIMIT 5", "SELECT COUNT() FROM Account LIMIT 5"),
        ("select Id, Name from Account where Name = 'x' order by Name", "SELECT COUNT() FROM Account WHERE Name = 'x'"),
        ("SELECT COUNT(Id) n FROM Account", "SELECT COUNT() FROM Account"),
        ("SELECT COUNT(Phone) FROM Account WHERE Name = 'x'", "SELECT COUNT() FROM Account WHERE Phone != null AND (Name = 'x')"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "SELECT COUNT() FROM Account"),
    ],
)  # fmt: skip
def test_whatever_finds_records_can_be_counted(text: str, counting: str) -> None:
    assert soql.counting(text) == counting


@pytest.mark.parametrize(
    "text",
    ["SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "SELECT COUNT_DISTINCT(Name) FROM Account", "SELECT MAX(Id) FROM A"],
)  # fmt: skip
def test_what_is_no_number_of_records_is_not_counted(text: str) -> None:
    with pytest.raises(UsageError, match="Only records can be counted"):
        soql.counting(text)


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ("SELECT Id FROM A", "SELECT Id FROM A LIMIT 5"),
        ("SELECT Id FROM A WHERE B = 'LIMIT 9' ;", "SELECT Id FROM A WHERE B = 'LIMIT 9' LIMIT 5"),
        ("SELECT Id FROM A LIMIT 9 FOR VIEW", "SELECT Id FROM A LIMIT 5 FOR VIEW"),
        ("SELECT Id FROM A LIMIT 5", "SELECT Id FROM A LIMIT 5"),
        ("SELECT Id FROM A LIMIT 2 OFFSET 9", "SELECT Id FROM A LIMIT 2 OFFSET 9"),
        ("SELECT Id FROM A LIMIT :n", "SELECT Id FROM A LIMIT :n"),
        ("SELECT Id FROM A ORDER BY B\nOFFSET 9 ALL ROWS", "SELECT Id FROM A ORDER BY B LIMIT 5 OFFSET 9 ALL ROWS"),
        ("SELECT B, COUNT(Id) FROM A GROUP BY B", "SELECT B, COUNT(Id) FROM A GROUP BY B LIMIT 5"),
        ("SELECT COUNT() FROM A", "SELECT COUNT() FROM A"),
        ("SELECT MAX(B) FROM A", "SELECT MAX(B) FROM A"),
    ],
)
def test_limit_is_set_where_there_can_be_one(text: str, limited: str) -> None:
    assert soql.read(text).limited(5) == limited
