"""Processes the batches of Bulk API 2.0: cuts a job's file into batches, writes their rows, answers queries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.formats.columns import data_of
from bulkforce_emulator.formats.csv_reader import judge_quotes, read_csv
from bulkforce_emulator.formats.delimited import echoed, has_line_ends, lay_out, quoted_lines
from bulkforce_emulator.formats.query_results import shown_text
from bulkforce_emulator.formats.results import csv_error, distinctly, write_results
from bulkforce_emulator.soql import compile_soql
from bulkforce_emulator.state.bulk2.job import Bulk2, Found
from bulkforce_emulator.state.bulk2.jobs import drop_queued
from bulkforce_emulator.state.bulk2.rules import as_bulk2
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.lifecycle import BatchState, JobState, move_batch
from bulkforce_emulator.state.refused_columns import check_columns
from bulkforce_emulator.state.rows.engine import Order, Rows
from bulkforce_emulator.uploads import BatchError, Format
from bulkforce_emulator.words import spelled_line_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.soql.query import CompiledQuery
    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.uploads import Outcomes, Upload

_SLICE_ROWS = 50_000
_FILLED = re.compile(rb"[^\r\n]")
_UNSHOWN = {"address", "location", "base64"}


class Bulk2Processing:
    """Processes the 2.0 batches of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._settings = as_bulk2(org.settings)
        self._texts = org.settings.texts.bulk2
        self._rows = Rows(org.schema, org.store, org.ids, self._settings, org.sessions.user_id)

    def carry_out(self, batch: Batch, made: list[Batch]) -> None:
        """Do the work of a batch; the first one of a job adds the others to `made`.

        Raises:
            BatchError: The batch fails as a whole, and its job with it.
        """
        bulk2 = batch.job.bulk2
        if bulk2 is None:
            raise AssertionError(batch)
        if batch.job.is_query:
            self._query(batch, bulk2)
            return
        if not bulk2.is_cut:
            self._cut(batch, bulk2, made)
        if batch.request.length:
            self._data(batch, bulk2)

    # Data

    def _cut(self, batch: Batch, bulk2: Bulk2, made: list[Batch]) -> None:
        """Make the first batch one of the first rows, and further ones of the others: each as v1 would get it."""
        org, settings, whole = self._org, self._settings, batch.request
        data = org.jobs.spool.get(whole)
        bulk2.is_cut = True
        if _FILLED.search(data) is None:
            batch.request = whole.part(0, 0)
            return
        if not has_line_ends(data, bulk2.line_end, settings.line_ends_checked):
            raise BatchError.of(self._texts.line_ends_wrong, name=spelled_line_end(bulk2.line_end))
        layout = lay_out(data, settings.limits.batch_records)
        first, last = layout.header
        bulk2.header = data[first:last].decode("utf-8", "replace").rstrip("\r\n")
        if len(bulk2.header) > settings.limits.header_characters:
            raise BatchError.of(self._texts.header_too_long, most=settings.limits.header_characters)
        judge_quotes(data.replace(b"\r\n", b"\n"), settings.texts.batches, bulk2.delimiter)
        header = whole.part(first, last)
        bodies = [header + whole.part(*chunk) for chunk in layout.chunks]
        if not bodies:
            self._header_only(batch, bulk2, data)
            return
        with org.jobs.lock:
            for number, body in enumerate(bodies):
                try:
                    org.bulk2.count_records(
                        min(settings.limits.batch_records, layout.rows - number * settings.limits.batch_records)
                    )
                    org.jobs.count_batch()
                except ApiError as problem:
                    # The rows of this batch and of those after it are in no result file.
                    bulk2.message = str(problem)
                    if not number:
                        batch.request = whole.part(0, 0)
                    return
                if not number:
                    batch.request = body
                    continue
                made.append(org.jobs.make_batch(batch.job, body, "utf-8"))
                batch.job.batches[made[-1].id] = made[-1]
                if batch.job.state == JobState.ABORTED:
                    move_batch(made[-1], BatchState.NOT_PROCESSED)

    def _header_only(self, batch: Batch, bulk2: Bulk2, data: bytes) -> None:
        texts = self._settings.texts.batches
        if self._settings.header_only == "fail":
            raise BatchError.of(texts.records_none)
        # The header is still judged: one row of empty values is read, and not carried out.
        width = max(1, bulk2.header.count(bulk2.delimiter) + 1)
        row = bulk2.delimiter.join(['""'] * width)
        upload = self._read(data.rstrip(b"\r\n") + f"\n{row}\n".encode(), bulk2)
        self._check(batch, upload)
        batch.request = batch.request.part(0, 0)

    def _read(self, body: bytes, bulk2: Bulk2) -> Upload:
        return read_csv(body, self._settings, line_ending=bulk2.line_end, delimiter=bulk2.delimiter)

    def _check(self, batch: Batch, upload: Upload) -> None:
        check_columns(batch.job, upload, self._settings)
        self._rows.check_headers(batch.job.sobject, upload)

    def _data(self, batch: Batch, bulk2: Bulk2) -> None:
        job, org, mishap = batch.job, self._org, batch.mishap
        upload = self._read(org.jobs.spool.get(batch.request), bulk2)
        check_columns(job, upload, self._settings)
        ragged = upload.faults
        if mishap is not None:
            upload = mishap.strike(upload, self._settings.texts.rows)
            ragged = None if ragged is None else ragged.slice(0, upload.count)
        order = Order(
            job.operation, job.sobject, job.created_by, org.clock.now(), job.external_id,
            by_transaction=self._settings.duplicate_keys_within == "transaction" and _has_keys_twice(job, upload),
        )  # fmt: skip
        outcomes = self._rows.carry_out(order, upload)
        org.ledger.add(job.id, batch.id, job.operation, job.sobject.name, outcomes)
        columns = echoed(upload, ragged, job.sobject, self._settings)
        kept = {"succeeded": self._succeeded(outcomes, columns, bulk2)}
        if float(job.request.api_version) <= self._settings.alphabetical_until:
            columns = [
                column for _, column in sorted(zip(upload.columns, columns, strict=True), key=lambda one: one[0])
            ]
        kept["failed"] = self._failed(outcomes, columns, bulk2)
        spool = org.jobs.spool
        results = {"": spool.put(write_results(outcomes, Format.CSV, self._settings))}
        results |= {name: spool.put(body) for name, body in kept.items()}
        with org.jobs.lock:
            batch.results = results
            batch.processed, batch.failed = outcomes.count, outcomes.failed
        if mishap is not None and mishap.message is not None:
            raise BatchError.quoted(mishap.message)

    def _succeeded(self, outcomes: Outcomes, columns: list[pa.StringArray], bulk2: Bulk2) -> bytes:
        good = pc.is_null(outcomes.errors)
        created = pc.if_else(outcomes.created.filter(good), "true", "false")
        return self._lines([outcomes.ids.filter(good), created], columns, good, bulk2)

    def _failed(self, outcomes: Outcomes, columns: list[pa.StringArray], bulk2: Bulk2) -> bytes:
        bad = pc.is_valid(outcomes.errors)
        ids = outcomes.ids.filter(bad)
        if not self._settings.failed_results_carry_id:
            ids = pa.nulls(len(ids), pa.string())
        return self._lines(
            [ids, distinctly(outcomes.errors.filter(bad), self._settings, csv_error)], columns, bad, bulk2
        )

    def _lines(
        self, first: list[pa.StringArray], columns: list[pa.StringArray], chosen: pa.BooleanArray, bulk2: Bulk2
    ) -> bytes:
        """The chosen rows, each after its two columns of the server's."""
        rows = [*first, *(column.filter(chosen) for column in columns)]
        return data_of(quoted_lines(rows, bulk2.delimiter, result_line_end(bulk2, self._settings)))

    # Queries

    def _query(self, batch: Batch, bulk2: Bulk2) -> None:
        org, job = self._org, batch.job
        compiled = compile_soql(
            org.jobs.spool.get(batch.request).decode(),
            org.schema,
            now=org.clock.now(),
            user_id=org.sessions.user_id,
            include_deleted=job.operation == Operation.QUERY_ALL,
        )
        table = org.store.query(compiled.sql, compiled.parameters)
        labels = shown_columns(compiled)
        if float(job.request.api_version) <= self._settings.alphabetical_until:
            labels = dict(sorted(labels.items(), key=lambda one: one[1]))
        header = bulk2.delimiter.join('"' + label.replace('"', '""') + '"' for label in labels.values())
        ends: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []

        def lines() -> Iterator[bytes]:
            before = 0
            for part in table.combine_chunks().to_batches(max_chunksize=_SLICE_ROWS):
                texts = [shown_text(part[f"c{number}"], self._settings) for number in labels]
                written = quoted_lines(texts, bulk2.delimiter, bulk2.line_end)
                ends.append(before + np.cumsum(pc.binary_length(written).to_numpy(), dtype=np.int64))
                body = data_of(written)
                before += len(body)
                yield body

        rows = org.jobs.spool.put_all(lines())
        head = (header + bulk2.line_end).encode()
        found = Found(head, bulk2.line_end, rows, np.concatenate(ends) if ends else np.zeros(0, dtype=np.int64))
        org.bulk2.count_result(rows.length)
        result_id, whole = org.ids.one("752")[:15], org.jobs.spool.put(head) + rows
        with org.jobs.lock:
            bulk2.found = found
            batch.results = {result_id: whole}
            batch.processed = table.num_rows


def _has_keys_twice(job: Job, upload: Upload) -> bool:
    """Whether a key comes twice: then rows are written by transactions, which is slower."""
    if job.external_id is None:
        return False
    name = job.external_id.name.lower()
    keys = next((column for header, column in upload.columns.items() if header.lower() == name), None)
    return keys is not None and pc.count_distinct(pc.utf8_lower(keys)).as_py() < len(keys) - keys.null_count


def shown_columns(compiled: CompiledQuery) -> dict[int, str]:
    """The columns that a bulk query shows, by their place in the SQL: those of FIELDS() leave some out."""
    return {number: column.label for number, column in enumerate(compiled.columns) if column.field.type not in _UNSHOWN}


def result_line_end(bulk2: Bulk2, settings: Settings) -> str:
    """The line end of a job's result files."""
    return bulk2.line_end if settings.result_line_ends == "job" else "\n"


def fail(batch: Batch) -> None:
    """A batch of a 2.0 job has failed as a whole: so does its job, and what is queued never runs."""
    bulk2 = batch.job.bulk2
    if bulk2 is not None:
        bulk2.message = bulk2.message or batch.message
        drop_queued(batch.job)
