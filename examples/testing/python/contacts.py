"""The program under test: it sends its members to Salesforce as contacts, and reports which were refused, and why."""

from __future__ import annotations

import bulkforce as bf


def send(members: list[dict[str, str]]) -> list[str]:
    """Upsert members by badge; return a line for each one that was refused."""
    with bf.connect() as client:
        job = client.create_job("upsert", "Contact", "JSON", external_id_field="Badge__c")
        batch = client.add_batch(job, [{"Badge__c": member["badge"], "LastName": member["name"]} for member in members])
        client.close_job(job)
        client.wait_for_batch(job, batch.id).raise_for_state()
        results = client.get_batch_result(job, batch.id)
    return [
        f"{member['badge']}: {result.errors[0].message}"
        for member, result in zip(members, results, strict=True)
        if not result.success
    ]
