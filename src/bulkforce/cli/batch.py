"""`bulkforce batch request|result`: what a batch was created from, and what the org made of it, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.job import JobId
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import print_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce.client import Client
    from bulkforce.protocol.info import JobInfo

batch = typer.Typer(help="Print a batch's request or result.", no_args_is_help=True, rich_markup_mode=None)
BatchId = Annotated[str, typer.Argument(help="The batch's id, such as 751Kf00000R1wzSIAR.", metavar="BATCH")]


@batch.command("request", short_help="Print what a batch was created from.")
def request(job_id: JobId, batch_id: BatchId, *, org: Org = None) -> None:
    """Print what a batch was created from, byte by byte; for a query, its SOQL."""
    with client_for(org) as client:
        print_blocks([client.get_batch_request(job_id, batch_id)])


@batch.command("result", short_help="Print the results of a batch.")
def result(job_id: JobId, batch_id: BatchId, *, org: Org = None) -> None:
    """Print the results of a batch as the org sends them; for a query, the records that it found."""
    from bulkforce.vocabulary import Operation

    with client_for(org) as client:
        info = client.get_job_info(job_id)
        if info.operation in {Operation.QUERY, Operation.QUERY_ALL}:
            print_blocks(_records(client, info, batch_id))
        else:
            from bulkforce.protocol import bulk1
            from bulkforce.protocol.flow import ask

            print_blocks([client.driver.run(ask(bulk1.get_raw_result(info, batch_id))).body])


def _records(client: Client, job: JobInfo, batch_id: str) -> Iterable[bytes]:
    ids = client.get_query_result_ids(job, batch_id)
    if len(ids) == 1:
        with client.get_query_result(job, batch_id, ids[0]) as stream:
            yield from stream
    elif ids:
        records = client.get_batch_result(job, batch_id)
        if isinstance(records, str):
            yield records.encode()
        elif isinstance(records, list):
            import json

            yield json.dumps(records).encode()
        else:
            from xml.etree.ElementTree import tostring

            yield tostring(records, "utf-8")
