"""Upsert contacts, by e-mail address: update those that the org has, insert the others: python upsert.py FORMAT."""

import sys
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import bulkforce as bf

FORMAT = sys.argv[1].upper()
RECORDS = [
    {"FirstName": "Katherine", "LastName": "Johnson", "Email": "katherine@example.com", "Title": "Mathematician"},
    {"FirstName": "Dorothy", "LastName": "Vaughan", "Email": "dorothy@example.com", "Title": "Supervisor"},
]
TREE = Element("sObjects", xmlns="http://www.force.com/2009/06/asyncapi/dataload")
for record in RECORDS:
    contact = SubElement(TREE, "sObject")
    for field, value in record.items():
        SubElement(contact, field).text = value
CONTACTS: dict[str, Any] = {
    "CSV": """\
FirstName,LastName,Email,Title
Katherine,Johnson,katherine@example.com,Mathematician
Dorothy,Vaughan,dorothy@example.com,Supervisor
""",
    "JSON": RECORDS,
    "XML": TREE,
}

client = bf.connect()

job = client.create_job("upsert", "Contact", FORMAT, external_id_field="Email")
batch = client.add_batch(job, CONTACTS[FORMAT])
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    done = "created" if result.created else "updated"
    print(f"{done}: {result.id}" if result.success else f"refused: {result.errors}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
