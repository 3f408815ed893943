"""`bulkforce job show|close|abort`: one job, by its id."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import printing, tell

if TYPE_CHECKING:
    from bulkforce.protocol.info import BatchInfo, JobInfo

job = typer.Typer(help="Show, close or abort a job.", no_args_is_help=True, rich_markup_mode=None)
JobId = Annotated[str, typer.Argument(help="The job's id, such as 750Kf00000R1wzRIAR.", metavar="ID")]
_BAR = 10
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
    org: Org = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON.")] = False,
) -> None:
    """Show the jobs of your runs with their states in the org, one API call each.

    The Bulk API 1.0 does not list jobs, so those that other programs created are not among them.

    Example: bulkforce jobs
    """
    from bulkforce import arguments
    from bulkforce.catalog import runs as list_runs
    from bulkforce.errors import NotFound, RefusedError
    from bulkforce.run.folder import RUNS, job_ids

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
                info = client.get_job_info(job_id)
            except (NotFound, RefusedError) as error:
                if not isinstance(error, NotFound) and error.facts.code not in {"InvalidJob", "InvalidEntity"}:
                    raise
                documents.append({"id": job_id, "run": run.run, "state": None})
                if not as_json:
                    print(f"{job_id}  not in this org, or removed by it  {run.run}")
                continue
            documents.append({**asdict(info), "run": run.run})
            if not as_json:
                _show(info)
    if as_json:
        print(json.dumps(documents, default=_text, indent=2))


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
