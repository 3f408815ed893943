"""What is SOQL and what is not, and where the mistake is said to be."""

import pytest

from bulkforce_emulator.soql import SoqlError, chunk_text, chunkable, has_where
from bulkforce_emulator.soql.parser import parse


def refusal(text: str) -> str:
    with pytest.raises(SoqlError) as caught:
        parse(text)
    return caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM Account",
        "select id from account where name = 'x' limit 5",
        "SELECT Id, Order.Name FROM Group g WHERE (NOT g.Name LIKE 'a%') AND Type IN ('a', 'b') ORDER BY Name",
        "SELECT Id FROM Order USING SCOPE mine WHERE Total > -2.5e3 ORDER BY Name DESC NULLS LAST LIMIT 1 OFFSET 2",
        "SELECT Id FROM Contact WITH SECURITY_ENFORCED LIMIT 1 FOR VIEW FOR REFERENCE",
        "SELECT COUNT() FROM Contact",
        "SELECT toLabel(Status), COUNT(Id) n FROM Case GROUP BY Status HAVING COUNT(Id) > 1",
        "SELECT Id, (SELECT Id FROM Contacts LIMIT 2) FROM Account",
        "SELECT TYPEOF What WHEN Account THEN Name, Phone ELSE Name END FROM Event",
        "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)",
        "SELECT Id\nFROM Account\n\tWHERE CreatedDate >= 2020-01-01T00:00:00Z AND CloseDate = LAST_N_DAYS:30",
        "SELECT Id FROM Account WHERE Name = 'it\\'s \\\\ \\u00e9'",
    ],
)
def test_soql_is_read(text: str) -> None:
    assert parse(text).source.sobject.names


@pytest.mark.parametrize(
    ("text", "place", "detail"),
    [
        ("SELECT Id FORM Account", 16, "unexpected token: 'Account'"),
        ("SELECT FROM Account", 8, "unexpected token: 'FROM'"),
        ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", 46, "unexpected token: 'OR'"),
        ("SELECT Id FROM Account WHERE a = 1 AND NOT b = 2", 40, "unexpected token: 'NOT'"),
        ("SELECT Id FROM Account WHERE Id IN ()", 37, "unexpected token: ')'"),
        ("SELECT Id FROM Account LIMIT 1 WHERE a = 1", 32, "unexpected token: 'WHERE'"),
        ("SELECT Id FROM Account WHERE a = :name", 34, "Bind variables only allowed in Apex code"),
        ('SELECT Id FROM Account WHERE a = "x"', 34, "unexpected token: '\"'"),
        ("SELECT Id FROM", 15, "unexpected token: '<EOF>'"),
    ],
)
def test_a_mistake_is_placed(text: str, place: int, detail: str) -> None:
    message = refusal(text)
    assert f"\nERROR at Row:1:Column:{place}\n{detail}" in message
    assert message.startswith("\n")


def test_the_caret_stands_below_the_mistake_also_in_a_long_query() -> None:
    text = "SELECT " + ", ".join(f"Field{n}__c" for n in range(50)) + " FROM Account WHERE LIMIT = )"
    echo, caret = refusal(text).split("\n")[1:3]
    assert echo[caret.index("^")] == ")"
    assert len(echo) < 90


def test_the_row_is_counted_in_lines() -> None:
    assert "ERROR at Row:3:Column:7\n" in refusal("SELECT Id\nFROM Account\nWHERE )")


def test_an_unclosed_string_is_told() -> None:
    assert refusal("SELECT Id FROM Account WHERE Name = 'abc") == "line 1:36 mismatched character '<EOF>' expecting '''"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Id, Name FROM Account", True),
        ("SELECT Id FROM Account WHERE Name = 'a' OR Name = 'b'", True),
        ("SELECT Id FROM Account WHERE OwnerId = '005'", False),
        ("SELECT Id FROM Account ORDER BY Name", False),
        ("SELECT Id FROM Account LIMIT 5", False),
        ("SELECT Id FROM Account WHERE Name IN ('a') FOR VIEW", False),
        ("no query", False),
    ],
)
def test_chunking_is_for_plain_queries(text: str, expected: bool) -> None:
    assert expected == chunkable(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Id FROM Account", "SELECT Id FROM Account WHERE Id >= '1' AND Id < '2'"),
        ("SELECT Id FROM X WHERE a = 1", "SELECT Id FROM X WHERE a = 1 AND Id >= '1' AND Id < '2'"),
        ("SELECT Id FROM X WHERE a = 1 OR b = 2", "SELECT Id FROM X WHERE (a = 1 OR b = 2) AND Id >= '1' AND Id < '2'"),
        ("SELECT Id FROM X WHERE NOT a = 1", "SELECT Id FROM X WHERE (NOT a = 1) AND Id >= '1' AND Id < '2'"),
        (
            "SELECT Id FROM X WHERE (a = 1 OR b = 2)",
            "SELECT Id FROM X WHERE (a = 1 OR b = 2) AND Id >= '1' AND Id < '2'",
        ),
        (
            "SELECT Id FROM X WHERE (a = 1) OR (b = 2)",
            "SELECT Id FROM X WHERE ((a = 1) OR (b = 2)) AND Id >= '1' AND Id < '2'",
        ),
    ],
)
def test_a_chunk_adds_its_range(text: str, expected: str) -> None:
    chunk = chunk_text(text, "1", "2")
    assert expected == chunk
    assert has_where(chunk)
