"""Query contacts: python query.py CSV, JSON or XML. The records come as text, a list of dicts, or an element tree."""

import csv
import io
import sys

import bulkforce as bf

FORMAT = sys.argv[1].upper()
SOQL = "SELECT Id, FirstName, LastName, Email FROM Contact WHERE Email LIKE '%@example.com' ORDER BY LastName"

client = bf.connect()

job = client.create_job("query", "Contact", FORMAT)
batch = client.add_batch(job, SOQL)
print(f"Job {job.id} has the batch {batch.id}, which is {client.get_batch_info(job, batch.id).state}")
print("All batches of the job:", [each.id for each in client.get_all_batches(job)])
print("What the org received:", client.get_batch_request(job, batch.id).decode().strip(), sep="\n")

client.wait_for_batch(job, batch.id).raise_for_state()
found = client.get_batch_result(job, batch.id)
if FORMAT == "CSV":
    contacts = list(csv.DictReader(io.StringIO(found)))
elif FORMAT == "XML":
    names = ("FirstName", "LastName", "Email")
    contacts = [{name: each.findtext(f"{{*}}{name}") for name in names} for each in found.findall("{*}records")]
else:
    contacts = found
for contact in contacts:
    print(f"{contact['LastName']}, {contact['FirstName']}: {contact['Email']}")

job = client.close_job(job)
print(f"The job is {job.state}: {job.number_records_processed} records processed, {job.number_records_failed} failed")
