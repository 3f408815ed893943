"""How far a load is, for a bar."""

from __future__ import annotations

from bulkforce.display import counted
from bulkforce.load.report import Progress
from bulkforce.standing import Standing, batches_in_words, rate_in_words


def load_standing(progress: Progress) -> Standing:
    """Describe how far a load is."""
    if progress.phase == "reading":
        return Standing("reading", counted(progress.read, "row"))
    failed = progress.failed + progress.unprocessed + progress.rejected + progress.in_doubt
    done = progress.succeeded + failed
    rate = rate_in_words(done - progress.earlier, progress.seconds)
    rows = f"{done:,} of {counted(progress.read, 'row')}{rate}, {failed:,} failed"
    return Standing(
        "loading",
        rows,
        batches_in_words(progress.batches),
        done,
        progress.read,
        progress.seconds_left,
        progress.waits_for or "",
    )
