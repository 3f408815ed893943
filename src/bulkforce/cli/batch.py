"""`bulkforce batch request|result`: what a batch was created from, and what the org made of it, as they are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.job import JobId
from bulkforce.cli.org import Org, client_for
from bulkforce.errors import UsageError

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
        _print([client.get_batch_request(job_id, batch_id)])


@batch.command("result", short_help="Print the results of a batch.")
def result(job_id: JobId, batch_id: BatchId, *, org: Org = None) -> None:
    """Print the results of a batch as the org sends them; for a query, the records that it found."""
    from bulkforce.vocabulary import Operation

    with client_for(org) as client:
        info = client.get_job_info(job_id)
        if info.operation in {Operation.QUERY, Operation.QUERY_ALL}:
            _print(_records(client, info, batch_id))
        else:
            from bulkforce.protocol import bulk1
            from bulkforce.protocol.flow import ask

            _print([client.driver.run(ask(bulk1.get_raw_result(info, batch_id))).body])


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


def _print(blocks: Iterable[bytes]) -> None:
    if sys.stdout is None:
        raise UsageError("Standard output is closed, so nothing can be printed")
    sys.stdout.flush()
    for block in blocks:
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
