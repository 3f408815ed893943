"""An org with something to look at: jobs done, running, waiting, failed and aborted."""

from __future__ import annotations

from tests.emulator.wire import Wire
from tests.emulator.wire2 import Wire2

from bulkforce_emulator import Emulator, Pace

MARKUP = "<script>document.title = 'taken over'</script>"


def contacts(good: int, *, bad: int = 0, name: str = "Morkel") -> str:
    """A CSV batch; bad records have no last name."""
    return "LastName,FirstName\n" + f"{name},Ada\n" * good + ",Nobody\n" * bad


def lively(org: Emulator) -> tuple[str, str]:
    """Fill an org; gives a job with failures, and one that is running at the manual pace."""
    wire = Wire(org)
    accounts = wire.create("insert", "Account")
    wire.run(accounts, "Name,NumberOfEmployees\n" + "Acme,12\n" * 6000)
    wire.run(accounts, "Name,NumberOfEmployees\n" + "Globex,7\n" * 2503)
    wire.state(accounts, "Closed")
    failing = wire.create("insert", "Contact")
    wire.run(failing, contacts(1200, bad=34, name=MARKUP))
    wire.run(
        failing,
        "LastName,Birthdate,Email\nHopper,1906-12-09,grace@example.com\nLovelace,tomorrow,ada@example.com\nNoether,1882-03-23,nobody\n",
    )
    wire.run(failing, "LastName,Shoe__c\nHopper,38\n")
    wire.state(failing, "Closed")
    found = wire.create("query", "Account", concurrencyMode="Parallel")
    wire.run(found, "SELECT Id, Name FROM Account WHERE Name = 'Globex'")
    wire.state(found, "Closed")
    wire.run(
        wire.create("upsert", "Contact", "JSON", externalIdFieldName="Id"),
        '[{"LastName": "Curie"}]',
        "application/json",
    )
    Wire2(org).load(
        "LastName;Email\nHopper;grace@example.com\nNoether;nobody\n", sobject="Contact", columnDelimiter="SEMICOLON"
    )
    aborted = wire.create("update", "Account", concurrencyMode="Serial")
    org.set_pace(Pace.manual())
    wire.add(aborted, "Id,Name\n001000000000001AAA,x\n")
    wire.state(aborted, "Aborted")
    running = wire.create("insert", "Contact", concurrencyMode="Serial")
    for rows in (5000, 5000, 1777):
        wire.add(running, contacts(rows))
    org.advance()
    return failing, running
