"""`Client`: every call of the API as one method.

A skin: what is said and understood is in `protocol` and `conversations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from bulkforce import conversations
from bulkforce.conversations import BatchResult, Pace
from bulkforce.extract.report import ExtractProgress, ExtractReport
from bulkforce.formats.content import Content
from bulkforce.load.checking import CheckReport
from bulkforce.load.mapping import ColumnMap
from bulkforce.load.report import LoadReport, Progress
from bulkforce.protocol import bulk1, limits
from bulkforce.protocol.bulk1 import JobRef
from bulkforce.protocol.flow import Auth, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.transport.base import LARGEST_ANSWER_BYTES, TLS, Timeouts, Transport
from bulkforce.transport.drive import make_driver
from bulkforce.transport.stream import ResultStream
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce.extract.query import QueryResult
    from bulkforce.load.sources import Source
    from bulkforce.run.sitting import Sitting

T = TypeVar("T")


class Client:
    """A client of one Salesforce org; safe to use from many threads.

    Args:
        instance_url: The org's own host, such as ``https://acme.my.salesforce.com``. May be left out where the login
            tells it.
        auth: How to log in: `RefreshToken`, `BearerToken`, `ClientCredentials`, `JWTBearer`, `UsernamePassword`.
        version: API version in the path.
        tls: Certificate authorities and client certificate.
        proxy: URL of a HTTP proxy, with user and password if it wants them.
        timeouts: Limits of every wait on the network.
        retry: How stubborn to be with what can be repeated safely.
        gzip_requests: Send batches gzipped; worth it on links slower than about 100 MB/s.
        largest_answer_bytes: An answer that is held in memory, unpacked, is not read beyond that: of no use is a bigger
            one but to fill the memory. Result files of queries, which are streamed to disk, may be of any size.
        transport: What sends, in place of HTTP; for tests.

    Raises:
        UsageError: An argument cannot be used: the URL is not https (loopback excepted), a TLS file cannot be read, the
            proxy is none, and so on.

    Every method may raise `RefusedError` (the org said no), `NotSent`, `NoAnswer` or `OutcomeUnknown` (no usable
    answer), and `ProtocolError` (the answer makes no sense, or is not the org's: `Intercepted`). A session that has
    expired is renewed once, and the call repeated.

    Example:
        >>> import bulkforce as bf
        >>> client = bf.Client("https://acme.my.salesforce.com", auth=bf.BearerToken("00D...!AQ..."))  # doctest: +SKIP
        >>> job = client.create_job("insert", "Contact", "JSON")  # doctest: +SKIP
        >>> batch = client.add_batch(job, [{"LastName": "Morkel", "Email": "morne89@gmail.com"}])  # doctest: +SKIP
        >>> client.close_job(job).state  # doctest: +SKIP
        <JobState.CLOSED: 'Closed'>
        >>> client.wait_for_batch(job, batch.id).state  # doctest: +SKIP
        <BatchState.COMPLETED: 'Completed'>
        >>> client.get_batch_result(job, batch.id)  # doctest: +SKIP
        [Result(id='003000000000001AAA', success=True, created=True, errors=[])]
    """

    def __init__(
        self,
        instance_url: str | None = None,
        auth: Auth | None = None,
        *,
        version: str = limits.API_VERSION,
        tls: TLS | None = None,
        proxy: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        gzip_requests: bool = False,
        largest_answer_bytes: int = LARGEST_ANSWER_BYTES,
        transport: Transport | None = None,
    ) -> None:
        self.driver = make_driver(
            instance_url,
            auth,
            version=version,
            tls=tls,
            proxy=proxy,
            timeouts=timeouts,
            retry=retry,
            gzip_requests=gzip_requests,
            largest_answer_bytes=largest_answer_bytes,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.driver.instance_url!r}, version={self.driver.version!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; nothing is sent any more.

        Loads, extracts and queries under way in other threads are asked to stop, as by Ctrl-C, and waited for. They can
        be resumed.
        """
        self.driver.close()

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
    ) -> JobInfo:
        """Open a job.

        Args:
            operation: ``insert``, ``update``, ``upsert``, ``delete``, ``hardDelete``, ``query`` or ``queryAll``.
            object: API name of the object, such as ``Contact`` or ``Invoice__c``.
            content_type: ``CSV``, ``JSON``, ``XML``, ``ZIP_CSV``, ``ZIP_JSON`` or ``ZIP_XML``.
            external_id_field: For an upsert: the field that tells which records exist already.
            concurrency_mode: ``Parallel`` (the org's default) or ``Serial``.
            assignment_rule_id: Assignment rule for cases or leads.
            pk_chunking: For a query: let the org split it by record id; ``True``, a chunk size, or a `PKChunking`.
            line_ending: ``LF`` or ``CRLF``: how line ends inside text area values are read.
            disable_batch_retry: Tell the org not to run a batch again that takes too long.

        Raises:
            UsageError: The settings are not the protocol's or contradict each other; nothing was sent.
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
        )
        return self.driver.run(ask(bulk1.create_job(settings)))

    def get_job_info(self, job: JobRef) -> JobInfo:
        """Look at a job, given as `JobInfo` or id."""
        return self.driver.run(ask(bulk1.get_job_info(job)))

    def close_job(self, job: JobRef) -> JobInfo:
        """Let no more batches into a job; those queued still run."""
        return self.driver.run(ask(bulk1.set_state(job, JobState.CLOSED)))

    def abort_job(self, job: JobRef) -> JobInfo:
        """Stop a job: queued batches will not run, running ones finish, and nothing is undone."""
        return self.driver.run(ask(bulk1.set_state(job, JobState.ABORTED)))

    def add_batch(self, job: JobRef, content: Content) -> BatchInfo:
        """Hand one batch to an open job.

        Args:
            job: The job; given by its id only, it is looked at first.
            content: What to load, or SOQL for a query job. Text and bytes are taken as they are; a ``pathlib.Path`` is
                streamed from the file; an open binary file is read; a list of mappings is written in the job's format
                (``None`` sets null; a nested mapping is a parent by its external id); an ``ElementTree`` element goes
                into an XML job; `Attachments`, or a whole zip, into a zip job.

        Raises:
            FormatError: The content does not fit the job's content type, or a limit; nothing was sent.
            OutcomeUnknown: The answer was lost and the batch may be running: see ``get_all_batches`` before sending it
                again.
        """
        return self.driver.run(conversations.add_batch(job, content))

    def get_batch_info(self, job: JobRef, batch_id: str) -> BatchInfo:
        """Look at a batch."""
        return self.driver.run(ask(bulk1.get_batch_info(job, batch_id)))

    def get_all_batches(self, job: JobRef) -> list[BatchInfo]:
        """Look at all batches of a job."""
        return self.driver.run(ask(bulk1.get_all_batches(job)))

    def get_batch_request(self, job: JobRef, batch_id: str) -> bytes:
        """Read back the bytes that a batch was added with; SOQL for a query."""
        return self.driver.run(ask(bulk1.get_batch_request(job, batch_id)))

    def get_batch_result(self, job: JobRef, batch_id: str) -> BatchResult:
        """Fetch what a batch came to.

        Returns:
            For a data job one `Result` a record, in the order of the batch, the same from all formats. For a query the
            records, all result files
            merged in order: CSV text with one header, a list of dicts, or a ``queryResult`` element; empty when nothing
                was found.

        Raises:
            InvalidRequest: The batch has no results, as when it failed before any record; ``get_batch_info`` says why.
        """
        return self.driver.run(conversations.get_batch_result(job, batch_id))

    def get_query_result_ids(self, job: JobRef, batch_id: str) -> list[str]:
        """List the result files of a query batch, in order."""
        return self.driver.run(conversations.get_query_result_ids(job, batch_id))

    def get_query_result(self, job: JobRef, batch_id: str, result_id: str) -> ResultStream:
        """Fetch one result file of a query batch, as a stream of any size.

        Example:
            >>> with client.get_query_result(job, batch.id, result_id) as stream:  # doctest: +SKIP
            ...     for block in stream:
            ...         file.write(block)
        """
        return ResultStream(self.driver.run(ask(bulk1.get_query_result(job, batch_id, result_id))))

    def wait_for_batch(
        self,
        job: JobRef,
        batch_id: str,
        *,
        timeout_seconds: float = conversations.DAY_SECONDS,
        pace: Pace | None = None,
    ) -> BatchInfo:
        """Wait until a batch is ``Completed``, ``Failed`` or ``NotProcessed``; `BatchInfo.raise_for_state` tells good
        from bad.

        A query that PK chunking splits is ``NotProcessed`` itself: then all its chunks are waited for, and are in
            ``chunks`` of what is returned.

        Args:
            job: The job.
            batch_id: The batch.
            timeout_seconds: How long to wait at most.
            pace: How often to look; by default from 0.2 s, growing to 10 s.

        Raises:
            JobNotDone: The time is over. The org goes on with the batch.
        """
        return self.driver.run(conversations.wait_for_batch(job, batch_id, timeout_seconds, pace))

    def wait_for_job(
        self, job: JobRef, *, timeout_seconds: float = conversations.DAY_SECONDS, pace: Pace | None = None
    ) -> JobInfo:
        """Wait until every batch of a job is ``Completed``, ``Failed`` or ``NotProcessed``, those of PK chunking
        included.

        Raises:
            JobNotDone: The time is over. The org goes on with the job.
        """
        return self.driver.run(conversations.wait_for_job(job, timeout_seconds, pace))

    def _carry_out(self, work: Callable[[Sitting], T]) -> T:
        from bulkforce.run.sitting import Sitting  # only what runs for long needs the engine and SQLite

        return self.driver.carry_out(lambda stop: work(Sitting.of(self.driver, stop)))

    def load(
        self,
        source: Source,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        external_id: str | None = None,
        mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        workers: int = 4,
        batch_records: int = limits.BATCH_RECORDS,
        run_dir: str | Path | None = None,
        empty_as_null: bool = False,
        check: bool = True,
        on_unknown_column: Literal["refuse", "drop"] = "refuse",
        values: Literal["warn", "refuse", "skip"] = "warn",
        dry_run: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> LoadReport:
        """Load any number of records into an object, each exactly once, and account for every one.

        The source is read once before anything is sent: what no batch may hold is rejected, what is no CSV at all is an
        error. Then batches are sent, watched and their results fetched side by side. A run that dies at any moment is
        continued by `resume`.

        Args:
            source: Path of a file (CSV, JSON, JSON lines, XML, Parquet, Arrow; also ``.gz`` and ``.zst``), ``"-"`` for
                CSV on standard input, an open binary CSV file, an iterable of mappings or of Arrow record batches, or a
                data frame (anything with ``__arrow_c_stream__``).
            object: API name of the object.
            operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
            external_id: For an upsert: the field that tells which records exist already.
            mapping: A dict of columns to fields (``None`` drops), or the path of a TOML or ``.sdl`` file.
            concurrency_mode: ``Parallel`` or ``Serial``.
            workers: Uploads and downloads at once; the org decides how many batches it runs at once.
            batch_records: Records in a batch at most, 1 to 10,000.
            run_dir: The run's folder; by default a new one in ``bulkforce-runs``. ``success.csv``, ``failed.csv``,
                ``unprocessed.csv``, ``rejected.csv`` and ``report.json`` go there.
            empty_as_null: An empty value sets null. Otherwise it leaves the field as it is, and only ``#N/A`` and
                ``None`` set null.
            check: Ask the org what fields the object has, and see before anything is sent whether columns and values
                fit; see `check`.
            on_unknown_column: ``"refuse"`` stops a load that has columns which cannot be sent, ``"drop"`` leaves them
                out.
            values: What to do about values that the org would refuse: ``"warn"`` and load (their rows come back as
                failed), ``"refuse"`` to load, or ``"skip"`` looking at values.
            dry_run: Read, check and plan only; nothing is created.
            on_progress: Called with a `Progress` at most ten times a second, in this thread.

        Returns:
            What it came to: ``read = succeeded + failed + unprocessed + rejected``.

        Raises:
            Interrupted: The run stopped before its end (Ctrl-C, the org out of reach, the job aborted, a full disk) and
                can be resumed.
            Unsettled: The run cannot go on without your word; see `resume`.
            DoesNotFit: Columns do not fit the object; the error says which, and what to do. Nothing was sent.
            FormatError: The source cannot be read; nothing was sent.
            LimitReached: The org does not take that many batches today; nothing was sent.
            TransferError: The counts do not add up; the error names the batches.

            What an iterable of yours raises while it is asked for the next record comes through as it is, whatever it
            is; nothing was sent.

        Example:
            >>> report = client.load("contacts.csv", "Contact", "upsert", external_id="Email__c")  # doctest: +SKIP
            >>> report.succeeded, report.failed, report.unprocessed, report.rejected  # doctest: +SKIP
            (503, 0, 0, 0)
        """
        from bulkforce.load import verb as load  # see above
        from bulkforce.load.asking import LoadOptions

        options = LoadOptions(
            source=source,
            object=object,
            operation=operation,
            external_id=external_id,
            mapping=mapping,
            concurrency_mode=concurrency_mode,
            workers=workers,
            batch_records=batch_records,
            run_dir=run_dir,
            empty_as_null=empty_as_null,
            check=check,
            on_unknown_column=on_unknown_column,
            values=values,
            dry_run=dry_run,
            on_progress=on_progress,
        )
        return self._carry_out(lambda sitting: load.load(sitting, options))

    def check(
        self,
        source: Source,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        external_id: str | None = None,
        mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None,
        empty_as_null: bool = False,
        on_unknown_column: Literal["refuse", "drop"] = "refuse",
        values: Literal["warn", "refuse", "skip"] = "warn",
        on_progress: Callable[[Progress], None] | None = None,
    ) -> CheckReport:
        """See whether a source fits an object, and send nothing.

        The org is asked what fields the object has. Then the whole source is read: columns that are unknown or cannot
        be written, keys and required fields that are missing, values that the org would refuse or change. All that can
        be found is found at once, each with what to do.

        Args:
            source: As in `load`.
            object: As in `load`.
            operation: As in `load`.
            external_id: As in `load`.
            mapping: As in `load`.
            empty_as_null: As in `load`.
            on_unknown_column: As in `load`.
            values: ``"skip"`` looks at columns only.
            on_progress: As in `load`.

        Raises:
            FormatError: The source cannot be read.

        Example:
            >>> report = client.check("contacts.csv", "Contact", "upsert", external_id="Email__c")  # doctest: +SKIP
            >>> report.fits  # doctest: +SKIP
            False
            >>> print(report.columns[0].text, report.columns[0].remedy)  # doctest: +SKIP
            'Last Name' is the label of LastName, and a load needs the name. Call the column LastName, or map it.
        """
        from bulkforce.load import verb as load  # see above
        from bulkforce.load.asking import LoadOptions

        options = LoadOptions(
            source=source,
            object=object,
            operation=operation,
            external_id=external_id,
            mapping=mapping,
            empty_as_null=empty_as_null,
            on_unknown_column=on_unknown_column,
            values=values,
            on_progress=on_progress,
        )
        return self._carry_out(lambda sitting: load.check(sitting, options))

    def resume(
        self,
        run: str | Path,
        *,
        workers: int | None = None,
        accept_as: Literal["sent", "not-sent"] | None = None,
        on_progress: Callable[[Progress], None] | Callable[[ExtractProgress], None] | None = None,
    ) -> LoadReport | ExtractReport:
        """Go on with a load or an extract that stopped or died; nothing goes in, or comes out, twice.

        One that is finished only tells its report again, and warns if its files are no longer what it left.

        Args:
            run: The run's id, or its folder.
            workers: Uploads and downloads at once; by default as many as the run was begun with.
            accept_as: Of a load: your word on what the org cannot tell, for a run that ended with `Unsettled`.
                ``"sent"``: rows in doubt count as sent and stay in ``in_doubt.csv``; what the org did not take of them
                is lost. ``"not-sent"``: they are sent again; what the org took of them is doubled. Either way batches
                of somebody else in the run's jobs are no reason to stop any more, and rows that were never sent are
                sent.
            on_progress: As in `load` or `extract`, whichever the run is of.

        Returns:
            A `LoadReport`, or an `ExtractReport` if the run is an extract.

        Raises:
            NotFound: The org keeps the results of an extract for 7 days, and they are over.
            SourceChanged: The source is no longer the one the run was begun with; nothing was touched.
            JournalBusy: Another process works on this run; nothing was touched.
            JournalMismatch: The run belongs to another org, or died while a source was read that cannot be read again;
                nothing was sent.
            Unsettled: It cannot be known what the org took, or a job of the run holds what it did not send. Nothing
                more is sent; what is certain is in the run's files, the rest in ``in_doubt.csv``, and the error's
                ``report`` counts both.
        """
        from bulkforce import catalog  # see above

        return self._carry_out(
            lambda sitting: catalog.resume(sitting, run, workers=workers, accept_as=accept_as, on_progress=on_progress)
        )

    def extract(
        self,
        soql: str | None = None,
        *,
        to: str | Path,
        object: str | None = None,  # noqa: A002  (the field's own word)
        format: str | None = None,  # noqa: A002  (the user's own word)
        all_rows: bool = False,
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 4,
        run_dir: str | Path | None = None,
        since_file: str | Path | None = None,
        on_progress: Callable[[ExtractProgress], None] | None = None,
    ) -> ExtractReport:
        """Bring every record that a query finds into a file, and prove that all came.

        The records of each batch are counted on disk and compared with what the org told; what stays short is an error.
        The file is whole or not there. A run that dies at any moment is continued by `resume_extract`; what is on disk
        is not fetched twice.

        Args:
            soql: The query.
            to: The file; its name tells the format: ``.csv``, ``.csv.gz``, ``.jsonl``, ``.parquet``, ``.arrow``.
                ``"-"`` is CSV on standard output.
            object: Instead of a query: every field of this object that a bulk query can return.
            format: The format, where the name does not tell.
            all_rows: Deleted and archived records, too.
            pk_chunking: Let the org split the query by record ids: ``"auto"`` for large objects, a chunk size, or a
                `PKChunking`.
            workers: Downloads at once.
            run_dir: The run's folder; by default a new one in ``bulkforce-runs``.
            since_file: Keeps the highest ``SystemModstamp`` seen; next time only records changed since come, with an
                overlap of ten minutes.
            on_progress: Called with an `ExtractProgress` at most ten times a second, in this thread.

        Raises:
            Interrupted: The run stopped before its end and can be resumed.
            BatchFailed: The org refuses the query, or failed too often to answer it.
            TransferError: Rows are missing; the error names the batch and the numbers.

        Example:
            >>> client.extract("SELECT Id, Name FROM Account", to="accounts.parquet").rows  # doctest: +SKIP
            503
        """
        from bulkforce.extract import verb as extract  # see above
        from bulkforce.extract.asking import ExtractOptions

        options = ExtractOptions(
            soql=soql,
            object=object,
            to=to,
            format=format,
            all_rows=all_rows,
            pk_chunking=pk_chunking,
            workers=workers,
            run_dir=run_dir,
            since_file=since_file,
            on_progress=on_progress,
        )
        return self._carry_out(lambda sitting: extract.extract(sitting, options))

    def resume_extract(
        self,
        run: str | Path,
        *,
        workers: int | None = None,
        on_progress: Callable[[ExtractProgress], None] | None = None,
    ) -> ExtractReport:
        """Go on with an extract that stopped or died: `resume` for those who know that it is one.

        One that is finished only tells its report again, and warns if its file is no longer what it left.

        Args:
            run: The run's id, or its folder.
            workers: Downloads at once; by default as many as the run was begun with.
            on_progress: As in `extract`.

        Raises:
            JournalBusy: Another process works on this run; nothing was touched.
            JournalMismatch: The run belongs to another org, or its journal is of a later version of bulkforce.
            NotFound: The org keeps results for 7 days, and they are over.
        """
        from bulkforce.extract import verb as extract  # see above

        return self._carry_out(
            lambda sitting: extract.resume_extract(sitting, run, workers=workers, on_progress=on_progress)
        )

    def query(
        self,
        soql: str,
        *,
        all_rows: bool = False,
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 4,
    ) -> QueryResult:
        """Ask for records as Arrow record batches, or a frame, or dicts; see `QueryResult`.

        Args:
            soql: The query; it is sent when the result is first looked at.
            all_rows: Deleted and archived records, too.
            pk_chunking: As in `extract`.
            workers: Downloads at once; a slow reader makes them wait.

        Raises:
            MissingExtra: pyarrow is not installed.

        Example:
            >>> client.query("SELECT Id, Name FROM Account").to_polars()  # doctest: +SKIP
        """
        from bulkforce.extract import query  # see above

        return query.query(self.driver, soql, all_rows=all_rows, pk_chunking=pk_chunking, workers=workers)

    def create_spec(self, job: JobRef, mapping_csv: str) -> None:
        """Upload a transformation spec to a CSV job: which column of foreign CSV files is which field.

        Args:
            job: The job, before its first batch.
            mapping_csv: CSV with the columns ``Salesforce Field,Csv Header,Value,Hint``, under 8,192 characters.

        Raises:
            UsageError: The spec is too long or empty, or the job is no CSV job.
        """
        self.driver.run(ask(bulk1.create_spec(job, mapping_csv)))
