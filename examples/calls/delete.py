"""Delete contacts: python delete.py FORMAT ID..., where FORMAT is CSV, JSON or XML. Only ids are sent."""

import sys
from typing import Any

import bulkforce as bf

FORMAT = sys.argv[1].upper()
CONTACT_IDS = sys.argv[2:] or sys.exit("Pass the ids of contacts, such as those that insert.py prints")
RECORDS = [{"Id": contact_id} for contact_id in CONTACT_IDS]
DOOMED: dict[str, Any] = {"CSV": "\n".join(["Id", *CONTACT_IDS]), "JSON": RECORDS, "XML": RECORDS}

client = bf.connect()

job = client.create_job("delete", "Contact", FORMAT)
batch = client.add_batch(job, DOOMED[FORMAT])
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    print(f"deleted: {result.id}" if result.success else f"refused: {result.errors}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
