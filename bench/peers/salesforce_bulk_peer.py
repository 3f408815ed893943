"""salesforce-bulk, as its README shows.

python salesforce_bulk_peer.py load|extract URL FOLDER OUT POLL
"""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from pathlib import Path

from salesforce_bulk import CsvDictsAdapter, SalesforceBulk

verb, url, folder, out, poll = sys.argv[1:]
bulk = SalesforceBulk(sessionId="session", host=url, API_version="59.0")


def load() -> int:
    job = bulk.create_insert_job("Contact", contentType="CSV", concurrency="Parallel")
    batches, rows = [], 0
    with Path(folder, "contacts.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        while chunk := list(islice(reader, 10_000)):
            batches.append(bulk.post_batch(job, CsvDictsAdapter(iter(chunk))))
    bulk.close_job(job)
    with Path(out, "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for batch in batches:
            bulk.wait_for_batch(job, batch, sleep_interval=float(poll))
            for row in bulk.get_batch_results(batch, job):
                writer.writerow(row)
                rows += 1
    return rows


def extract() -> int:
    job = bulk.create_query_job("Contact", contentType="CSV")
    batch = bulk.query(job, "SELECT Id FROM Contact")
    bulk.close_job(job)
    bulk.wait_for_batch(job, batch, sleep_interval=float(poll))
    with Path(out, "out.csv").open("wb") as file:
        for result in bulk.get_all_results_for_query_batch(batch, job):
            while block := result.read(65_536):
                file.write(block)
    return -1


print(json.dumps({"rows": globals()[verb]()}))
