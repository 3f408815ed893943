"""Load a file, fix the rows that failed, and load these again."""

import csv
from pathlib import Path

import bulkforce as bf

CONTACTS = Path(__file__).with_name("contacts.csv")
GERMAN = bf.TextNotation(date_format="dd.MM.yyyy")

with bf.connect() as client:
    report = client.load(CONTACTS, "Contact", "insert", mapping={"Titel": "Title"}, notation=GERMAN)
    print(f"At first: {report.succeeded} succeeded, {report.failed} failed")

    # The file has the source's own columns behind the reason, so it can be loaded as it is once it is fixed: here by
    # a program, else in a spreadsheet.
    failed = Path(report.run_dir) / "failed.csv"
    with failed.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        print(f"Fixed: {row['sf__Error']}")
        row["LastName"] = row["LastName"] or "Unknown"
    with failed.with_name("fixed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)

    again = client.load(file.name, "Contact", "insert", mapping={"Titel": "Title"}, notation=GERMAN)
    print(f"Then: {again.succeeded} succeeded, {again.failed} failed")
