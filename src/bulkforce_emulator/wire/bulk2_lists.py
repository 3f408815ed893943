"""Lists of jobs: those of Bulk API 2.0, and those of v1 beside them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.wire.bulk2_jobs import listed

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.state.job import Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.wire.bulk1_request import Bulk1Request

_CURSOR = re.compile(r"01g\w{15}-(\d{1,9})")
_FILTERS = {
    "jobType": {"BigObjectIngest", "Classic", "V2Ingest", "V2Query"},
    "isPkChunkingEnabled": {"true", "false"},
    "concurrencyMode": {"serial", "parallel"},
}


def list_jobs(org: Org, call: Bulk1Request, *, query: bool) -> dict[str, object]:
    """One page of the list of ingest jobs or of query jobs.

    Raises:
        ApiError: A filter or the locator has no meaning.
    """
    texts, settings = org.settings.texts.bulk2, org.settings
    asked = {name: call.query[name] for name in _FILTERS if call.query.get(name)}
    for name, value in asked.items():
        known = value in _FILTERS[name] if name == "jobType" else value.lower() in _FILTERS[name]
        if not known and settings.unknown_filter == "refuse":
            raise ApiError.of(texts.value_invalid, value=value, name=name)
    locator = call.query.get("queryLocator")
    found = _CURSOR.fullmatch(locator or "")
    if locator and found is None:
        raise ApiError.of(texts.locator_unknown, given=locator)
    first, size = int(found[1]) if found else 0, settings.limits.listed_jobs
    jobs = [job for job in org.jobs.all() if _belongs(job, asked.get("jobType"), query=query) and _fits(job, asked)]
    jobs = _seen(jobs, call.faults.get("lagging list"), org.clock.now())
    jobs = jobs[::-1] if settings.list_order == "newest first" else jobs
    more = first + size < len(jobs)
    version, kind = call.version[1:], "query" if query else "ingest"
    cursor = (locator or org.ids.one("01g")).partition("-")[0]
    following = f"/services/data/v{version}/jobs/{kind}?queryLocator={cursor}-{first + size}" if more else None
    shown = [listed(org.bulk2.summary(job), version) for job in jobs[first : first + size]]
    return {"done": not more, "records": shown, "nextRecordsUrl": following}


def _seen(jobs: list[Job], lag: Fault | None, now: datetime) -> list[Job]:
    """The jobs that a list has which may be out of date."""
    if lag is None:
        return jobs
    if lag.seconds:
        return [job for job in jobs if job.created <= now - timedelta(seconds=lag.seconds)]
    return jobs[: max(0, len(jobs) - lag.newest)]


def _belongs(job: Job, wanted: str | None, *, query: bool) -> bool:
    """Whether a job is in the list of queries, or in that of data; v1's are in both by what they do."""
    kind = "Classic" if job.bulk2 is None else "V2Query" if job.is_query else "V2Ingest"
    if wanted is not None and wanted != kind:
        return False
    # The list of query jobs has those for data, too, when it is asked for them.
    return job.is_query == query or (query and wanted == "V2Ingest")


def _fits(job: Job, asked: dict[str, str]) -> bool:
    chunked, mode = asked.get("isPkChunkingEnabled"), asked.get("concurrencyMode")
    splits = job.chunking is not None or (job.bulk2 is not None and job.bulk2.splits)
    return (chunked is None or chunked.lower() == str(splits).lower()) and (
        mode is None or mode.lower() == ("serial" if job.is_serial else "parallel")
    )
