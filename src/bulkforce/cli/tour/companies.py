"""The demo's source: companies of the S&P 500 as accounts, and their head offices as contacts."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

Record = dict[str, object]
Row = Mapping[str, str | None]
"""A record's fields as text, parents by path (``Account.Symbol__c``): the form in which source and answers are
compared."""

SCHEMA: Final[dict[str, dict[str, dict[str, str]]]] = {
    "Account": {"fields": {"Symbol__c": "string(10) unique external_id", "Joined__c": "date"}}
}
"""The custom fields of the demo's org: the source's own key, and a date."""

ACCOUNT_FIELDS: Final = (
    "Symbol__c",
    "Name",
    "Industry",
    "SicDesc",
    "BillingCity",
    "BillingState",
    "Joined__c",
    "YearStarted",
)
CONTACT_FIELDS: Final = ("Account.Symbol__c", "LastName", "Email", "MailingCity", "MailingState")


@dataclass(frozen=True, slots=True)
class Company:
    """One line of the source."""

    symbol: str
    name: str
    sector: str
    industry: str
    headquarters: str
    joined: str
    founded: str

    @property
    def city(self) -> str:
        """The city of its headquarters."""
        return self.headquarters.partition(", ")[0]

    @property
    def state(self) -> str | None:
        """The state or country of its headquarters."""
        return self.headquarters.partition(", ")[2] or None

    def account(self) -> Record:
        """Return the account as inserted; update and upsert add year and industry later."""
        return {
            "Symbol__c": self.symbol,
            "Name": self.name,
            "Industry": self.sector,
            "BillingCity": self.city,
            "BillingState": self.state,
            "Joined__c": self.joined,
        }

    def contact(self) -> Record:
        """Return the contact for the head office; it names its company by symbol, so that no id is needed."""
        return {
            "LastName": f"{self.name} Head Office",
            "Account": {"Symbol__c": self.symbol},
            "Email": f"office@{self.symbol.lower()}.example",
            "MailingCity": self.city,
            "MailingState": self.state,
        }


NEWCOMERS: Final = (
    Company("ACME", "Acme Corporation", "Industrials", "Anvils & Springs", "Fairfield, New Jersey", "", ""),
    Company("GLBX", "Globex Corporation", "Utilities", "Domination", "Cypress Creek, Oregon", "", ""),
    Company("INTC.H", "Initech", "Information Technology", "Cover Sheets", "Austin, Texas", "", ""),
)
"""Invented companies, to be upserted and deleted."""


def read() -> list[Company]:
    """Read the source."""
    text = (resources.files("bulkforce.cli") / "data" / "sp500.csv").read_text(encoding="utf-8")
    return [
        Company(
            symbol=line["Symbol"],
            name=line["Security"],
            sector=line["GICS Sector"],
            industry=line["GICS Sub-Industry"],
            headquarters=line["Headquarters Location"],
            joined=line["Date added"],
            founded=line["Founded"][:4],
        )
        for line in csv.DictReader(text.splitlines(keepends=True))
    ]


def account_rows(companies: Iterable[Company]) -> list[Row]:
    """Return what a query for all accounts must return."""
    return [_row({**one.account(), "SicDesc": one.industry, "YearStarted": one.founded}) for one in companies]


def contact_rows(companies: Iterable[Company]) -> list[Row]:
    """Return what a query for all contacts must return."""
    return [_row({**one.contact(), "Account.Symbol__c": one.symbol}) for one in companies]


def _row(record: Record) -> Row:
    return {name: None if value is None else str(value) for name, value in record.items() if name != "Account"}
