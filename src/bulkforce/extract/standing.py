"""How far an extract is, for a bar."""

from __future__ import annotations

from bulkforce.extract.report import ExtractProgress
from bulkforce.standing import Standing, batches_in_words, rate_in_words


def extract_standing(progress: ExtractProgress) -> Standing:
    """Describe how far an extract is."""
    running, batches = progress.batches.get("running", 0), sum(progress.batches.values())
    of = "" if progress.total is None else f" of {progress.total:,}"
    rows = f"{progress.rows:,}{of} rows{rate_in_words(progress.rows - progress.earlier, progress.seconds)}"
    doing = "asking" if running == batches else "extracting"
    return Standing(
        doing,
        rows,
        batches_in_words(progress.batches),
        progress.rows,
        progress.total,
        progress.seconds_left,
        progress.waits_for or "",
    )
