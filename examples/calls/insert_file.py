"""Insert the contacts of a file, which is streamed: python insert_file.py CSV, JSON or XML."""

import sys
from pathlib import Path

import bulkforce as bf

FORMAT = sys.argv[1].upper()
CONTACTS = Path(__file__).parent / "data" / f"contacts.{FORMAT.lower()}"  # text would be content, never a file's name

client = bf.connect()

job = client.create_job("insert", "Contact", FORMAT)
batch = client.add_batch(job, CONTACTS)
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
for result in client.get_batch_result(job, batch.id):
    print(f"inserted: {result.id}" if result.success else f"refused: {result.errors}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
