"""Load a file: each row once, and every row accounted for. If this dies: bulkforce resume RUN."""

from pathlib import Path

import bulkforce as bf

CONTACTS = Path(__file__).with_name("contacts.csv")
GERMAN = bf.TextNotation(date_format="dd.MM.yyyy")

with bf.connect() as client:
    report = client.load(CONTACTS, "Contact", "insert", mapping={"Titel": "Title"}, notation=GERMAN)

print(report)
print(f"{report.read} read = {report.succeeded} succeeded + {report.failed} failed")
print(f"Open {report.run_dir}/report.html to look at it, or {report.run_dir}/failed.csv to mend it.")
