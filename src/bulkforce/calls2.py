"""The calls of Bulk API 2.0, one method each, for `Client` and for `AsyncClient`.

Thin layers: `protocol.bulk2` and `conversations2` hold the requests and how their answers are read. `Calls2` has
the full docs; a parity test keeps the two alike.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from bulkforce.later import later
from bulkforce.protocol.flow import ask
from bulkforce.protocol.limits import DAY_SECONDS
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import in_thread
from bulkforce.vocabulary import ColumnDelimiter, ConcurrencyMode, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce import conversations, conversations2, csv_stream, listing, staging
    from bulkforce.apis import staged
    from bulkforce.conversations import Pace
    from bulkforce.csv_stream import AsyncCsvStream, CsvStream
    from bulkforce.load.job_data import JobData
    from bulkforce.protocol import bulk2, settings2
    from bulkforce.protocol.bulk2 import IngestJobRef, QueryJobRef, ResultPages
    from bulkforce.protocol.exchange import Body
    from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
    from bulkforce.staging import AsyncStage, Stage
else:
    conversations = later("bulkforce.conversations")
    conversations2 = later("bulkforce.conversations2")
    csv_stream = later("bulkforce.csv_stream")
    listing = later("bulkforce.listing")
    staging = later("bulkforce.staging")
    staged = later("bulkforce.apis.staged")
    bulk2 = later("bulkforce.protocol.bulk2")
    settings2 = later("bulkforce.protocol.settings2")


class Calls2:
    """The calls of Bulk API 2.0."""

    driver: Driver

    def create_ingest_job(
        self,
        operation: Operation | str,
        object: str,  # noqa: A002  (the field's own word)
        *,
        external_id_field: str | None = None,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        assignment_rule_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        content: JobData | None = None,
    ) -> IngestJobInfo:
        """Create a job of Bulk API 2.0 that loads records.

        Then `upload` its data, once, and call `complete_upload`: before that, the org writes nothing. A job that stays
        open is removed after 24 hours.

        Args:
            operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
            object: API name of the object, such as ``Contact`` or ``Invoice__c``.
            external_id_field: For an upsert: the field to match existing records by.
            column_delimiter: ``COMMA``, ``BACKQUOTE``, ``CARET``, ``PIPE``, ``SEMICOLON`` or ``TAB``.
            line_ending: ``LF`` or ``CRLF``: how every line of the data ends. The org fails a job whose lines end
                otherwise.
            assignment_rule_id: Assignment rule for cases or leads.
            headers: Further headers of the API for this request, by name, such as ``Sforce-Call-Options``.
            content: Data of up to 100,000 characters that goes with the request, as for `upload`. The org runs the job
                at once; if the answer is lost, records may have been written, so do not use it where that matters.

        Raises:
            UsageError: A setting is unknown to the protocol, or two contradict each other; nothing was sent.
            OutcomeUnknown: The answer was lost; an empty job may have been left behind, or with content a running one.

        Example:
            >>> job = client.create_ingest_job("upsert", "Contact", external_id_field="Email__c")  # doctest: +SKIP
            >>> client.upload(job, Path("contacts.csv"))  # doctest: +SKIP
            >>> client.complete_upload(job)  # doctest: +SKIP
            >>> client.wait_for_ingest_job(job).number_records_failed  # doctest: +SKIP
            0
        """
        settings = settings2.settings(
            operation,
            object,
            external_id_field=external_id_field,
            column_delimiter=column_delimiter,
            line_ending=line_ending,
            assignment_rule_id=assignment_rule_id,
            headers=headers,
        )
        if content is None:
            return self.driver.run(ask(bulk2.create_ingest_job(settings)))
        from bulkforce.load.job_data import job_data  # only data needs what reads it

        with job_data(content, settings.column_delimiter, settings.line_ending) as body:
            return self.driver.run(ask(bulk2.create_ingest_job_with(settings, body)))

    def upload(self, job: IngestJobRef, content: JobData) -> None:
        """Upload the data of an open job: all of it at once, up to 100,000,000 bytes. Nothing is written yet.

        Args:
            job: The job. If you pass only its id, the job is fetched first.
            content: CSV as text, bytes, a ``pathlib.Path`` or an open binary file is sent as it is; it must have the
                job's delimiter and line ending. A list of mappings, a data frame or other Arrow data is written so.

        Raises:
            FormatError: It is too long, is not UTF-8, or its lines end in another way than the job says; nothing was
                sent.
            OutcomeUnknown: The answer was lost. Abort the job, and upload to a new one: a second upload spoils a job.

        Example:
            >>> client.upload(job, [{"LastName": "Morkel", "Email": "morne89@gmail.com"}])  # doctest: +SKIP
        """
        from bulkforce.load.job_data import job_data  # see above

        known = self.driver.run(conversations2.ingest_job(job))
        with job_data(content, *bulk2.form_of(known)) as body:
            self.driver.run(ask(bulk2.upload(known, body)))

    def complete_upload(self, job: IngestJobRef) -> IngestJobInfo:
        """Complete a job's upload: the org now writes the records.

        Raises:
            OutcomeUnknown: The answer was lost. Look with `get_ingest_job`: if the job is still open, repeat this.
        """
        return self.driver.run(ask(bulk2.complete_upload(job)))

    def abort_ingest_job(self, job: IngestJobRef) -> IngestJobInfo:
        """Abort a job; records that the org has written stay."""
        return self.driver.run(ask(bulk2.abort_ingest_job(job)))

    def get_ingest_job(self, job: IngestJobRef) -> IngestJobInfo:
        """Return the state of a job, given as `IngestJobInfo` or id."""
        return self.driver.run(ask(bulk2.get_ingest_job(job)))

    def list_ingest_jobs(
        self, *, job_type: str | None = None, is_pk_chunking_enabled: bool | None = None
    ) -> Iterator[IngestJobInfo]:
        """List the org's jobs that load records, those of other users and of v1 too, in no particular order.

        Pages of up to 1,000 jobs are fetched as you go on, with one call each. Printed, or shown in a notebook, the
        result is a table of the first page, which is then fetched.

        Args:
            job_type: Only ``V2Ingest``, ``BigObjectIngest`` or ``Classic`` (v1).
            is_pk_chunking_enabled: Only jobs with or without PK chunking.

        Example:
            >>> jobs = client.list_ingest_jobs(job_type="V2Ingest")  # doctest: +SKIP
            >>> [job.id for job in jobs if job.state == "Open" and job.object == "Contact"]  # doctest: +SKIP
        """
        asking = partial(bulk2.list_ingest_jobs, job_type=job_type, is_pk_chunking_enabled=is_pk_chunking_enabled)
        return listing.JobIterator(self.driver, asking, asking())

    def delete_ingest_job(self, job: IngestJobRef) -> None:
        """Delete a job that has ended, with its results; the records that it wrote stay.

        If the answer is lost, this asks again; a job that is not found then is gone.
        """
        self.driver.run(conversations.delete(bulk2.delete_ingest_job(job)))

    def get_successful_results(self, job: IngestJobRef) -> CsvStream:
        """Stream the records that a job wrote: columns ``sf__Id``, ``sf__Created`` and your own, in no order.

        Args:
            job: The job, after its end. If you pass only its id, the job is fetched first.

        Example:
            >>> with client.get_successful_results(job) as written:  # doctest: +SKIP
            ...     written.save("written.csv")
        """
        return csv_stream.CsvStream(self.driver.run(conversations2.result_file(job, bulk2.get_successful_results)))

    def get_failed_results(self, job: IngestJobRef) -> CsvStream:
        """Stream the records that the org refused: columns ``sf__Id``, ``sf__Error`` and your own, in no order.

        Args:
            job: The job, after its end. If you pass only its id, the job is fetched first.

        Raises:
            ProtocolError: Records failed, but the org returns nothing (204), a fault of its own.
        """
        return csv_stream.CsvStream(self.driver.run(conversations2.result_file(job, bulk2.get_failed_results)))

    def get_unprocessed_records(self, job: IngestJobRef) -> CsvStream:
        """Stream the records that the org never tried, because the job failed or was aborted: your own columns.

        Args:
            job: The job, after its end. If you pass only its id, the job is fetched first.
        """
        return csv_stream.CsvStream(self.driver.run(conversations2.result_file(job, bulk2.get_unprocessed_records)))

    def wait_for_ingest_job(
        self, job: IngestJobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None
    ) -> IngestJobInfo:
        """Wait until a job is ``JobComplete``, ``Failed`` or ``Aborted``.

        Call `IngestJobInfo.raise_for_state` on what it returns to raise if the job failed. ``JobComplete`` does not
        mean that every record was written: see ``number_records_failed``.

        Args:
            job: The job, after `complete_upload`.
            timeout_seconds: How long to wait at most.
            pace: How often to poll; by default after 0.2 s at first, growing to every 10 s.

        Raises:
            JobNotDone: The time is up, and the org is still working on the job; or the job is open.
        """
        return self.driver.run(conversations2.wait_for_ingest_job(job, timeout_seconds, pace))

    def create_query_job(
        self,
        query: str,
        *,
        operation: Operation | str = Operation.QUERY,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        headers: Mapping[str, str] | None = None,
    ) -> QueryJobInfo:
        """Create a query job of Bulk API 2.0; the org checks the query and runs it at once.

        Args:
            query: The query, without GROUP BY, aggregates, OFFSET and nested queries.
            operation: ``query``, or ``queryAll`` for deleted and archived records too.
            column_delimiter: What separates the columns of the results, as in `create_ingest_job`.
            line_ending: ``LF`` or ``CRLF``: how the lines of the results end.
            headers: Further headers of the API for this request, by name, such as ``Sforce-Call-Options``.

        Raises:
            InvalidRequest: The org refuses the query.

        Example:
            >>> job = client.create_query_job("SELECT Id, Name FROM Account")  # doctest: +SKIP
            >>> client.wait_for_query_job(job).raise_for_state()  # doctest: +SKIP
            >>> with client.get_query_results(job) as results:  # doctest: +SKIP
            ...     names = [row["Name"] for row in results.rows()]
        """
        settings = settings2.query_settings(
            query, operation=operation, column_delimiter=column_delimiter, line_ending=line_ending, headers=headers
        )
        return self.driver.run(ask(bulk2.create_query_job(settings)))

    def get_query_job(self, job: QueryJobRef) -> QueryJobInfo:
        """Return the state of a query job, given as `QueryJobInfo` or id."""
        return self.driver.run(ask(bulk2.get_query_job(job)))

    def list_query_jobs(
        self,
        *,
        job_type: str | None = None,
        is_pk_chunking_enabled: bool | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
    ) -> Iterator[QueryJobInfo]:
        """List the org's query jobs, those of other users and of v1 too, in no particular order.

        Pages of up to 1,000 jobs are fetched as you go on, with one call each. Printed, or shown in a notebook, the
        result is a table of the first page, which is then fetched.

        Args:
            job_type: Only ``V2Query``, ``V2Ingest`` or ``Classic`` (v1).
            is_pk_chunking_enabled: Only jobs with or without PK chunking.
            concurrency_mode: Only jobs that run in ``Parallel`` or in ``Serial`` mode, which only v1 has.
        """
        asking = partial(
            bulk2.list_query_jobs,
            job_type=job_type,
            is_pk_chunking_enabled=is_pk_chunking_enabled,
            concurrency_mode=concurrency_mode,
        )
        return listing.JobIterator(self.driver, asking, asking())

    def abort_query_job(self, job: QueryJobRef) -> QueryJobInfo:
        """Abort a query job that is running."""
        return self.driver.run(ask(bulk2.abort_query_job(job)))

    def delete_query_job(self, job: QueryJobRef) -> None:
        """Delete a query job that has ended, with its results.

        If the answer is lost, this asks again; a job that is not found then is gone.
        """
        self.driver.run(conversations.delete(bulk2.delete_query_job(job)))

    def get_query_results(
        self, job: QueryJobRef, locator: str | None = None, max_records: int | None = None
    ) -> CsvStream:
        """Stream a part of a query's records, of any size, with its header.

        The stream's ``locator`` says where the next part begins, ``None`` after the last one; its
        ``number_of_records`` how many records this part has. Parts can be read again, in any order, for 7 days.

        Args:
            job: The job, after its end. If you pass only its id, the job is fetched first: its results can be read only
                with the API version that it was created with.
            locator: Which part; without it, the first.
            max_records: How many records the part may have at most; without it, the org chooses.

        Example:
            >>> locator = None  # doctest: +SKIP
            >>> while True:  # doctest: +SKIP
            ...     with client.get_query_results(job, locator, max_records=50_000) as results:
            ...         rows += results.rows()
            ...     locator = results.locator
            ...     if locator is None:
            ...         break
        """
        return csv_stream.CsvStream(self.driver.run(conversations2.query_results(job, locator, max_records)))

    def get_query_result_pages(self, job: QueryJobRef, locator: str | None = None) -> ResultPages:
        """Ask for links to up to five parts of a query's records, to be fetched at the same time (58.0 and later).

        Args:
            job: The job, after its end.
            locator: Where the list of links goes on: the ``locator`` of the last answer.

        Example:
            >>> pages = client.get_query_result_pages(job)  # doctest: +SKIP
            >>> [client.get_query_results(job, link.locator).read() for link in pages.links]  # doctest: +SKIP
        """
        return self.driver.run(conversations2.query_result_pages(job, locator))

    def wait_for_query_job(
        self, job: QueryJobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None
    ) -> QueryJobInfo:
        """Wait until a query job is ``JobComplete``, ``Failed`` or ``Aborted``.

        Args:
            job: The job.
            timeout_seconds: How long to wait at most.
            pace: How often to poll; by default after 0.2 s at first, growing to every 10 s.

        Raises:
            JobNotDone: The time is up. The org is still working on the job.
        """
        return self.driver.run(conversations2.wait_for_query_job(job, timeout_seconds, pace))

    def stage(
        self,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        external_id: str | None = None,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        assignment_rule_id: str | None = None,
    ) -> Stage:
        """Begin a staged load: writers in any number of processes upload pieces, and one commit makes them count.

        It is what a writer of Spark, Airflow or Beam needs. Nothing is sent yet.

        Args:
            object: API name of the object.
            operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
            external_id: For an upsert: the field to match existing records by.
            column_delimiter: As in `create_ingest_job`.
            line_ending: As in `create_ingest_job`.
            assignment_rule_id: Assignment rule for cases or leads.

        Example:
            >>> stage = client.stage("Contact", "insert")  # doctest: +SKIP
            >>> state = stage.state()  # doctest: +SKIP
            >>> ids = other_client.resume_stage(state).write([{"LastName": "Morkel"}])  # doctest: +SKIP
            >>> stage.add(ids)  # doctest: +SKIP
            >>> stage.commit()  # doctest: +SKIP
        """
        settings = settings2.settings(
            operation,
            object,
            external_id_field=external_id,
            column_delimiter=column_delimiter,
            line_ending=line_ending,
            assignment_rule_id=assignment_rule_id,
        )
        return staging.Stage(self.driver, self.driver.run(staged.begin(settings)))

    def resume_stage(self, state: str) -> Stage:
        """Go on with a staged load, from any process: to write more pieces, to commit, or to abort.

        Args:
            state: What `Stage.state` returned.

        Raises:
            UsageError: It is no such state.
        """
        return staging.Stage(self.driver, staged.state_of(state))


class AsyncCalls2:
    """The calls of Bulk API 2.0, awaited; see `Calls2`."""

    driver: Driver

    async def create_ingest_job(
        self,
        operation: Operation | str,
        object: str,  # noqa: A002  (the field's own word)
        *,
        external_id_field: str | None = None,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        assignment_rule_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        content: JobData | None = None,
    ) -> IngestJobInfo:
        """Create a job of Bulk API 2.0 that loads records."""
        settings = settings2.settings(
            operation,
            object,
            external_id_field=external_id_field,
            column_delimiter=column_delimiter,
            line_ending=line_ending,
            assignment_rule_id=assignment_rule_id,
            headers=headers,
        )
        if content is None:
            return await self.driver.arun(ask(bulk2.create_ingest_job(settings)))
        from bulkforce.load.job_data import job_data  # only data needs what reads it

        data = job_data(content, settings.column_delimiter, settings.line_ending)
        async with _Aside(data) as body:
            return await self.driver.arun(ask(bulk2.create_ingest_job_with(settings, body)))

    async def upload(self, job: IngestJobRef, content: JobData) -> None:
        """Upload the data of an open job: all of it at once, up to 100,000,000 bytes. Nothing is written yet."""
        from bulkforce.load.job_data import job_data  # see above

        known = await self.driver.arun(conversations2.ingest_job(job))
        async with _Aside(job_data(content, *bulk2.form_of(known))) as body:
            await self.driver.arun(ask(bulk2.upload(known, body)))

    async def complete_upload(self, job: IngestJobRef) -> IngestJobInfo:
        """Complete a job's upload: the org now writes the records."""
        return await self.driver.arun(ask(bulk2.complete_upload(job)))

    async def abort_ingest_job(self, job: IngestJobRef) -> IngestJobInfo:
        """Abort a job; records that the org has written stay."""
        return await self.driver.arun(ask(bulk2.abort_ingest_job(job)))

    async def get_ingest_job(self, job: IngestJobRef) -> IngestJobInfo:
        """Return the state of a job, given as `IngestJobInfo` or id."""
        return await self.driver.arun(ask(bulk2.get_ingest_job(job)))

    def list_ingest_jobs(
        self, *, job_type: str | None = None, is_pk_chunking_enabled: bool | None = None
    ) -> AsyncIterator[IngestJobInfo]:
        """List the org's jobs that load records, those of other users and of v1 too, in no particular order."""
        asking = partial(bulk2.list_ingest_jobs, job_type=job_type, is_pk_chunking_enabled=is_pk_chunking_enabled)
        return listing.AsyncJobIterator(self.driver, asking, asking())

    async def delete_ingest_job(self, job: IngestJobRef) -> None:
        """Delete a job that has ended, with its results; the records that it wrote stay."""
        await self.driver.arun(conversations.delete(bulk2.delete_ingest_job(job)))

    async def get_successful_results(self, job: IngestJobRef) -> AsyncCsvStream:
        """Stream the records that a job wrote: columns ``sf__Id``, ``sf__Created`` and your own, in no order."""
        return csv_stream.AsyncCsvStream(
            await self.driver.arun(conversations2.result_file(job, bulk2.get_successful_results))
        )

    async def get_failed_results(self, job: IngestJobRef) -> AsyncCsvStream:
        """Stream the records that the org refused: columns ``sf__Id``, ``sf__Error`` and your own, in no order."""
        return csv_stream.AsyncCsvStream(
            await self.driver.arun(conversations2.result_file(job, bulk2.get_failed_results))
        )

    async def get_unprocessed_records(self, job: IngestJobRef) -> AsyncCsvStream:
        """Stream the records that the org never tried, because the job failed or was aborted: your own columns."""
        return csv_stream.AsyncCsvStream(
            await self.driver.arun(conversations2.result_file(job, bulk2.get_unprocessed_records))
        )

    async def wait_for_ingest_job(
        self, job: IngestJobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None
    ) -> IngestJobInfo:
        """Wait until a job is ``JobComplete``, ``Failed`` or ``Aborted``."""
        return await self.driver.arun(conversations2.wait_for_ingest_job(job, timeout_seconds, pace))

    async def create_query_job(
        self,
        query: str,
        *,
        operation: Operation | str = Operation.QUERY,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        headers: Mapping[str, str] | None = None,
    ) -> QueryJobInfo:
        """Create a query job of Bulk API 2.0; the org checks the query and runs it at once."""
        settings = settings2.query_settings(
            query, operation=operation, column_delimiter=column_delimiter, line_ending=line_ending, headers=headers
        )
        return await self.driver.arun(ask(bulk2.create_query_job(settings)))

    async def get_query_job(self, job: QueryJobRef) -> QueryJobInfo:
        """Return the state of a query job, given as `QueryJobInfo` or id."""
        return await self.driver.arun(ask(bulk2.get_query_job(job)))

    def list_query_jobs(
        self,
        *,
        job_type: str | None = None,
        is_pk_chunking_enabled: bool | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
    ) -> AsyncIterator[QueryJobInfo]:
        """List the org's query jobs, those of other users and of v1 too, in no particular order."""
        asking = partial(
            bulk2.list_query_jobs,
            job_type=job_type,
            is_pk_chunking_enabled=is_pk_chunking_enabled,
            concurrency_mode=concurrency_mode,
        )
        return listing.AsyncJobIterator(self.driver, asking, asking())

    async def abort_query_job(self, job: QueryJobRef) -> QueryJobInfo:
        """Abort a query job that is running."""
        return await self.driver.arun(ask(bulk2.abort_query_job(job)))

    async def delete_query_job(self, job: QueryJobRef) -> None:
        """Delete a query job that has ended, with its results."""
        await self.driver.arun(conversations.delete(bulk2.delete_query_job(job)))

    async def get_query_results(
        self, job: QueryJobRef, locator: str | None = None, max_records: int | None = None
    ) -> AsyncCsvStream:
        """Stream a part of a query's records, of any size, with its header."""
        return csv_stream.AsyncCsvStream(
            await self.driver.arun(conversations2.query_results(job, locator, max_records))
        )

    async def get_query_result_pages(self, job: QueryJobRef, locator: str | None = None) -> ResultPages:
        """Ask for links to up to five parts of a query's records, to be fetched at the same time (58.0 and later)."""
        return await self.driver.arun(conversations2.query_result_pages(job, locator))

    async def wait_for_query_job(
        self, job: QueryJobRef, *, timeout_seconds: float = DAY_SECONDS, pace: Pace | None = None
    ) -> QueryJobInfo:
        """Wait until a query job is ``JobComplete``, ``Failed`` or ``Aborted``."""
        return await self.driver.arun(conversations2.wait_for_query_job(job, timeout_seconds, pace))

    async def stage(
        self,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        external_id: str | None = None,
        column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
        line_ending: LineEnding | str = LineEnding.LF,
        assignment_rule_id: str | None = None,
    ) -> AsyncStage:
        """Begin a staged load: writers in any number of processes upload pieces, and one commit makes them count."""
        settings = settings2.settings(
            operation,
            object,
            external_id_field=external_id,
            column_delimiter=column_delimiter,
            line_ending=line_ending,
            assignment_rule_id=assignment_rule_id,
        )
        return staging.AsyncStage(self.driver, await self.driver.arun(staged.begin(settings)))

    async def resume_stage(self, state: str) -> AsyncStage:
        """Go on with a staged load, from any process: to write more pieces, to commit, or to abort."""
        return staging.AsyncStage(self.driver, staged.state_of(state))


class _Aside:
    """A context that is entered and left in a worker thread, since reading and writing files takes time."""

    def __init__(self, context: AbstractContextManager[Body]) -> None:
        self._context = context

    async def __aenter__(self) -> Body:
        return await in_thread(self._context.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(partial(self._context.__exit__, kind, error, trace))
