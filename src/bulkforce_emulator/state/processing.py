"""Processes batches: reads their bodies, and writes their rows or answers their queries.

The workers call it, each for one batch at a time. Whatever goes wrong ends up in the batch's state.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.formats.charsets import codec
from bulkforce_emulator.formats.csv_reader import read_csv
from bulkforce_emulator.formats.json_reader import read_json
from bulkforce_emulator.formats.query_results import Selection, write_query_result
from bulkforce_emulator.formats.results import write_results
from bulkforce_emulator.formats.spec import transform
from bulkforce_emulator.formats.xml_reader import read_xml
from bulkforce_emulator.formats.zip_reader import fill_in, unpack
from bulkforce_emulator.soql import SoqlError, check_bulk, chunk_text, chunkable, compile_soql
from bulkforce_emulator.state import chunking
from bulkforce_emulator.state.bulk2.processing import Bulk2Processing, fail
from bulkforce_emulator.state.job import Batch, Job, Operation
from bulkforce_emulator.state.lifecycle import BatchState, JobState, move_batch
from bulkforce_emulator.state.refused_columns import check_columns
from bulkforce_emulator.state.rows.engine import Order
from bulkforce_emulator.uploads import BatchError, Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from bulkforce_emulator.mishaps import Mishap
    from bulkforce_emulator.soql.query import CompiledQuery
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.uploads import Outcomes, Upload

_log = logging.getLogger(__name__)


class Processing:
    """Processes the batches of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._texts = org.settings.texts.batches
        self._bulk2 = Bulk2Processing(org)

    def start(self, batch: Batch) -> bool:
        """Start a queued batch; return whether it was still queued."""
        with self._org.jobs.lock:
            if batch.state != BatchState.QUEUED:
                return False
            move_batch(batch, BatchState.IN_PROGRESS)
            batch.modified = self._org.jobs.now()
            if batch.job.bulk2 is not None:
                batch.job.modified = batch.modified
            return True

    def finish(self, batch: Batch, *, linger: Callable[[Batch, float], float] | None = None) -> list[Batch]:
        """Process a started batch, and return the batches that come of it.

        Args:
            batch: A batch that is in progress.
            linger: Called with the batch and the seconds its records took. It waits as long as the pace demands while
                the batch's counter grows, and returns the seconds to report.

        Returns:
            New, queued batches; or the batch itself if it was put back.
        """
        began = time.monotonic()
        made: list[Batch] = []
        try:
            if self._put_back(batch):
                return [batch]
            self._carry_out(batch, made)
        except BatchError as problem:
            self._end(batch, BatchState.FAILED, began, linger, str(problem))
        except Exception as problem:  # noqa: BLE001 - the org carries on, and reports it
            _log.exception("batch %s", batch.id)
            failure = BatchError.of(self._texts.internal, what=type(problem).__name__)
            self._end(batch, BatchState.FAILED, began, linger, str(failure))
        else:
            self._end(batch, BatchState.NOT_PROCESSED if batch.split else BatchState.COMPLETED, began, linger)
        return made  # chunks that were made before it failed still run

    def _put_back(self, batch: Batch) -> bool:
        """Whether the batch went back into the queue.

        Raises:
            BatchError: It has gone back too often.
        """
        org = self._org
        if batch.mishap is None:
            batch.mishap = org.mishaps.of_next_batch(batch.job.sobject.name)
        if batch.mishap is None or batch.retries >= batch.mishap.put_back:
            return False
        limits, query = org.settings.limits, batch.job.is_query
        most = limits.query_retries if query else limits.batch_retries
        if batch.job.bulk2 is not None:
            most = limits.query_job_retries if query else limits.ingest_retries
            if batch.retries >= most:
                raise BatchError.of(org.settings.texts.bulk2.retried, most=most)
        if batch.job.request.disable_retry or batch.retries >= most:
            raise BatchError.of(self._texts.query_retried if query else self._texts.data_retried)
        with org.jobs.lock:
            batch.retries += 1
            batch.modified = batch.job.modified = org.jobs.now()
            # In an aborted job no batch is queued, and none goes back to the queue.
            aborted = batch.job.state == JobState.ABORTED
            move_batch(batch, BatchState.NOT_PROCESSED if aborted else BatchState.QUEUED)
        return True

    def _carry_out(self, batch: Batch, made: list[Batch]) -> None:
        if batch.unknown_coding is not None:
            raise BatchError.of(self._texts.coding_unknown, coding=batch.unknown_coding)
        mishap = batch.mishap
        if mishap is not None and mishap.message is not None and mishap.after_rows is None:
            raise BatchError.quoted(mishap.message)
        if batch.job.bulk2 is not None:
            self._bulk2.carry_out(batch, made)
        elif batch.job.is_query:
            self._query(batch, made)
        else:
            self._data(batch, mishap)

    def _end(
        self,
        batch: Batch,
        state: BatchState,
        began: float,
        linger: Callable[[Batch, float], float] | None,
        message: str | None = None,
    ) -> None:
        jobs = self._org.jobs
        spent = time.monotonic() - began
        if linger is not None:
            spent = linger(batch, spent)
        with jobs.lock:
            batch.milliseconds = max(1, int(spent * 1000))
            batch.message = message
            batch.modified = batch.job.modified = jobs.now()
            move_batch(batch, state)
            if state == BatchState.FAILED:
                fail(batch)

    # Data batches

    def _data(self, batch: Batch, mishap: Mishap | None) -> None:
        job, org = batch.job, self._org
        upload = self._read(batch)
        check_columns(job, upload, org.settings)
        if mishap is not None:
            upload = mishap.strike(upload, org.settings.texts.rows)
        order = Order(job.operation, job.sobject, job.created_by, org.clock.now(), job.external_id)
        outcomes = org.rows.carry_out(order, upload)
        org.ledger.add(job.id, batch.id, job.operation, job.sobject.name, outcomes)
        self._keep(batch, outcomes)
        if mishap is not None and mishap.message is not None:
            raise BatchError.quoted(mishap.message)  # its first rows are done, and have results

    def _read(self, batch: Batch) -> Upload:
        job, settings = batch.job, self._org.settings
        body = self._org.jobs.spool.get(batch.request)
        archive = None
        if job.zipped:
            archive = unpack(body, settings)
            body = archive.request
        if job.format == Format.CSV:
            upload = read_csv(body, settings, charset=batch.charset, line_ending=job.request.line_ending)
        elif job.format == Format.JSON:
            upload = read_json(body, settings, charset=batch.charset)
        else:
            upload = read_xml(body, settings, charset=batch.charset if batch.charset != "utf-8" else None)
        if job.spec is not None:
            upload = transform(upload, job.spec, job.sobject, self._texts, self._org.clock.now())
        return upload if archive is None else fill_in(upload, archive, job.sobject, settings.texts.rows)

    def _keep(self, batch: Batch, outcomes: Outcomes) -> None:
        org = self._org
        written = org.jobs.spool.put(write_results(outcomes, batch.job.format, org.settings))
        with org.jobs.lock:
            batch.results = {"": written}
            batch.processed, batch.failed = outcomes.count, outcomes.failed

    # Query batches

    def _query(self, batch: Batch, made: list[Batch]) -> None:
        job = batch.job
        try:
            charset = codec(batch.charset)
        except LookupError:
            raise BatchError.of(self._texts.encoding_unknown, name=batch.charset) from None
        text = self._org.jobs.spool.get(batch.request).decode(charset, "replace")
        compiled = self._compile(job, text)
        if job.chunking is not None and batch is next(iter(job.batches.values())) and chunkable(text):
            self._split(batch, text, made)
        else:
            self._answer(batch, compiled)

    def _compile(self, job: Job, text: str) -> CompiledQuery:
        org = self._org
        try:
            compiled = compile_soql(
                text,
                org.schema,
                now=org.clock.now(),
                user_id=org.sessions.user_id,
                include_deleted=job.operation == Operation.QUERY_ALL,
            )
            check_bulk(compiled, job.sobject.name, job.format, org.settings)
        except SoqlError as problem:
            raise self._query_refused(problem) from None
        return compiled

    def _query_refused(self, problem: SoqlError) -> BatchError:
        """What a failed query batch says. A code of the Bulk API itself stands alone, others are quoted."""
        if problem.code.isupper():
            return BatchError.of(self._texts.query_refused, code=problem.code, reason=problem.message)
        return BatchError(problem.message, problem.code)

    def _split(self, batch: Batch, text: str, made: list[Batch]) -> None:
        """Make the chunk batches, each of which counts against the daily limit. The original is then not processed."""
        job, org = batch.job, self._org
        if job.chunking is None:
            raise AssertionError(job)
        if org.settings.chunking_seconds:
            time.sleep(org.settings.chunking_seconds)
        parent, field = chunking.chunked(job.chunking, job.sobject, org.schema, org.settings)
        with org.jobs.lock:
            for low, high in chunking.ranges(job.chunking, parent, org.store):
                try:
                    org.jobs.count_batch()
                except ApiError as problem:
                    raise BatchError(problem.message, problem.code) from None
                body = chunk_text(text, low, high, field).encode(codec(batch.charset), "replace")
                made.append(org.jobs.make_batch(job, org.jobs.spool.put(body), batch.charset))
                org.jobs.enter(made[-1])
            batch.split = True

    def _answer(self, batch: Batch, compiled: CompiledQuery) -> None:
        job, org = batch.job, self._org
        sql = compiled.sql if job.format == Format.CSV else compiled.identified_sql
        table = org.store.query(sql, compiled.parameters)
        spool, written = org.jobs.spool, {}
        limits = org.settings.limits
        wanted = batch.mishap.result_bytes if batch.mishap is not None else None
        parts = list(_files(table, wanted or limits.query_result_bytes, 1 + batch.retries))
        if len(parts) > limits.query_result_files:
            raise BatchError.of(self._texts.results_too_large, most=limits.query_result_files)
        for part in parts:
            selection = Selection(compiled, part, job.request.api_version)
            pieces = write_query_result(selection, job.format, org.settings)
            written[org.ids.one("752")[:15]] = spool.put_all(pieces)
        with org.jobs.lock:
            batch.results = written
            batch.processed = table.num_rows


def _files(table: pa.Table, most_bytes: int, least: int) -> Iterable[pa.Table]:
    """The rows in as many parts as their size demands, and at least `least` if there are enough rows."""
    parts = max(least, -(-table.nbytes // most_bytes))
    rows = max(1, -(-table.num_rows // parts))
    yield from (table.slice(first, rows) for first in range(0, max(1, table.num_rows), rows))
