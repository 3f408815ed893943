"""simple-salesforce over Bulk API 2.0: the cases of the judge."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import VALUES
from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding


class Cases:
    """Each case is a method; all work on contacts whose department is the name of the case."""

    def __init__(self, sf: Any) -> None:
        self.contacts = sf.bulk2.Contact

    def all(self) -> dict[str, Callable[[], Any]]:
        return {
            f"bulk2_{name}": getattr(self, name)
            for name in dir(self)
            if name not in {"all", "contacts"} and name[0] != "_"
        }

    def _insert(self, department: str, count: int) -> list[str]:
        rows = [{"LastName": f"{department} {number}", "Department": department} for number in range(count)]
        (told,) = self.contacts.insert(records=rows, wait=0)
        return [row["sf__Id"] for row in self._rows(self.contacts.get_successful_records(told["job_id"]))]

    def _rows(self, text: str, delimiter: str = ",") -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))

    def nasty_values(self) -> Any:
        rows = [
            {"LastName": str(place), "Department": "nasty2", "Description": value or ""}
            for place, value in enumerate(VALUES)
        ]
        (told,) = self.contacts.insert(records=rows, quoting=csv.QUOTE_ALL, wait=0)
        pages = self.contacts.query("SELECT LastName, Description FROM Contact WHERE Department = 'nasty2'", wait=0)
        found = {row["LastName"]: row["Description"] or None for page in pages for row in self._rows(page)}
        echoed = self._rows(self.contacts.get_successful_records(told["job_id"]))
        return {"told": told, "found": found, "echoed": {row["LastName"]: row["Description"] or None for row in echoed}}

    def several_jobs(self) -> Any:
        rows = [{"LastName": str(number), "Department": "jobs"} for number in range(5)]
        told = self.contacts.insert(records=rows, batch_size=2, concurrency=2, wait=0)
        return [[one["numberRecordsProcessed"], one["numberRecordsFailed"], one["numberRecordsTotal"]] for one in told]

    def delimiters(self) -> Any:
        seen = []
        for delimiter in (ColumnDelimiter.TAB, ColumnDelimiter.PIPE, ColumnDelimiter.SEMICOLON):
            rows = [{"LastName": f"a{delimiter} |;\tb", "Department": "delimiters"}]
            how = {"column_delimiter": delimiter, "line_ending": LineEnding.CRLF, "wait": 0}
            (told,) = self.contacts.insert(records=rows, **how)
            soql = "SELECT LastName FROM Contact WHERE Department = 'delimiters'"
            seen.append([told["numberRecordsFailed"], len("".join(self.contacts.query(soql, **how)).split("\r\n"))])
        return seen

    def update(self) -> Any:
        rows = [{"Id": record, "FirstName": "Ada"} for record in self._insert("update2", 3)]
        (told,) = self.contacts.update(records=rows, wait=0)
        return [row["sf__Created"] for row in self._rows(self.contacts.get_successful_records(told["job_id"]))]

    def upsert(self) -> Any:
        rows = [{"Badge__c": f"B2-{number}", "LastName": f"L{number}", "Department": "upsert2"} for number in range(3)]
        self.contacts.upsert(records=rows[:2], external_id_field="Badge__c", wait=0)
        (told,) = self.contacts.upsert(records=rows, external_id_field="Badge__c", wait=0)
        rows = self._rows(self.contacts.get_successful_records(told["job_id"]))
        return {row["Badge__c"]: row["sf__Created"] for row in rows}

    def delete(self) -> Any:
        self.contacts.delete(records=[{"Id": record} for record in self._insert("delete2", 2)], wait=0)
        soql = "SELECT Id, IsDeleted FROM Contact WHERE Department = 'delete2'"
        found = ["".join(ask(soql, wait=0)) for ask in (self.contacts.query, self.contacts.query_all)]
        return [len(self._rows(text)) for text in found]

    def hard_delete(self) -> Any:
        self.contacts.hard_delete(records=[{"Id": record} for record in self._insert("hard2", 2)], wait=0)
        return "".join(self.contacts.query_all("SELECT Id FROM Contact WHERE Department = 'hard2'", wait=0))

    def failing_rows(self) -> Any:
        rows = [{"LastName": "good", "Email": ""}, {"LastName": "", "Email": ""}, {"LastName": "mail", "Email": "no"}]
        (told,) = self.contacts.insert(records=rows, wait=0)
        files = self.contacts.get_all_ingest_records(told["job_id"])
        counts = {name: len(rows) for name, rows in files.items()}
        return {"told": told, "counts": counts, "errors": [row["sf__Error"] for row in files["failedRecords"]]}

    def unknown_column(self) -> Any:
        return self.contacts.insert(records=[{"LastName": "x", "Nonsense": "x"}], wait=0)

    def pages(self) -> Any:
        self._insert("pages2", 5)
        soql = "SELECT LastName FROM Contact WHERE Department = 'pages2' ORDER BY LastName"
        return [
            [row["LastName"] for row in self._rows(page)] for page in self.contacts.query(soql, max_records=2, wait=0)
        ]

    def download(self) -> Any:
        self._insert("download", 5)
        soql = "SELECT LastName FROM Contact WHERE Department = 'download' ORDER BY LastName"
        with tempfile.TemporaryDirectory() as folder:
            told = self.contacts.download(soql, folder, max_records=3, wait=0)
            texts = [Path(one["file"]).read_text("utf-8") for one in told]
        rows = [row["LastName"] for text in texts for row in self._rows(text)]
        return {"sizes": [one["number_of_records"] for one in told], "rows": rows}

    def empty_query(self) -> Any:
        return list(self.contacts.query("SELECT Id FROM Contact WHERE LastName = 'nobody'", wait=0))

    def bad_soql(self) -> Any:
        return list(self.contacts.query("SELECT Nonsense FROM Contact", wait=0))

    def calls(self) -> Any:
        client = self.contacts._client
        job = client.create_job("insert")["id"]
        client.upload_job_data(job, "LastName\nx\n")
        states = [client.get_job(job, False)["state"], client.abort_job(job, False)["state"]]
        return [*states, "errorMessage" in client.get_job(job, False)]

    def delete_job(self) -> Any:
        client = self.contacts._client
        job = client.create_job("insert")["id"]
        client.abort_job(job, False)
        return client.delete_job(job, False)
