"""The demo's own judgement: it must notice whatever did not come back as it went in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from rich.console import Console

import bulkforce as bf
from bulkforce.cli.tour import companies, comparison
from bulkforce.cli.tour.scenes import Tour
from bulkforce.cli.tour.stage import Stage
from bulkforce_emulator import Emulator

ROWS: list[companies.Row] = [{"Symbol__c": "A", "Name": "Ay"}, {"Symbol__c": "B", "Name": None}]


@pytest.fixture
def stage() -> Stage:
    return Stage(Console(file=io.StringIO(), width=80))


@pytest.fixture
def client() -> Iterator[bf.Client]:
    with Emulator(companies.SCHEMA) as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        yield client


def test_source_has_503_companies_with_symbols_of_their_own() -> None:
    assert len({company.symbol for company in companies.read()}) == 503


def test_compare_counts_rows_that_agree_in_any_order() -> None:
    assert comparison.compare(ROWS, ROWS[::-1], "Symbol__c") == 2


@pytest.mark.parametrize(
    "found",
    [
        [],
        ROWS[:1],
        [*ROWS, ROWS[0]],
        [*ROWS, {"Symbol__c": "C", "Name": "Sea"}],
        [ROWS[0], {"Symbol__c": "B", "Name": "Bee"}],
    ],
    ids=["nothing", "one lost", "one twice", "one too many", "one changed"],
)
def test_compare_raises_when_rows_differ(found: list[companies.Row]) -> None:
    with pytest.raises(bf.Error, match="not what went in"):
        comparison.compare(ROWS, found, "Symbol__c")


def test_rows_are_the_same_from_all_three_formats() -> None:
    fields = ("Name", "Joined__c", "Account.Symbol__c")
    expected = [{"Name": "Ay", "Joined__c": "1957-03-04", "Account.Symbol__c": "A"}, dict.fromkeys(fields)]
    text = '"Name","Joined__c","Account.Symbol__c"\n"Ay","1957-03-04","A"\n"","",""\n'
    records: list[dict[str, object]] = [
        {"attributes": {}, "Name": "Ay", "Joined__c": -404_870_400_000, "Account": {"Symbol__c": "A"}},
        {"attributes": {}, "Name": None, "Joined__c": None, "Account": None},
    ]
    root = fromstring(
        '<queryResult xmlns="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<records><Name>Ay</Name><Joined__c>1957-03-04</Joined__c><Account><Symbol__c>A</Symbol__c></Account></records>"
        '<records><Name xsi:nil="true"/><Joined__c xsi:nil="true"/><Account xsi:nil="true"/></records></queryResult>'
    )
    assert comparison.rows_of_csv(text, fields) == expected
    assert comparison.rows_of_json(records, fields) == expected
    assert comparison.rows_of_xml(root, fields) == expected


def test_tour_fails_when_a_company_did_not_go_in(client: bf.Client, stage: Stage) -> None:
    first, second, *_ = companies.read()
    with pytest.raises(bf.Error, match="did not go as expected"):
        Tour(client, stage, [first, second, replace(second, name="")]).play()


def test_tour_fails_when_something_else_is_in_the_org(client: bf.Client, stage: Stage) -> None:
    first, second, third, *_ = companies.read()
    Tour(client, stage, [first]).insert_accounts()
    with pytest.raises(bf.Error, match="3 records went in, 4 came back"):
        Tour(client, stage, [second, third, replace(third, symbol="X")]).play()
