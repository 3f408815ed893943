"""Check whether a file fits an object, before anything is sent."""

from pathlib import Path

import bulkforce as bf

CONTACTS = Path(__file__).with_name("contacts.csv")
GERMAN = bf.TextNotation(date_format="dd.MM.yyyy")

with bf.connect() as client:
    # The column Titel should be Title, the dates are not written as the org wants them, and a name is missing.
    first = client.check(CONTACTS, "Contact", "insert")
    print(first)

    # Told which column is which field, and how dates are written, only the row without a name is left.
    second = client.check(CONTACTS, "Contact", "insert", mapping={"Titel": "Title"}, notation=GERMAN)
    print(second)

findings = [len(report.columns) + len(report.values) for report in (first, second)]
print(f"At first {findings[0]} findings, then {findings[1]}")
