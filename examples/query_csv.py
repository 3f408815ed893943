"""Query contacts as CSV text, to be read with Python's own csv module."""

import csv
import io
import os

import bulkforce as bf

SOQL = "SELECT Id, FirstName, LastName, Email FROM Contact WHERE Email LIKE '%@example.com' ORDER BY LastName"

client = bf.Client(os.environ["BULKFORCE_INSTANCE_URL"], auth=bf.BearerToken(os.environ["BULKFORCE_ACCESS_TOKEN"]))

job = client.create_job("query", "Contact", "CSV")
batch = client.add_batch(job, SOQL)
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
text = client.get_batch_result(job, batch.id)
contacts = list(csv.DictReader(io.StringIO(text)))
for contact in contacts:
    print(f"{contact['LastName']}, {contact['FirstName']}: {contact['Email']}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
