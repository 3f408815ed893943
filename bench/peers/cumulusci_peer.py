"""CumulusCI: its steps of Bulk API v1, outside of a project.

python cumulusci_peer.py load|extract-rows URL FOLDER OUT POLL
"""

from __future__ import annotations

import csv
import json
import logging
import sys
import types
from pathlib import Path

from cumulusci.tasks.bulkdata import step
from salesforce_bulk import SalesforceBulk

verb, url, folder, out, poll = sys.argv[1:]
# Its own pause is ten seconds.
sleep = step.time.sleep
step.time.sleep = lambda _: sleep(float(poll))
context = types.SimpleNamespace(
    bulk=SalesforceBulk(sessionId="session", host=url, API_version="59.0"), sf=None, logger=logging.getLogger("bench")
)


def load() -> int:
    rows = 0
    with Path(folder, "contacts.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        dml = step.BulkApiDmlOperation(
            sobject="Contact",
            operation=step.DataOperationType.INSERT,
            api_options={"batch_size": 10_000, "bulk_mode": "Parallel"},
            context=context,
            fields=next(reader),
        )
        with dml:
            dml.load_records(reader)
    with Path(out, "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for result in dml.get_results():
            writer.writerow([result.id, result.success, result.created, result.error])
            rows += 1
    return rows


def extract_rows() -> int:
    with step.BulkApiQueryOperation(
        sobject="Contact", api_options={}, context=context, query="SELECT Id FROM Contact"
    ) as query:
        return sum(1 for _ in query.get_results())


print(json.dumps({"rows": globals()[verb.replace("-", "_")]()}))
