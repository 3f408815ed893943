"""simple-salesforce: its handler of v1, which speaks JSON, and that of 2.0.

python simple_salesforce_peer.py load|extract|load2|extract2 URL FOLDER OUT POLL
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import requests
from simple_salesforce.bulk import SFBulkHandler
from simple_salesforce.bulk2 import SFBulk2Handler

SOQL = "SELECT Id FROM Contact"
verb, url, folder, out, poll = sys.argv[1:]
wait = float(poll)
source = Path(folder, "contacts.csv")
bulk = SFBulkHandler("session", f"{url}/services/async/59.0/", session=requests.Session())
bulk2 = SFBulk2Handler("session", f"{url}/services/data/v59.0/jobs/", session=requests.Session())


def load() -> int:
    with source.open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    # `insert` with the pause that it does not let one set.
    told = bulk.Contact._bulk_operation("insert", records, batch_size=10_000, wait=wait)
    with Path(out, "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([row["id"], row["success"], row["created"], row["errors"] or ""] for row in told)
    return len(told)


def extract() -> int:
    rows = bulk.Contact.query(SOQL, wait=wait)
    with Path(out, "out.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "attributes"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def load2() -> int:
    told = bulk2.Contact.insert(str(source), batch_size=100_000, wait=wait)
    for job in told:
        Path(out, f"{job['job_id']}.csv").write_text(bulk2.Contact.get_successful_records(job["job_id"]), "utf-8")
    return sum(job["numberRecordsProcessed"] for job in told)


def extract2() -> int:
    told = bulk2.Contact.download(SOQL, path=out, max_records=50_000)
    return sum(page["number_of_records"] for page in told)


print(json.dumps({"rows": globals()[verb]()}))
