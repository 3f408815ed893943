"""The calls of Bulk API v1, one method each, for `Client` and for `AsyncClient`.

Thin layers: `protocol.bulk1` and `conversations` hold the requests and how their answers are read. `Calls1` has the
full docs; a parity test keeps the two alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bulkforce.later import later
from bulkforce.protocol.flow import ask
from bulkforce.protocol.limits import DAY_SECONDS
from bulkforce.transport.drive import Driver
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce import conversations
    from bulkforce.conversations import BatchResult, Pace
    from bulkforce.formats.content import Content
    from bulkforce.protocol import bulk1, info
    from bulkforce.protocol.bulk1 import JobRef
    from bulkforce.protocol.info import BatchInfo, JobInfo
    from bulkforce.protocol.pk_chunking import PKChunking
    from bulkforce.transport import stream
    from bulkforce.transport.stream import AsyncResultStream, ResultStream
else:
    info = later("bulkforce.protocol.info")
    conversations = later("bulkforce.conversations")
    bulk1 = later("bulkforce.protocol.bulk1")
    stream = later("bulkforce.transport.stream")


class Calls1:
    """The calls of Bulk API v1."""

    driver: Driver

    def create_job(
        self,
        operation: Operation | str,
        object: str,  # noqa: A002  (the field's own word)
        content_type: ContentType | str,
        *,
        external_id_field: str | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        assignment_rule_id: str | None = None,
        pk_chunking: PKChunking | bool | int | None = None,
        line_ending: LineEnding | str | None = None,
        disable_batch_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JobInfo:
        """Open a job.

        Args:
            operation: ``insert``, ``update``, ``upsert``, ``delete``, ``hardDelete``, ``query`` or ``queryAll``.
            object: API name of the object, such as ``Contact`` or ``Invoice__c``.
            content_type: ``CSV``, ``JSON``, ``XML``, ``ZIP_CSV``, ``ZIP_JSON`` or ``ZIP_XML``.
            external_id_field: For an upsert: the field to match existing records by.
            concurrency_mode: ``Parallel`` (the org's default) or ``Serial``.
            assignment_rule_id: Assignment rule for cases or leads.
            pk_chunking: For a query: let the org split it by record id; ``True``, a chunk size, or a `PKChunking`.
            line_ending: ``LF`` or ``CRLF``: how line ends inside text area values are read.
            disable_batch_retry: Ask the org not to retry a batch that takes too long.
            headers: Further headers of the API for this request, by name, such as ``Sforce-Call-Options``.

        Raises:
            UsageError: A setting is unknown to the protocol, or two contradict each other; nothing was sent.
            OutcomeUnknown: The answer was lost; an empty job may have been left behind.
        """
        settings = bulk1.settings(
            operation,
            object,
            content_type,
            external_id_field=external_id_field,
            concurrency_mode=concurrency_mode,
            assignment_rule_id=assignment_rule_id,
            pk_chunking=pk_chunking,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry,
            headers=headers,
        )
        return self.driver.run(ask(bulk1.create_job(settings)))

    def get_job_info(self, job: JobRef) -> JobInfo:
        """Return the state of a job, given as `JobInfo` or id."""
        return self.driver.run(ask(bulk1.get_job_info(job)))

    def close_job(self, job: JobRef) -> JobInfo:
        """Close a job: it accepts no more batches, and those already queued still run."""
        return self.driver.run(ask(bulk1.set_state(job, JobState.CLOSED)))

    def abort_job(self, job: JobRef) -> JobInfo:
        """Abort a job: queued batches do not run, running ones finish, and nothing is undone."""
        return self.driver.run(ask(bulk1.set_state(job, JobState.ABORTED)))

    def add_batch(self, job: JobRef, content: Content) -> BatchInfo:
        """Add one batch to an open job.

        Args:
            job: The job. If you pass only its id, the job is fetched first.
            content: What to load, or SOQL for a query job. Text and bytes are sent as they are; a ``pathlib.Path`` is
                streamed from the file; an open binary file is read; a list of mappings is written in the job's format
                (``None`` sets null; a nested mapping names a parent by its external id); an ``ElementTree`` element
                goes into an XML job; `Attachments`, or a complete zip, into a zip job.

        Raises:
            FormatError: The content does not match the job's content type, or exceeds a limit; nothing was sent.
            OutcomeUnknown: The answer was lost and the batch may be running; call ``get_all_batches`` before you send
                it again.
        """
        return self.driver.run(conversations.add_batch(job, content))

    def get_batch_info(self, job: JobRef, batch_id: str) -> BatchInfo:
        """Return the state of a batch."""
        return self.driver.run(ask(bulk1.get_batch_info(job, batch_id)))

    def get_all_batches(self, job: JobRef) -> list[BatchInfo]:
        """Return the state of every batch of a job."""
        return info.BatchList(self.driver.run(ask(bulk1.get_all_batches(job))))

    def get_batch_request(self, job: JobRef, batch_id: str) -> bytes:
        """Return the bytes that the batch was created from; for a query, its SOQL."""
        return self.driver.run(ask(bulk1.get_batch_request(job, batch_id)))

    def get_batch_result(self, job: JobRef, batch_id: str) -> BatchResult:
        """Fetch the results of a batch.

        Returns:
            For a data job, one `Result` per record in the order of the batch, whatever the format. For a query, the
            records of all result files in order: CSV text with one header, a list of dicts, or a ``queryResult``
            element; empty if the query found nothing.

        Raises:
            InvalidRequest: The batch has no results, for example because it failed before its first record;
                ``get_batch_info`` says why.
        """
        return self.driver.run(conversations.get_batch_result(job, batch_id))

    def get_query_result_ids(self, job: JobRef, batch_id: str) -> list[str]:
        """List the result files of a query batch, in order."""
        return self.driver.run(conversations.get_query_result_ids(job, batch_id))

    def get_query_result(self, job: JobRef, batch_id: str, result_id: str) -> ResultStream:
        """Stream one result file, of any size, of a query batch.

        Example:
            >>> with client.get_query_result(job, batch.id, result_id) as stream:  # doctest: +SKIP
            ...     for block in stream:
            ...         file.write(block)
        """
        return stream.ResultStream(self.driver.run(ask(bulk1.get_query_result(job, batch_id, result_id))))

    def wait_for_batch(
        self,
        job: JobRef,
        batch_id: str,
        *,
        timeout_seconds: float = DAY_SECONDS,
        pace: Pace | None = None,
    ) -> BatchInfo:
        """Wait until a batch is ``Completed``, ``Failed`` or ``NotProcessed``.

        Call `BatchInfo.raise_for_state` on what it returns to raise if the batch did not succeed. If PK chunking splits
        a query, the batch itself ends as ``NotProcessed``; this method then waits for all its chunks and returns them
        in ``chunks``.

        Args:
            job: The job.
            batch_id: The batch.
            timeout_seconds: How long to wait at most.
            pace: How often to poll; by default after 0.2 s at first, growing to every 10 s.

        Raises:
            JobNotDone: The time is up. The org is still working on the batch.
        """
        return self.driver.run(conversations.wait_for_batch(job, batch_id, timeout_seconds, pace))

    def wait_for_job(self, job: JobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None) -> JobInfo:
        """Wait until every batch of a job, PK chunks included, is ``Completed``, ``Failed`` or ``NotProcessed``.

        Raises:
            JobNotDone: The time is up. The org is still working on the job.
        """
        return self.driver.run(conversations.wait_for_job(job, timeout_seconds, pace))

    def create_spec(self, job: JobRef, mapping_csv: str) -> None:
        """Upload a transformation spec to a CSV job: it maps the columns of other systems' CSV files to fields.

        Args:
            job: The job, before its first batch.
            mapping_csv: CSV with the columns ``Salesforce Field,Csv Header,Value,Hint``, under 8,192 characters.

        Raises:
            UsageError: The spec is empty or too long, or the job is not a CSV job.
        """
        self.driver.run(ask(bulk1.create_spec(job, mapping_csv)))


class AsyncCalls1:
    """The calls of Bulk API v1, awaited; see `Calls1`."""

    driver: Driver

    async def create_job(
        self,
        operation: Operation | str,
        object: str,  # noqa: A002  (the field's own word)
        content_type: ContentType | str,
        *,
        external_id_field: str | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        assignment_rule_id: str | None = None,
        pk_chunking: PKChunking | bool | int | None = None,
        line_ending: LineEnding | str | None = None,
        disable_batch_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JobInfo:
        """Open a job."""
        settings = bulk1.settings(
            operation,
            object,
            content_type,
            external_id_field=external_id_field,
            concurrency_mode=concurrency_mode,
            assignment_rule_id=assignment_rule_id,
            pk_chunking=pk_chunking,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry,
            headers=headers,
        )
        return await self.driver.arun(ask(bulk1.create_job(settings)))

    async def get_job_info(self, job: JobRef) -> JobInfo:
        """Return the state of a job, given as `JobInfo` or id."""
        return await self.driver.arun(ask(bulk1.get_job_info(job)))

    async def close_job(self, job: JobRef) -> JobInfo:
        """Close a job: it accepts no more batches, and those already queued still run."""
        return await self.driver.arun(ask(bulk1.set_state(job, JobState.CLOSED)))

    async def abort_job(self, job: JobRef) -> JobInfo:
        """Abort a job: queued batches do not run, running ones finish, and nothing is undone."""
        return await self.driver.arun(ask(bulk1.set_state(job, JobState.ABORTED)))

    async def add_batch(self, job: JobRef, content: Content) -> BatchInfo:
        """Add one batch to an open job."""
        return await self.driver.arun(conversations.add_batch(job, content))

    async def get_batch_info(self, job: JobRef, batch_id: str) -> BatchInfo:
        """Return the state of a batch."""
        return await self.driver.arun(ask(bulk1.get_batch_info(job, batch_id)))

    async def get_all_batches(self, job: JobRef) -> list[BatchInfo]:
        """Return the state of every batch of a job."""
        return info.BatchList(await self.driver.arun(ask(bulk1.get_all_batches(job))))

    async def get_batch_request(self, job: JobRef, batch_id: str) -> bytes:
        """Return the bytes that the batch was created from; for a query, its SOQL."""
        return await self.driver.arun(ask(bulk1.get_batch_request(job, batch_id)))

    async def get_batch_result(self, job: JobRef, batch_id: str) -> BatchResult:
        """Fetch the results of a batch."""
        return await self.driver.arun(conversations.get_batch_result(job, batch_id))

    async def get_query_result_ids(self, job: JobRef, batch_id: str) -> list[str]:
        """List the result files of a query batch, in order."""
        return await self.driver.arun(conversations.get_query_result_ids(job, batch_id))

    async def get_query_result(self, job: JobRef, batch_id: str, result_id: str) -> AsyncResultStream:
        """Stream one result file, of any size, of a query batch."""
        return stream.AsyncResultStream(
            stream.ResultStream(await self.driver.arun(ask(bulk1.get_query_result(job, batch_id, result_id))))
        )

    async def wait_for_batch(
        self,
        job: JobRef,
        batch_id: str,
        *,
        timeout_seconds: float = DAY_SECONDS,
        pace: Pace | None = None,
    ) -> BatchInfo:
        """Wait until a batch is ``Completed``, ``Failed`` or ``NotProcessed``."""
        return await self.driver.arun(conversations.wait_for_batch(job, batch_id, timeout_seconds, pace))

    async def wait_for_job(
        self, job: JobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None
    ) -> JobInfo:
        """Wait until every batch of a job, PK chunks included, is ``Completed``, ``Failed`` or ``NotProcessed``."""
        return await self.driver.arun(conversations.wait_for_job(job, timeout_seconds, pace))

    async def create_spec(self, job: JobRef, mapping_csv: str) -> None:
        """Upload a transformation spec to a CSV job: it maps the columns of other systems' CSV files to fields."""
        await self.driver.arun(ask(bulk1.create_spec(job, mapping_csv)))
