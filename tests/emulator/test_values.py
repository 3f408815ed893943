"""Values and layouts as the server writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.wire import Wire, rows

from bulkforce_emulator import Emulator, Settings
from bulkforce_emulator.formats.columns import java_doubles

SCHEMA = {"Account": {"fields": {"Share__c": "double(18,12)", "Code__c": "string(10) unique external_id"}}}


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def wire(org: Emulator) -> Wire:
    return Wire(org)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (23456.0, "23456.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-0.00012345, "-1.2345E-4"),
        (9_999_999.9, "9999999.9"),
        (10_000_000.0, "1.0E7"),
        (-99_213_206.0, "-9.9213206E7"),
        (115_056_052.25, "1.1505605225E8"),
        (16_147_805_824_397.0, "1.6147805824397E13"),
        (1e15, "1.0E15"),
        (1.5e20, "1.5E20"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (None, None),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float | None, written: str | None) -> None:
    assert java_doubles(pa.array([value, 1.5, None], pa.float64())).to_pylist() == [written, "1.5", None]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=1))
def test_doubles_are_the_same_when_they_are_read_again(values: list[float | None]) -> None:
    written = java_doubles(pa.array(values, pa.float64())).to_pylist()
    assert [None if text is None else float(text) for text in written] == values
    assert all(re.fullmatch(r"-?(\d{1,7}\.\d+|\d\.\d+E-?\d+)", text) for text in written if text is not None)


def test_large_numbers_have_an_exponent_in_every_content_type(wire: Wire) -> None:
    wire.org.insert("Account", [{"Name": "Rich", "AnnualRevenue": 16_147_805_824_397, "Share__c": 0.00001}])
    soql = "SELECT AnnualRevenue, Share__c FROM Account WHERE Name = 'Rich'"
    assert rows(wire.query(soql)) == [["1.6147805824397E13", "1.0E-5"]]
    assert '"AnnualRevenue" : 1.6147805824397E13' in wire.query(soql, "JSON").text
    assert "<AnnualRevenue>1.6147805824397E13</AnnualRevenue>" in wire.query(soql, "XML").text


def test_org_that_writes_numbers_plainly_and_json_on_one_line_can_be_had() -> None:
    with Emulator(settings=Settings(large_numbers="plain", json_results="compact")) as org:
        org.insert("Account", [{"Name": "Rich", "AnnualRevenue": 16_147_805_824_397}])
        wire, soql = Wire(org), "SELECT AnnualRevenue FROM Account"
        assert rows(wire.query(soql)) == [["16147805824397.0"]]
        assert wire.query(soql, "JSON").text.endswith('"},"AnnualRevenue":16147805824397.0}]')
        assert wire.query("SELECT Id FROM Lead", "JSON").text == "[]"


def test_json_results_of_a_query_are_laid_out_line_by_line(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "Laid out"}])
    first, second = wire.org.insert(
        "Contact", [{"LastName": "A", "AccountId": account}, {"LastName": "B", "Department": ", "}]
    )
    soql = "SELECT Id, Department, Account.Name FROM Contact WHERE LastName IN ('A', 'B')"
    assert (
        wire.query(soql, "JSON").text
        == f"""[ {{
  "attributes" : {{
    "type" : "Contact",
    "url" : "/services/data/v66.0/sobjects/Contact/{first}"
  }},
  "Id" : "{first}",
  "Department" : null,
  "Account" : {{
    "attributes" : {{
      "type" : "Account",
      "url" : "/services/data/v66.0/sobjects/Account/{account}"
    }},
    "Name" : "Laid out"
  }}
}}, {{
  "attributes" : {{
    "type" : "Contact",
    "url" : "/services/data/v66.0/sobjects/Contact/{second}"
  }},
  "Id" : "{second}",
  "Department" : ", ",
  "Account" : null
}} ]"""
    )
    assert wire.query("SELECT Id FROM Lead", "JSON").text == "[ ]"


def test_what_a_typeof_shows_depends_on_the_object(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "Owner of events", "Phone": "1"}])
    (deal,) = wire.org.insert(
        "Opportunity", [{"Name": "Deal", "StageName": "Won", "CloseDate": "2026-01-01", "Amount": 5}]
    )
    (case,) = wire.org.insert("Case", [{"Subject": "x"}])
    tasks = {"a": account, "c": case, "d": deal, "n": None}
    wire.org.insert("Task", [{"Subject": subject, "WhatId": what} for subject, what in tasks.items()])
    by_type = "TYPEOF What WHEN account THEN Phone, Name WHEN Opportunity THEN Amount"
    with_else = wire.query(f"SELECT Subject, {by_type} ELSE Id END FROM Task ORDER BY Subject", "JSON")
    assert [
        (one["Subject"], one["What"] and {name: one["What"][name] for name in one["What"] if name != "attributes"})
        for one in with_else.json
    ] == [
        ("a", {"Phone": "1", "Name": "Owner of events"}),
        ("c", {"Id": case}),
        ("d", {"Amount": 5.0}),
        ("n", None),
    ]
    assert with_else.json[2]["What"]["attributes"]["type"] == "Opportunity"
    without = wire.query(f"SELECT Subject, {by_type} END FROM Task ORDER BY Subject", "JSON").json
    assert [one["What"] is None for one in without] == [False, True, False, True]


@pytest.mark.parametrize(
    ("soql", "words"),
    [
        ("SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact", "INVALID_FIELD: "),
        ("SELECT TYPEOF What WHEN Contact THEN Name END FROM Task", "INVALID_TYPE: "),
        ("SELECT TYPEOF What WHEN Account THEN Nope END FROM Task", "INVALID_FIELD: "),
        ("SELECT TYPEOF What WHEN Account THEN Parent.Name END FROM Task", "MALFORMED_QUERY: "),
        ("SELECT TYPEOF What WHEN Account THEN Phone ELSE Phone__c END FROM Task", "INVALID_FIELD: "),
    ],
)
def test_typeof_that_names_nothing_is_refused(wire: Wire, soql: str, words: str) -> None:
    message = wire.failure("query", re.findall(r"FROM (\w+)", soql)[0], soql, content_type="JSON")
    assert message.startswith(f"InvalidBatch : Failed to process query: {words}")


@pytest.mark.parametrize("content_type", ["CSV", "XML"])
def test_typeof_is_refused_in_other_content_types(wire: Wire, content_type: str) -> None:
    soql = "SELECT TYPEOF What WHEN Account THEN Name END FROM Task"
    assert "TYPEOF not supported in Bulk Query" in wire.failure("query", "Task", soql, content_type=content_type)


def test_org_that_refuses_typeof_in_json_too_can_be_had() -> None:
    with Emulator(settings=Settings(typeof_in_json=False)) as org:
        soql = "SELECT TYPEOF What WHEN Account THEN Name END FROM Task"
        assert "TYPEOF not supported" in Wire(org).failure("query", "Task", soql, content_type="JSON")


@pytest.mark.parametrize(
    ("root", "words"), [("no records", "Records not found"), ("unreadable", "Failed to parse XML. Expected sObjects")]
)
def test_xml_batch_with_a_foreign_root(root: str, words: str) -> None:
    with Emulator(settings=Settings(foreign_xml_root=root)) as org:  # type: ignore[arg-type]
        wire = Wire(org)
        batch = wire.run(wire.create("insert", "Contact", "XML"), "<records><Contact/></records>", "application/xml")
        assert batch.element("stateMessage").startswith(f"InvalidBatch : {words}")


@pytest.mark.parametrize(
    ("hint", "value", "day"),
    [
        ("dd MM yy", "07 06 40", "2040-06-07"),
        ("dd MM yy", "30 11 46", "2046-11-30"),
        ("dd MM yy", "02 12 46", "1946-12-02"),
        ("dd MM yy", "07 06 47", "1947-06-07"),
        ("dd MM yy", "07 06 99", "1999-06-07"),
        ("dd MM yy", "07 06 1940", "1940-06-07"),
        ("d.M.y", "7.6.61", "1961-06-07"),
        ("dd MM yyyy", "07 06 1940", "1940-06-07"),
    ],
)
def test_two_digits_are_a_year_of_the_last_eighty_or_the_next_twenty(hint: str, value: str, day: str) -> None:
    with Emulator(now=datetime(2026, 12, 1, 12, tzinfo=UTC)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        spec = f"Salesforce Field,Csv Header,Value,Hint\nLastName,Name,,\nBirthdate,Born,,{hint}\n"
        assert wire.ask("POST", f"job/{job}/spec", spec, {"Content-Type": "text/csv"}).status == 201
        assert wire.run(job, f"Name,Born\nx,{value}\n").element("numberRecordsFailed") == "0"
        assert str(org.records("Contact")[0]["Birthdate"]) == day


def test_times_of_a_job_are_the_sums_of_its_batches(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    for body in ("LastName\nx\n", "LastName\n" + "x\n" * 500, "Nope\nx\n", "LastName\ny\n"):
        wire.run(job, body)
    told, listed = (wire.ask("GET", path).text for path in (f"job/{job}", f"job/{job}/batch"))
    for name in ("totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime"):
        (total,), parts = (re.findall(rf"<{name}>(\d+)</{name}>", text) for text in (told, listed))
        assert (len(parts), int(total)) == (4, sum(map(int, parts)))


COOKIE = r"; path=/; expires=\w{3}, \d\d-\w{3}-\d{4} \d\d:\d\d:\d\d GMT; Max-Age=31536000; secure"


@pytest.mark.parametrize("path", ["job/750000000000000AAA", "/services/data", "/services/nope", "nope"])
def test_answers_carry_what_the_servers_in_front_add(org: Emulator, path: str) -> None:
    headers = Wire(org).ask("GET", path).headers
    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert headers["x-robots-tag"] == "none"
    assert re.fullmatch(rf"BrowserId=[\w-]{{22}}{COOKIE}; SameSite=None", headers["set-cookie"])


def test_answers_without_them_can_be_had() -> None:
    with Emulator(settings=Settings(server_headers=False)) as org:
        assert not {"set-cookie", "strict-transport-security", "x-robots-tag"} & set(
            Wire(org).ask("GET", "/services/data").headers
        )


def test_other_pages_of_the_emulator_do_not_carry_them(wire: Wire) -> None:
    assert "set-cookie" not in wire.ask("GET", "/_emulator").headers
    assert json.loads(wire.ask("GET", "/_emulator").body)
