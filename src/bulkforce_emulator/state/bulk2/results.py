"""The result files of an ingest job: what was written, what failed, and what was never tried."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bulkforce_emulator.formats.columns import data_of
from bulkforce_emulator.formats.csv_reader import read_csv
from bulkforce_emulator.formats.delimited import count_rows, header_cells, lay_out, quoted_lines
from bulkforce_emulator.state.bulk2.job import Bulk2
from bulkforce_emulator.state.bulk2.processing import result_line_end
from bulkforce_emulator.state.bulk2.rules import as_bulk2
from bulkforce_emulator.state.lifecycle import BatchState
from bulkforce_emulator.state.spool import Spooled
from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.org import Org


class Results:
    """Writes the result files of ended jobs."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._settings = as_bulk2(org.settings)

    def rows(self, job: Job, kind: str, missing: int = 0) -> Spooled:
        """The lines of `succeeded` or `failed` rows, in the order of the batches; the newest can be missing."""
        with self._org.jobs.lock:
            parts = [batch.results[kind] for batch in job.batches.values() if kind in batch.results]
        return sum(parts[: max(0, len(parts) - missing)], Spooled(()))

    def counts(self, job: Job, bulk2: Bulk2) -> tuple[int, int, int]:
        """How many rows of a job that has ended were written, failed, and were never tried."""
        with self._org.jobs.lock:
            batches = [batch for batch in job.batches.values() if batch.results]
            failed = sum(batch.failed for batch in batches)
            written = sum(batch.processed for batch in batches) - failed
        untried = count_rows(b"-\n" + self._org.jobs.spool.get(self.unprocessed(job, bulk2)))
        return written, failed, untried

    def unprocessed(self, job: Job, bulk2: Bulk2) -> Spooled:
        """The lines of rows that were never tried."""
        with self._org.jobs.lock:
            written = bulk2.files.get("unprocessed")
            if written is None:
                pieces = self._untried(job, bulk2)
                # Once a job is aborted, a batch that still runs may have rows: then the file is written again.
                written = self._org.jobs.spool.put_all(pieces)
                if all(batch.is_final for batch in job.batches.values()):
                    bulk2.files["unprocessed"] = written
        return written

    def header(self, bulk2: Bulk2) -> str:
        """The header of the upload as it was sent; that of a file that no batch has read yet is looked up."""
        if not bulk2.header and bulk2.upload is not None and bulk2.upload.length:
            first, last = lay_out(self._org.jobs.spool.get(bulk2.upload), sys.maxsize).header
            whole = self._org.jobs.spool.get(bulk2.upload.part(first, last))
            bulk2.header = whole.decode("utf-8", "replace").rstrip("\r\n").partition("\r")[0]
        return bulk2.header

    def failed_header(self, job: Job, bulk2: Bulk2) -> str:
        """The same for failed rows, whose columns were in alphabetical order."""
        header = self.header(bulk2)
        if float(job.request.api_version) > self._settings.alphabetical_until:
            return header
        return bulk2.delimiter.join(sorted(header_cells(header, bulk2.delimiter), key=lambda cell: cell.strip('"')))

    def _untried(self, job: Job, bulk2: Bulk2) -> Iterator[bytes]:
        refused = bulk2.message is not None and not any("" in batch.results for batch in job.batches.values())
        if refused and not self._settings.refused_rows_unprocessed:
            return
        if not job.batches and bulk2.upload is not None and bulk2.uploads == 1:
            yield self._lines(bulk2.upload, bulk2, 0)
        for batch in job.batches.values():
            if _is_untried(batch):
                yield self._lines(batch.request, bulk2, batch.processed if batch.results else 0)

    def _lines(self, body: Spooled, bulk2: Bulk2, first: int) -> bytes:
        """The rows of a body from a row on; one that cannot be read comes back as it was sent, without its header."""
        data = self._org.jobs.spool.get(body)
        if not data.strip(b"\r\n"):
            return b""
        try:
            upload = read_csv(data, self._settings, line_ending=bulk2.line_end, delimiter=bulk2.delimiter)
        except BatchError:
            return data[lay_out(data, sys.maxsize).header[1] :]
        columns = list(upload.part(first, upload.count).columns.values())
        return data_of(quoted_lines(columns, bulk2.delimiter, result_line_end(bulk2, self._settings)))


def _is_untried(batch: Batch) -> bool:
    return batch.state in {BatchState.NOT_PROCESSED, BatchState.FAILED}
