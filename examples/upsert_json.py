"""Upsert contacts, as JSON: update those whose e-mail address the org has, and insert the others."""

import os

import bulkforce as bf

CONTACTS = [
    {"FirstName": "Katherine", "LastName": "Johnson", "Email": "katherine@example.com", "Title": "Mathematician"},
    {"FirstName": "Dorothy", "LastName": "Vaughan", "Email": "dorothy@example.com", "Title": "Supervisor"},
]

client = bf.Client(os.environ["BULKFORCE_INSTANCE_URL"], auth=bf.BearerToken(os.environ["BULKFORCE_ACCESS_TOKEN"]))

job = client.create_job("upsert", "Contact", "JSON", external_id_field="Email")
batch = client.add_batch(job, CONTACTS)
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    print(
        f"created: {result.id}"
        if result.created
        else f"updated: {result.id}"
        if result.success
        else f"refused: {result.errors}"
    )

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
