"""The tour, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.markup import escape

from bulkforce.cli.tour import comparison
from bulkforce.cli.tour.companies import (
    ACCOUNT_FIELDS,
    CONTACT_FIELDS,
    NEWCOMERS,
    Company,
    Record,
    account_rows,
    contact_rows,
)
from bulkforce.cli.tour.stage import Stage
from bulkforce.client import Client
from bulkforce.conversations import Pace
from bulkforce.errors import Error
from bulkforce.protocol.info import BatchInfo, Result

FORMATS: Final = ("CSV", "JSON", "XML")
FAST: Final = Pace(first_seconds=0.02)


@dataclass(frozen=True)
class Tour:
    """Plays the scenes.

    Attributes:
        client: The client of the org.
        stage: Shows the scenes.
        companies: The companies to load.
    """

    client: Client
    stage: Stage
    companies: Sequence[Company]

    def play(self) -> None:
        """Play all scenes.

        Raises:
            Error: A scene did not go as expected.
        """
        ids = self.insert_accounts()
        half = len(self.companies) // 2
        self.insert_contacts("JSON", self.companies[:half], "the first half of the head offices, as JSON")
        self.insert_contacts("XML", self.companies[half:], "the other half, as XML")
        self.update_accounts(ids)
        newcomers = self.upsert_accounts()
        self.refuse_a_contact()
        self.delete_accounts(newcomers)
        self.query_all()

    def insert_accounts(self) -> list[str]:
        """Insert the companies and return their ids."""
        with self.stage.scene(f"Insert {len(self.companies)} companies, as CSV") as scene:
            results = self._load("insert", "Account", "CSV", [one.account() for one in self.companies])
            self.stage.note("Every job takes these calls. From here on, only what differs is shown.")
            scene.outcome = f"{_good(results, created=True)} accounts created"
        return [str(result.id) for result in results]

    def insert_contacts(self, content_type: str, companies: Sequence[Company], title: str) -> None:
        """Insert head offices; the org finds their companies by symbol."""
        with self.stage.scene(f"Insert {title}") as scene:
            results = self._load("insert", "Contact", content_type, [one.contact() for one in companies])
            scene.outcome = f"{_good(results, created=True)} contacts created, their accounts found by symbol"

    def update_accounts(self, ids: Sequence[str]) -> None:
        """Set every account's year; the results of the insert are in the order of its records."""
        changes: list[Record] = [
            {"Id": id_, "YearStarted": one.founded} for id_, one in zip(ids, self.companies, strict=True)
        ]
        with self.stage.scene("Update every account with the year it was founded") as scene:
            scene.outcome = f"{_good(self._load('update', 'Account', 'CSV', changes), created=False)} accounts updated"

    def upsert_accounts(self) -> list[str]:
        """Upsert the companies with newcomers among them, and return the newcomers' ids."""
        known: list[Record] = [{"Symbol__c": one.symbol, "SicDesc": one.industry} for one in self.companies]
        new = [{**one.account(), "Joined__c": None, "SicDesc": one.industry} for one in NEWCOMERS]
        with self.stage.scene("Upsert industries by symbol, with three new companies among them") as scene:
            results = self._load("upsert", "Account", "XML", [*known, *new], external_id_field="Symbol__c")
            updated = _good(results[: len(known)], created=False)
            scene.outcome = f"{updated} accounts updated, {_good(results[len(known) :], created=True)} created"
        return [str(result.id) for result in results[len(known) :]]

    def refuse_a_contact(self) -> None:
        """Insert contacts, one of which lacks a required field."""
        contacts = [one.contact() for one in NEWCOMERS]
        del contacts[1]["LastName"]
        with self.stage.scene("Insert a contact that the org refuses: it has no last name") as scene:
            results = self._load("insert", "Contact", "JSON", contacts)
            good = _good([results[0], results[2]], created=True)
            if results[1].success:
                raise Error("The org accepted a contact without a last name")
            for error in results[1].errors:
                self.stage.line(f"    [yellow]record 2: {error.status_code}: {escape(error.message)}[/yellow]")
            scene.outcome = f"{good} contacts created, 1 refused; the others are not affected"

    def delete_accounts(self, ids: Sequence[str]) -> None:
        """Delete the newcomers; their contacts go with them."""
        with self.stage.scene("Delete the three new companies") as scene:
            deleted = _good(self._load("delete", "Account", "JSON", [{"Id": id_} for id_ in ids]), created=False)
            scene.outcome = f"{deleted} accounts deleted, and their contacts with them"

    def query_all(self) -> None:
        """Query everything in every format, all at once, and compare."""
        with self.stage.scene("Query everything, in each format, and compare it with the source") as scene:
            accounts = self._queries("Account", ACCOUNT_FIELDS)
            contacts = self._queries("Contact", CONTACT_FIELDS)
            for content_type in FORMATS:
                answer = self._answer(accounts[content_type])
                rows = comparison.ROWS_OF[content_type](answer, ACCOUNT_FIELDS)
                same_accounts = comparison.compare(account_rows(self.companies), rows, "Symbol__c")
                rows = comparison.ROWS_OF[content_type](self._answer(contacts[content_type]), CONTACT_FIELDS)
                same_contacts = comparison.compare(contact_rows(self.companies), rows, "Account.Symbol__c")
                kind = type(answer).__name__
                self.stage.line(
                    f"    {content_type:<4} as {kind:<8} {same_accounts} accounts and {same_contacts} contacts, "
                    "all equal to the source"
                )
            scene.outcome = "all that went in came back, field by field"

    def _load(
        self,
        operation: str,
        sobject: str,
        content_type: str,
        records: list[Record],
        external_id_field: str | None = None,
    ) -> list[Result]:
        call, client = self.stage.call, self.client
        job = call(client.create_job, operation, sobject, content_type, external_id_field=external_id_field)
        batch = call(client.add_batch, job, records)
        call(client.close_job, job)
        self.stage.sample(call(client.get_batch_request, job, batch.id))
        call(client.wait_for_batch, job, batch.id, pace=FAST).raise_for_state()
        results: list[Result] = call(client.get_batch_result, job, batch.id)
        return results

    def _queries(self, sobject: str, fields: Sequence[str]) -> dict[str, BatchInfo]:
        """Send the same query in every format, without waiting for results."""
        soql = f"SELECT {', '.join(fields)} FROM {sobject}"  # noqa: S608  (SOQL from constants)
        self.stage.sample(soql.encode())
        jobs = {
            content_type: self.stage.call(self.client.create_job, "query", sobject, content_type)
            for content_type in FORMATS
        }
        return {content_type: self.client.add_batch(job, soql) for content_type, job in jobs.items()}

    def _answer(self, batch: BatchInfo) -> Any:  # noqa: ANN401  (text, dicts or an element)
        self.client.wait_for_batch(batch.job_id, batch.id, pace=FAST).raise_for_state()
        self.client.close_job(batch.job_id)
        return self.client.get_batch_result(batch.job_id, batch.id)


def _good(results: Sequence[Result], *, created: bool) -> int:
    """Return the number of results, all of which must be as expected."""
    for row, result in enumerate(results, 1):
        if not result.success or result.created != created:
            raise Error(f"Record {row} of {len(results)} did not go as expected: {result.errors or result}")
    return len(results)
