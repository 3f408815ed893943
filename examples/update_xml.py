"""Update contacts, as XML: set a title and clear the phone number (`None` sets a field to null)."""

import os
import sys

import bulkforce as bf

CONTACT_IDS = sys.argv[1:] or sys.exit("Pass the ids of contacts, such as those that insert_xml.py prints")
CHANGES = [{"Id": contact_id, "Title": "Pioneer", "Phone": None} for contact_id in CONTACT_IDS]

client = bf.Client(os.environ["BULKFORCE_INSTANCE_URL"], auth=bf.BearerToken(os.environ["BULKFORCE_ACCESS_TOKEN"]))

job = client.create_job("update", "Contact", "XML")
batch = client.add_batch(job, CHANGES)
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    print(f"updated: {result.id}" if result.success else f"refused: {result.errors}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
