"""`bulkforce job show|close|abort`: one job, by its id."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import printing

if TYPE_CHECKING:
    from bulkforce.protocol.info import JobInfo

job = typer.Typer(help="Show, close or abort a job.", no_args_is_help=True, rich_markup_mode=None)
JobId = Annotated[str, typer.Argument(help="The job's id, such as 750Kf00000R1wzRIAR.", metavar="ID")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the job and its batches as JSON.")]


@job.command("show")
def show_job(job_id: JobId, *, org: Org = None, as_json: AsJson = False) -> None:
    """Show a job and its batches."""
    with client_for(org) as client:
        info, batches = client.get_job_info(job_id), client.get_all_batches(job_id)
    if as_json:
        document = asdict(info) | {"batches": [asdict(batch) for batch in batches]}
        print(json.dumps(document, default=_text, indent=2))
        return
    _show(info)
    for batch in batches:
        counts = f"{batch.number_records_processed or 0:>8,} processed, {batch.number_records_failed or 0:,} failed"
        print(f"  {batch.id}  {batch.state:<13}{counts}  {batch.state_message or ''}".rstrip())


@job.command("close", short_help="Close a job; queued batches still run.")
def close_job(job_id: JobId, *, org: Org = None) -> None:
    """Close a job: it accepts no more batches, and those already queued still run."""
    with client_for(org) as client:
        info = client.close_job(job_id)
    with printing(f"Job {info.id} is closed"):
        _show(info)


@job.command("abort", short_help="Abort a job; queued batches do not run.")
def abort_job(job_id: JobId, *, org: Org = None) -> None:
    """Abort a job: queued batches do not run, running ones finish, and nothing is undone."""
    with client_for(org) as client:
        info = client.abort_job(job_id)
    with printing(f"Job {info.id} is aborted"):
        _show(info)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _show(info: JobInfo) -> None:
    processed, failed = info.number_records_processed or 0, info.number_records_failed or 0
    print(
        f"{info.id}  {info.state}  {info.operation} {info.object} ({info.content_type}): {processed:,} processed, "
        f"{failed:,} failed"
    )
