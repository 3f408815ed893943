"""Insert contacts: python insert.py CSV, JSON or XML."""

import sys
from datetime import date
from typing import Any

import bulkforce as bf

FORMAT = sys.argv[1].upper()
CONTACTS: dict[str, Any] = {
    "CSV": """\
FirstName,LastName,Email,Department
Ada,Lovelace,ada@example.com,Analysis
Grace,Hopper,grace@example.com,"Compilers, Languages"
""",
    "JSON": [
        {"FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com", "Birthdate": date(1815, 12, 10)},
        {"FirstName": "Grace", "LastName": "Hopper", "Email": "grace@example.com", "Birthdate": date(1906, 12, 9)},
    ],
    "XML": """\
<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload">
  <sObject><FirstName>Ada</FirstName><LastName>Lovelace</LastName><Email>ada@example.com</Email></sObject>
  <sObject><FirstName>Grace</FirstName><LastName>Hopper</LastName><Email>grace@example.com</Email></sObject>
</sObjects>
""",
}

client = bf.connect()

job = client.create_job("insert", "Contact", FORMAT)
batch = client.add_batch(job, CONTACTS[FORMAT])
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    print(f"inserted: {result.id}" if result.success else f"refused: {result.errors}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
