"""What a load costs in jobs, batches and API calls, over each API. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce.display import Table, counted
from bulkforce.protocol import limits

if TYPE_CHECKING:
    from bulkforce.apis.abc import ApiName, Sizes


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load costs over one API.

    Attributes:
        api: ``bulk1`` or ``bulk2``.
        jobs: Number of jobs.
        batches: Number of batches as the org counts them against the limit of 24 hours; over 2.0, the org makes one for
            each 10,000 records of a job or part of that.
        api_calls: The fewest API calls; polling comes on top, and depends on the org's speed.
    """

    api: ApiName
    jobs: int
    batches: int
    api_calls: int

    def __str__(self) -> str:
        return (
            f"{self.api}: {counted(self.jobs, 'job')}, {counted(self.batches, 'batch')}, at least "
            f"{counted(self.api_calls, 'API call')}"
        )


def over_bulk1(batches: Sequence[int]) -> Cost:
    """Return what batches of so many records cost over v1.

    To open, close and audit the job, and for each batch and its results.
    """
    return Cost("bulk1", min(len(batches), 1), len(batches), 4 + 2 * len(batches))


def over_bulk2(jobs: Sequence[int]) -> Cost:
    """Return what jobs of so many records cost over 2.0.

    For each job: to open, upload, commit and look at it, its three result files, and to audit it.
    """
    return Cost("bulk2", len(jobs), sum(-(-records // limits.JOB2_BATCH_RECORDS) for records in jobs), 8 * len(jobs))


def costs_of(pieces: Sequence[int], size: int, api: ApiName, *, with_files: bool = False) -> tuple[Cost, ...]:
    """Return what a load costs over each API that can do it.

    Args:
        pieces: The number of records in each batch, cut for ``api``.
        size: The bytes of all batches.
        api: The API that they were cut for; for the other, they are counted as if records were of one size.
        with_files: Whether records bring files, which only v1 takes.
    """
    from bulkforce.apis import sizes  # the command line shows reports, and must start fast

    if not pieces:
        return ()
    one = pieces if api == "bulk1" else _evenly(sum(pieces), size, sizes.BULK1)
    two = pieces if api == "bulk2" else _evenly(sum(pieces), size, sizes.BULK2)
    return (over_bulk1(one), over_bulk2(two))[: 1 if with_files else 2]


def _evenly(records: int, size: int, sizes: Sizes) -> list[int]:
    count = max(-(-records // sizes.records), -(-size // sizes.bytes))
    least, more = divmod(records, count)
    return [least + 1] * more + [least] * (count - more)


def costs_shown(costs: Sequence[Cost]) -> list[Table]:
    """Return costs as a table for people; none if there are none."""
    header = ("API", "jobs", "batches", "API calls")
    rows = [(one.api, one.jobs, one.batches, one.api_calls) for one in costs]
    return [Table("What a load costs, at least", header, rows)] if rows else []
