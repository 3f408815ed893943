"""`bulkforce jobs`, and `bulkforce job show|close|abort|results`: jobs of both APIs, by their ids."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import print_blocks, printing, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bulkforce.client import Client
    from bulkforce.conversations2 import AnyJob
    from bulkforce.protocol.info import BatchInfo
    from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo

job = typer.Typer(help="Show, close or abort a job, or print its results.", no_args_is_help=True, rich_markup_mode=None)
JobId = Annotated[str, typer.Argument(help="The job's id, such as 750Kf00000R1wzRIAR.", metavar="ID")]
_BAR = 10
AsJson = Annotated[bool, typer.Option("--json", help="Print the job and its batches as JSON.")]


@job.command("show")
def show_job(job_id: JobId, *, org: Org = None, as_json: AsJson = False) -> None:
    """Show a job; one of Bulk API v1 with its batches."""
    with client_for(org) as client:
        info = _job(client, job_id)
        batches = _batches(client, info)
    if as_json:
        listed = {} if batches is None else {"batches": [asdict(batch) for batch in batches]}
        print(json.dumps(asdict(info) | listed, default=_text, indent=2))
        return
    _show(info)
    if batches is not None:
        _show_batches(batches)


def _job(client: Client, job_id: str) -> AnyJob:
    from bulkforce import conversations2

    return client.driver.run(conversations2.any_job(job_id))


def _batches(client: Client, info: AnyJob) -> list[BatchInfo] | None:
    """List the batches of a job; ``None`` for one of 2.0, which has none that can be seen."""
    from bulkforce.protocol.info import JobInfo

    return client.get_all_batches(info) if isinstance(info, JobInfo) else None


def _show_batches(batches: list[BatchInfo]) -> None:
    begun = min((one.created_date for one in batches if one.created_date), default=None)
    ended = max((one.system_modstamp for one in batches if one.system_modstamp), default=None)
    if begun and ended:
        print(f"  {begun:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC, batches from creation to last change:")
    for batch in batches:
        counts = f"{batch.number_records_processed or 0:,} processed, {batch.number_records_failed or 0:,} failed"
        bar = _bar(batch, begun, ended) if begun and ended else ""
        print(f"  {batch.id} {batch.state:<12} {bar} {counts}  {batch.state_message or ''}".rstrip())


def _bar(batch: BatchInfo, begun: datetime, ended: datetime) -> str:
    """Return the time of a batch within that of its job, and its seconds."""
    if not (batch.created_date and batch.system_modstamp):
        return f"|{'':{_BAR}}| {'':>6}"
    whole = max((ended - begun).total_seconds(), 1.0)
    seconds = max((batch.system_modstamp - batch.created_date).total_seconds(), 0.0)
    start = min(int((batch.created_date - begun).total_seconds() / whole * _BAR), _BAR - 1)
    length = min(max(round(seconds / whole * _BAR), 1), _BAR - start)
    return f"|{' ' * start + '=' * length:{_BAR}}| {seconds:>4,.0f} s"


def jobs(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            help="Folder that holds the runs; by default bulkforce-runs.",
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", help="How many runs to look at, the latest.", min=1, max=10_000, metavar="N")
    ] = 10,
    of_org: Annotated[
        bool, typer.Option("--all", help="All jobs of the org, those of other programs and users too.")
    ] = False,
    org: Org = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON.")] = False,
) -> None:
    """Show the jobs of your runs with their states in the org, or all jobs of the org.

    A job of v1 takes one API call, one of Bulk API 2.0 two or three; all jobs of the org one for each thousand.

    Example: bulkforce jobs
    """
    if of_org:
        _show_all(org, as_json=as_json)
        return
    from bulkforce import arguments
    from bulkforce.catalog import runs as list_runs
    from bulkforce.errors import NotFound
    from bulkforce.run.folder import RUNS
    from bulkforce.run.journal import job_ids

    place = RUNS if folder is None else arguments.path(folder, "The folder of the runs")
    found = [(run, job_id) for run in list_runs(place)[-last:] for job_id in job_ids(run.folder)]
    if not found:
        if as_json:
            print("[]")
        tell(f"No jobs of runs in {place.absolute()}")
        return
    documents = []
    with client_for(org) as client:
        for run, job_id in found:
            try:
                info = _job(client, job_id)
            except NotFound:
                documents.append({"id": job_id, "run": run.run, "state": None})
                if not as_json:
                    print(f"{job_id}  not in this org, or removed by it  {run.run}")
                continue
            documents.append({**asdict(info), "run": run.run})
            if not as_json:
                _show(info)
    if as_json:
        print(json.dumps(documents, default=_text, indent=2))


def _show_all(org: str | None, *, as_json: bool) -> None:
    """Show what Bulk API 2.0 lists: the jobs of both APIs, without counts."""
    documents = []
    with client_for(org) as client:
        seen: set[str] = set()
        listed: Iterable[IngestJobInfo | QueryJobInfo] = chain(client.list_ingest_jobs(), client.list_query_jobs())
        for info in listed:
            if info.id in seen:
                continue
            seen.add(info.id)
            if as_json:
                documents.append(asdict(info))
            else:
                print(f"{info.id}  {info.state}  {info.operation} {info.object} ({info.job_type or 'job'})")
    if as_json:
        print(json.dumps(documents, default=_text, indent=2))


@job.command("close", short_help="Close a job; queued batches still run.")
def close_job(job_id: JobId, *, org: Org = None) -> None:
    """Close a job: it accepts no more batches, and those already queued still run.

    A job of Bulk API 2.0 that is open is completed: the org then writes the records that were uploaded.
    """
    from bulkforce.errors import UsageError
    from bulkforce.protocol.info import JobInfo
    from bulkforce.protocol.info2 import QueryJobInfo

    with client_for(org) as client:
        info = _job(client, job_id)
        if isinstance(info, QueryJobInfo):
            raise UsageError("A query job of Bulk API 2.0 runs by itself: there is nothing to close")
        info = client.close_job(info) if isinstance(info, JobInfo) else client.complete_upload(info)
    with printing(f"Job {info.id} is closed"):
        _show(info)


@job.command("abort", short_help="Abort a job; queued batches do not run.")
def abort_job(job_id: JobId, *, org: Org = None) -> None:
    """Abort a job: queued batches do not run, running ones finish, and nothing is undone."""
    from bulkforce.protocol.info import JobInfo
    from bulkforce.protocol.info2 import QueryJobInfo

    info: AnyJob
    with client_for(org) as client:
        match _job(client, job_id):
            case JobInfo() as found:
                info = client.abort_job(found)
            case QueryJobInfo() as found:
                info = client.abort_query_job(found)
            case found:
                info = client.abort_ingest_job(found)
    with printing(f"Job {info.id} is aborted"):
        _show(info)


@job.command("results", short_help="Print the results of a job of Bulk API 2.0.")
def results(
    job_id: JobId,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="The records that the org refused.")] = False,
    unprocessed: Annotated[bool, typer.Option("--unprocessed", help="The records that the org did not try.")] = False,
    org: Org = None,
) -> None:
    """Print the results of a job of Bulk API 2.0 as CSV: the records that a load has written, or that a query found.

    For a job of v1, see: bulkforce batch result
    """
    from bulkforce.errors import UsageError
    from bulkforce.protocol.info import JobInfo
    from bulkforce.protocol.info2 import QueryJobInfo

    if failed and unprocessed:
        raise UsageError("Give --failed or --unprocessed, not both")
    with client_for(org) as client:
        match _job(client, job_id):
            case JobInfo():
                raise UsageError(
                    "This job is of Bulk API v1: print the results of its batches with bulkforce batch result"
                )
            case QueryJobInfo() as info:
                if failed or unprocessed:
                    raise UsageError("A query has no records that failed, or that were not processed")
                print_blocks(_records(client, info))
            case info:
                get = client.get_failed_results if failed else client.get_unprocessed_records
                with get(info) if failed or unprocessed else client.get_successful_results(info) as stream:
                    print_blocks(stream)


def _records(client: Client, job: QueryJobInfo) -> Iterator[bytes]:
    """Yield all records of a query, under one header."""
    locator, parts = None, 0
    while locator or not parts:
        with client.get_query_results(job, locator) as stream:
            yield from _without_header(stream) if parts else stream
            locator, parts = stream.locator, parts + 1


def _without_header(blocks: Iterable[bytes]) -> Iterator[bytes]:
    from bulkforce.formats import csv

    start, inside = b"", True
    for block in blocks:
        if inside:
            start += block
            # The next record shows where the header ends.
            if (end := len(next(csv.lines(start), b""))) < len(start):
                yield start[end:]
                inside = False
        else:
            yield block


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _show(info: AnyJob) -> None:
    processed, failed = info.number_records_processed or 0, getattr(info, "number_records_failed", None) or 0
    print(
        f"{info.id}  {info.state}  {info.operation} {info.object} ({info.content_type}): {processed:,} processed, "
        f"{failed:,} failed"
    )
    if message := getattr(info, "error_message", None):
        print(f"  {message}")
