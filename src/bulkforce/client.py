"""`Client`: every call of the API as one method.

A thin layer: `protocol` and `conversations` hold the requests and how their answers are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from bulkforce.calls1 import Calls1
from bulkforce.calls2 import Calls2
from bulkforce.later import later
from bulkforce.protocol import limits
from bulkforce.protocol.flow import Auth
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.run.manner import Manner
from bulkforce.transport.base import LARGEST_ANSWER_BYTES, TLS, Timeouts, Transport
from bulkforce.transport.drive import make_driver
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import ConcurrencyMode, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce.events import OnEvent
    from bulkforce.extract.query import QueryResult
    from bulkforce.extract.report import ExtractProgress, ExtractReport
    from bulkforce.load.checking import CheckReport
    from bulkforce.load.first_map import FirstMap
    from bulkforce.load.mapping import ColumnMap
    from bulkforce.load.report import LoadReport, Progress
    from bulkforce.load.sources import Source
    from bulkforce.objects.texts import TextNotation
    from bulkforce.protocol import rest
    from bulkforce.protocol.pk_chunking import PKChunking
    from bulkforce.run.sitting import Sitting
else:
    rest = later("bulkforce.protocol.rest")

T = TypeVar("T")


class Client(Calls1, Calls2):
    """A client for one Salesforce org; safe to use from many threads.

    Args:
        instance_url: The org's own host, such as ``https://acme.my.salesforce.com``; a page's address is put right.
            Optional where the login returns it.
        auth: How to log in: `RefreshToken`, `BearerToken`, `ClientCredentials`, `JWTBearer`, `UsernamePassword`.
        version: API version in the path.
        tls: Certificate authorities and client certificate.
        proxy: URL of an HTTP proxy, with user and password if it needs them; by default that of ``HTTPS_PROXY``, except
            for hosts in ``NO_PROXY``.
        timeouts: Limits on every wait for the network.
        retry: How often and how long to retry what can safely be repeated.
        gzip_requests: Compress batches with gzip; worth it on links slower than about 100 MB/s.
        largest_answer_bytes: The most bytes, after decompression, to read of an answer that is held in memory; a larger
            one is an error. Query result files are streamed to disk and may be of any size.
        allow_http: Accept plain ``http`` to other machines, which sends session and records in the clear: for an
            emulator in a network of its own, such as that of docker compose.
        transport: Sends requests instead of HTTP; for tests.

    Raises:
        UsageError: An argument is invalid: the URL is not https (loopback excepted), a TLS file cannot be read, the
            proxy URL is malformed, and so on.

    Every method may raise `RefusedError` (the org said no), `NotSent`, `NoAnswer` or `OutcomeUnknown` (no usable
    answer), and `ProtocolError` (the answer makes no sense, or did not come from the org: `Intercepted`). An expired
    session is renewed once and the call repeated.

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
        allow_http: bool = False,
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
            allow_http=allow_http,
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
        """Close all connections; nothing is sent afterwards.

        Loads, extracts and queries running in other threads are asked to stop, as by Ctrl-C, and waited for. They can
        be resumed.
        """
        self.driver.close()

    def _carry_out(self, verb: str, work: Callable[[Sitting], T], manner: Manner | None = None) -> T:
        from bulkforce.run.sitting import carry_out  # only long-running work needs the engine and SQLite

        return self._do(lambda stop: carry_out(self.driver, stop, manner, verb, work))

    def _do(self, work: Callable[[Stop], T]) -> T:
        return self.driver.carry_out(work)

    def load(
        self,
        source: Source,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        api: Literal["bulk1", "bulk2"] = "bulk1",
        external_id: str | None = None,
        mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        assignment_rule_id: str | None = None,
        line_ending: LineEnding | str | None = None,
        disable_batch_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
        files_folder: str | Path | None = None,
        workers: int = 4,
        batch_records: int | None = None,
        run_dir: str | Path | None = None,
        new_run: bool = False,
        empty_as_null: bool = False,
        check: bool = True,
        on_unknown_column: Literal["refuse", "drop"] = "refuse",
        values: Literal["warn", "refuse", "skip"] = "warn",
        notation: TextNotation | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        quote: str | None = None,
        sheet: str | int | None = None,
        columns: Sequence[str] | None = None,
        excel: bool = False,
        dry_run: bool = False,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> LoadReport:
        """Load any number of records into an object, each exactly once, and account for every one.

        The whole source is read once before anything is sent: rows that exceed a limit of the org are rejected, and a
        malformed file is an error. Then batches are sent and watched, and their results fetched, side by side. If the
        run dies at any moment, `resume` continues it.

        Args:
            source: Path of a file (CSV, JSON, JSON lines, XML, Parquet, Arrow; also ``.gz`` and ``.zst``), ``"-"`` for
                CSV on standard input, an open binary CSV file, an iterable of mappings or of Arrow record batches, or a
                data frame (anything with ``__arrow_c_stream__``).
            object: API name of the object.
            operation: ``insert``, ``update``, ``upsert``, ``delete`` or ``hardDelete``.
            api: ``"bulk2"`` loads over Bulk API 2.0: each batch is a job of its own, and results are tied to rows by
                what the org echoes. It has no serial mode and no files; see ``docs/exactly-once.md``.
            external_id: For an upsert: the field to match existing records by.
            mapping: A dict of columns to fields (``None`` drops the column), or the path of a TOML or ``.sdl`` file.
            concurrency_mode: ``Parallel`` or ``Serial``.
            assignment_rule_id: Assignment rule for cases or leads.
            line_ending: ``CRLF`` keeps line ends of Windows inside values; otherwise they become LF. With
                ``api="bulk2"``, all line ends are written as this says.
            disable_batch_retry: Ask the org not to retry a batch that takes too long.
            headers: Further headers of the API for creating jobs, as in `create_job`.
            files_folder: The folder of the files that records name in binary fields (``Attachment.Body``,
                ``ContentVersion.VersionData``, ...); by default the source's own, or the working directory. A value
                there is ``#`` and a path in this folder, or bytes; batches are then zips.
            workers: Concurrent uploads and downloads; the org decides how many batches it runs at once.
            batch_records: Maximum number of records in a batch: 1 to 10,000, by default 10,000. With ``api="bulk2"``,
                in a job: 1 to 1,000,000 (and 100 MB), by default 50,000 (and 10 MB).
            run_dir: The run's folder; by default a new one in ``bulkforce-runs``. ``success.csv``, ``failed.csv``,
                ``unprocessed.csv``, ``rejected.csv`` and ``report.json`` go there.
            new_run: Begin a run of its own although an earlier one of the same file, object and operation, in the same
                place, is not finished. Otherwise such a load is refused, since both together would write rows twice.
            empty_as_null: An empty value sets null. Otherwise it leaves the field as it is, and only ``#N/A`` and
                ``None`` set null.
            check: Ask the org which fields the object has, and check columns and values against them before anything is
                sent; see `check`.
            on_unknown_column: ``"refuse"`` stops a load that has columns which cannot be sent, ``"drop"`` leaves them
                out.
            values: What to do about values that the org would refuse: ``"warn"`` and load (their rows come back as
                failed), ``"refuse"`` to load, or ``"skip"`` checking values.
            notation: In what notation texts are, where it is not the org's: dates as ``31.12.2026``, numbers as
                ``1.234,50``, the zone of date-times without one. A map can give one for a column.
            delimiter: The character between the columns of a text file, or its name: ``comma``, ``semicolon``, ``tab``,
                ``pipe`` or ``caret``. By default the header tells; a guess is a warning.
            encoding: The encoding of a text file, as Python names it, such as ``windows-1252`` or ``shift-jis``. By
                default UTF-8, or UTF-16 if the file has its byte order mark.
            quote: The character around values of a text file instead of ``"``; ``none`` if there is none.
            sheet: The sheet of an Excel workbook: its name, or its number from 1. By default the first.
            columns: The names of the columns, if the records are lists or tuples.
            excel: Write outputs that Excel opens well: with a byte order mark, and with an apostrophe before values
                that it would run as formulas: those that begin with ``=``, ``+``, ``-`` or ``@`` and are no number.
                The column ``sf__Escaped`` says in which rows; loading such a file takes the apostrophes off again.
            dry_run: Only read, check and plan; nothing is created.
            poll: Seconds between two looks at a job, each of them an API call, 0.1 to 3,600; by default they grow from
                0.2 to 10.
            max_api_calls: Stop, resumably, before this call makes more API calls than this; logins count.
            on_event: Called with each `bulkforce.events.Event` (a job was opened, a batch was sent, rows failed, ...),
                in order, in this thread, never after the call has returned. What it raises stops the run, and is
                raised here once the run has stopped, with a note that says how to go on.
            progress: Show a bar: ``True``, ``False``, or by default in a notebook and at Python's prompt, unless
                ``on_progress`` is given. On a terminal it goes to standard error.
            on_progress: Called with a `Progress` at most ten times a second, in this thread; exceptions as in
                ``on_event``.

        Returns:
            The report, in which ``read = succeeded + failed + unprocessed + rejected``; over Bulk API 2.0, ``in_doubt``
            counts as well: rows to which no result belongs for certain.

        Raises:
            Interrupted: The run stopped early (Ctrl-C, the org unreachable, the job aborted, a full disk) and can be
                resumed.
            Unsettled: The run cannot go on without your decision; see `resume`.
            DoesNotFit: Columns do not fit the object; the error says which, and what to do. Nothing was sent.
            FormatError: The source cannot be read; nothing was sent.
            LimitReached: The org does not accept that many batches today; nothing was sent.
            UsageError: An earlier run of the same file is not finished; see ``new_run``. Nothing was sent.
            TransferError: The counts do not add up; the error names the batches.
            Exception: What your own iterable raises while the load reads it, unchanged; nothing was sent.

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
            api=api,
            external_id=external_id,
            mapping=mapping,
            concurrency_mode=concurrency_mode,
            assignment_rule_id=assignment_rule_id,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry,
            headers=headers,
            files_folder=files_folder,
            workers=workers,
            batch_records=batch_records,
            run_dir=run_dir,
            new_run=new_run,
            empty_as_null=empty_as_null,
            check=check,
            on_unknown_column=on_unknown_column,
            values=values,
            notation=notation,
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
            columns=columns,
            excel=excel,
            dry_run=dry_run,
            on_progress=on_progress,
        )
        return self._carry_out(
            "load",
            lambda sitting: load.load(sitting, options),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def check(
        self,
        source: Source,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str,
        *,
        api: Literal["bulk1", "bulk2"] = "bulk1",
        external_id: str | None = None,
        mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None,
        line_ending: LineEnding | str | None = None,
        files_folder: str | Path | None = None,
        empty_as_null: bool = False,
        on_unknown_column: Literal["refuse", "drop"] = "refuse",
        values: Literal["warn", "refuse", "skip"] = "warn",
        notation: TextNotation | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        quote: str | None = None,
        sheet: str | int | None = None,
        columns: Sequence[str] | None = None,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> CheckReport:
        """Check whether a source fits an object, without sending anything.

        Asks the org which fields the object has, then reads the whole source and looks for columns that are unknown or
        read-only, missing keys and required fields, and values that the org would refuse or change. Reports everything
        at once, each finding with a remedy.

        Args:
            source: As in `load`.
            object: As in `load`.
            operation: As in `load`.
            api: As in `load`.
            external_id: As in `load`.
            mapping: As in `load`.
            line_ending: As in `load`.
            files_folder: As in `load`.
            empty_as_null: As in `load`.
            on_unknown_column: As in `load`.
            values: ``"skip"`` checks columns only.
            notation: As in `load`.
            delimiter: As in `load`.
            encoding: As in `load`.
            quote: As in `load`.
            sheet: As in `load`.
            columns: As in `load`.
            progress: As in `load`.
            on_progress: As in `load`.

        Raises:
            FormatError: The source cannot be read.

        Example:
            >>> report = client.check("contacts.csv", "Contact", "upsert", external_id="Email__c")  # doctest: +SKIP
            >>> report.fits  # doctest: +SKIP
            False
            >>> print(report.columns[0].text, report.columns[0].remedy)  # doctest: +SKIP
            'Last Name' is the label of LastName, and a load needs the name. Call the column LastName, or map it \
(suggest_map writes a first map).
        """
        from bulkforce.load import check as checks  # see above
        from bulkforce.load.asking import LoadOptions

        options = LoadOptions(
            source=source,
            object=object,
            operation=operation,
            api=api,
            external_id=external_id,
            mapping=mapping,
            line_ending=line_ending,
            files_folder=files_folder,
            empty_as_null=empty_as_null,
            on_unknown_column=on_unknown_column,
            values=values,
            notation=notation,
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
            columns=columns,
            on_progress=on_progress,
        )
        return self._carry_out("check", lambda sitting: checks.check(sitting, options), Manner(progress=progress))

    def suggest_map(
        self,
        source: Source,
        object: str,  # noqa: A002  (the field's own word)
        operation: Operation | str = Operation.INSERT,
        *,
        external_id: str | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        quote: str | None = None,
        sheet: str | int | None = None,
        columns: Sequence[str] | None = None,
    ) -> FirstMap:
        """Match the columns of a source with the fields of an object: a first map, to be edited. Sends nothing.

        A column matches by a field's name in any letter case, by its label, or by a parent's field as any tool spells
        it. Columns that match nothing, or that cannot be written, come with suggestions and reasons.

        Args:
            source: As in `load`; an iterable is used up.
            object: As in `load`.
            operation: As in `load`.
            external_id: As in `load`.
            delimiter: As in `load`.
            encoding: As in `load`.
            quote: As in `load`.
            sheet: As in `load`.
            columns: As in `load`.

        Raises:
            DoesNotFit: The org has no such object.
            FormatError: The source cannot be read.
            UsageError: The org does not say which fields the object has.

        Example:
            >>> first = client.suggest_map("contacts.csv", "Contact")  # doctest: +SKIP
            >>> first.columns  # doctest: +SKIP
            {'Last Name': 'LastName', 'email': 'Email'}
            >>> Path("contacts.toml").write_text(first.to_toml())  # doctest: +SKIP
        """
        from bulkforce.load import first_map  # see above
        from bulkforce.load.asking import LoadOptions

        options = LoadOptions(
            source=source,
            object=object,
            operation=operation,
            external_id=external_id,
            delimiter=delimiter,
            encoding=encoding,
            quote=quote,
            sheet=sheet,
            columns=columns,
        )
        return self._carry_out("suggest_map", lambda sitting: first_map.first_map(sitting, options))

    def resume(
        self,
        run: str | Path,
        *,
        workers: int | None = None,
        accept_as: Literal["sent", "not-sent"] | None = None,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | Callable[[ExtractProgress], None] | None = None,
    ) -> LoadReport | ExtractReport:
        """Continue a load or an extract that stopped or died; nothing is loaded or extracted twice.

        If the run is already finished, only returns its report again, and warns if its files have changed since.

        Args:
            run: The run's id, or its folder.
            workers: Concurrent uploads and downloads; by default as many as the run started with.
            accept_as: For a load that ended with `Unsettled`: how to treat the rows in doubt. ``"sent"``: they count as
                sent and stay in ``in_doubt.csv``; any that the org did not accept are lost. ``"not-sent"``: they are
                sent again; any that the org did accept are duplicated. Either way, batches in the run's jobs that the
                run did not send no longer stop it, and rows that were never sent are sent.
            poll: As in `load`.
            max_api_calls: As in `load`.
            on_event: As in `load`.
            progress: As in `load`.
            on_progress: As in `load` or `extract`, depending on the run.

        Returns:
            A `LoadReport`, or an `ExtractReport` if the run is an extract.

        Raises:
            NotFound: The org keeps the results of an extract for 7 days, and no longer has them.
            SourceChanged: The source has changed since the run started; nothing was touched.
            JournalBusy: Another process is working on this run; nothing was touched.
            JournalMismatch: The run belongs to another org, or died while reading a source that cannot be read again;
                nothing was sent.
            Unsettled: It is impossible to know what the org accepted, or a job of the run holds a batch that the run
                did not send. Nothing more is sent; the rows whose fate is certain are in the run's files, the others in
                ``in_doubt.csv``, and the error's ``report`` counts both.
        """
        from bulkforce import catalog  # see above

        return self._carry_out(
            "resume",
            lambda sitting: catalog.resume(sitting, run, workers=workers, accept_as=accept_as, on_progress=on_progress),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def retry(
        self,
        run: str | Path,
        *,
        accept_as: Literal["sent", "not-sent"] | None = None,
        workers: int | None = None,
        run_dir: str | Path | None = None,
        dry_run: bool = False,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> LoadReport:
        """Load the rows again that failed or were not processed in a finished load: those rows, and never another.

        They go as they went the first time: same object, operation, options and values. A retry is a run of its own,
        with its own files and report. A run is retried once: if its retry stopped or died, this goes on with it; if it
        has finished, retry that one.

        Rows that exceed a limit of the org (``rejected.csv``) were never sent and are not sent now. Rows that the org
        refuses for what is in them will fail again: correct them in ``failed.csv`` and `load` that file instead.

        Args:
            run: The run's id, or its folder.
            accept_as: What to do about rows in ``in_doubt.csv``: ``"not-sent"`` sends them, too, which duplicates those
                that the org has. Otherwise they are left out.
            workers: As in `load`; by default as many as that run had.
            run_dir: As in `load`.
            dry_run: Only count; nothing is sent.
            poll: As in `load`.
            max_api_calls: As in `load`.
            on_event: As in `load`.
            progress: As in `load`.
            on_progress: As in `load`.

        Returns:
            The report of the new run, whose ``retry_of`` is the id of the other.

        Raises:
            UsageError: The run is not finished, has nothing to retry, or was retried already.
            SourceChanged: A file with those rows was changed or removed since; nothing was sent.
            JournalMismatch: The run belongs to another org, or the folder of its retry is gone; nothing was sent.
            Error: And what `load` raises while it sends.

        Example:
            >>> report = client.load("contacts.csv", "Contact", "insert")  # doctest: +SKIP
            >>> if report.failed:  # doctest: +SKIP
            ...     report = client.retry(report.run_dir)
        """
        from bulkforce.load import following  # see above

        options = following.FollowOptions(
            accept_as=accept_as, workers=workers, run_dir=run_dir, dry_run=dry_run, on_progress=on_progress
        )
        return self._carry_out(
            "retry",
            lambda sitting: following.retry(sitting, run, options),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def undo(
        self,
        run: str | Path,
        *,
        workers: int | None = None,
        run_dir: str | Path | None = None,
        dry_run: bool = False,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> LoadReport:
        """Delete the records that a finished insert or upsert created, by the ids that the org gave them.

        An undo is a run of its own, with its own files and report, and is resumed like any other. A run is undone once:
        if its undo stopped or died, this goes on with it. Records that an upsert found and updated stay as they are,
        which a warning counts: the org does not keep what was there before. Nor can an update or a delete be undone.

        The deleted records are in the recycle bin. What the org did on its own account when they were created, such as
        mails that were sent or records that a trigger made, is not taken back.

        Args:
            run: The run's id, or its folder.
            workers: As in `load`; by default as many as that run had.
            run_dir: As in `load`.
            dry_run: Only count; nothing is deleted.
            poll: As in `load`.
            max_api_calls: As in `load`.
            on_event: As in `load`.
            progress: As in `load`.
            on_progress: As in `load`.

        Returns:
            The report of the new run, whose ``undo_of`` is the id of the other.

        Raises:
            UsageError: The run is not finished, created nothing, or was undone already.
            SourceChanged: A file with those ids was changed or removed since; nothing was sent.
            JournalMismatch: The run belongs to another org, or the folder of its undo is gone; nothing was sent.
            Error: And what `load` raises while it sends.

        Example:
            >>> client.undo(report.run_dir, dry_run=True).read  # doctest: +SKIP
            503
            >>> client.undo(report.run_dir).succeeded  # doctest: +SKIP
            503
        """
        from bulkforce.load import following  # see above

        options = following.FollowOptions(workers=workers, run_dir=run_dir, dry_run=dry_run, on_progress=on_progress)
        return self._carry_out(
            "undo",
            lambda sitting: following.undo(sitting, run, options),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def extract(
        self,
        soql: str | None = None,
        *,
        to: str | Path,
        object: str | None = None,  # noqa: A002  (the field's own word)
        format: str | None = None,  # noqa: A002  (the user's own word)
        numbers: Literal["plain", "org"] = "plain",
        all_rows: bool = False,
        api: Literal["bulk1", "bulk2"] = "bulk1",
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 5,
        run_dir: str | Path | None = None,
        since_file: str | Path | None = None,
        append: bool = False,
        overwrite: bool = False,
        repeats: Literal["keep", "drop"] = "keep",
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[ExtractProgress], None] | None = None,
    ) -> ExtractReport:
        """Extract every record that a query finds into a file, and prove that none is missing.

        Counts the records of each batch on disk and compares them with the org's own count; a batch that stays short is
        an error. The file appears complete or not at all. If the run dies at any moment, `resume_extract` continues it
        without fetching again what is already on disk.

        Args:
            soql: The query.
            to: The file; its suffix sets the format: ``.csv``, ``.csv.gz``, ``.jsonl``, ``.parquet``, ``.arrow``. One
                that exists is replaced once all records are there. ``"-"`` is CSV on standard output.
            object: Instead of a query: every field of this object that a bulk query can return.
            format: The format, if the suffix does not say.
            numbers: In CSV and JSON lines: ``"plain"`` writes the numbers of number fields as plain decimals,
                ``"org"`` leaves them as the org wrote them, such as ``1.6147805824397E13``.
            all_rows: Include deleted and archived records.
            api: ``"bulk1"`` for Bulk API v1, ``"bulk2"`` for Bulk API 2.0: one job for the whole query, whose results
                come in pages; each page is counted, too.
            pk_chunking: Let the org split the query by record id: ``"auto"`` for large objects, a chunk size, or a
                `PKChunking`. In Bulk API 2.0, the org itself splits queries, and it cannot be asked for.
            workers: Concurrent downloads.
            run_dir: The run's folder; by default a new one in ``bulkforce-runs``.
            since_file: Stores the highest ``SystemModstamp`` seen; the next extract fetches only records changed since,
                with an overlap of ten minutes. Such a delta replaces no file that exists, unless ``overwrite`` says so.
            append: Append to the file: to CSV and JSON lines (both also ``.gz``). For Parquet and Arrow, ``to`` is a
                folder, which gets a new file named by date and time.
            overwrite: Let a delta replace a file that exists.
            repeats: With ``since_file``: ``"drop"`` leaves out records that came within the ten minutes of the last
                time, by id, if they have not changed since; ``"keep"`` counts them (`ExtractReport.repeated`).
            poll: As in `load`.
            max_api_calls: As in `load`.
            on_event: As in `load`.
            progress: As in `load`.
            on_progress: Called with an `ExtractProgress` at most ten times a second, in this thread.

        Raises:
            UsageError: A delta would replace a file, or an argument is wrong. Nothing was sent.
            Interrupted: The run stopped early and can be resumed.
            BatchFailed: The org refuses the query, or failed too often to answer it.
            TransferError: Records are missing; the error names the batch and the numbers.

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
            numbers=numbers,
            all_rows=all_rows,
            api=api,
            pk_chunking=pk_chunking,
            workers=workers,
            run_dir=run_dir,
            since_file=since_file,
            append=append,
            overwrite=overwrite,
            repeats=repeats,
            on_progress=on_progress,
        )
        return self._carry_out(
            "extract",
            lambda sitting: extract.extract(sitting, options),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def resume_extract(
        self,
        run: str | Path,
        *,
        workers: int | None = None,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
        on_progress: Callable[[ExtractProgress], None] | None = None,
    ) -> ExtractReport:
        """Continue an extract that stopped or died: `resume`, for a run that you know to be an extract.

        If the run is already finished, only returns its report again, and warns if its file has changed since.

        Args:
            run: The run's id, or its folder.
            workers: Concurrent downloads; by default as many as the run started with.
            poll: As in `load`.
            max_api_calls: As in `load`.
            on_event: As in `load`.
            progress: As in `load`.
            on_progress: As in `extract`.

        Raises:
            JournalBusy: Another process is working on this run; nothing was touched.
            JournalMismatch: The run belongs to another org, or a later version of bulkforce wrote its journal.
            NotFound: The org keeps results for 7 days, and no longer has them.
        """
        from bulkforce.extract import verb as extract  # see above

        return self._carry_out(
            "resume",
            lambda sitting: extract.resume_extract(sitting, run, workers=workers, on_progress=on_progress),
            Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress),
        )

    def query(
        self,
        soql: str,
        *,
        all_rows: bool = False,
        api: Literal["bulk1", "bulk2"] = "bulk1",
        pk_chunking: Literal["auto"] | bool | int | PKChunking = "auto",
        workers: int = 5,
        poll: float | None = None,
        max_api_calls: int | None = None,
        on_event: OnEvent | None = None,
        progress: bool | None = None,
    ) -> QueryResult:
        """Query records as Arrow record batches, a data frame or dicts; see `QueryResult`.

        Args:
            soql: The query; sent when you first use the result.
            all_rows: Include deleted and archived records.
            api: As in `extract`.
            pk_chunking: As in `extract`.
            workers: Concurrent downloads; they wait for a slow reader.
            poll: As in `load`.
            max_api_calls: Stop before this query makes more API calls than this.
            on_event: As in `load`, but in a thread of its own; what it raises, the reader of the result gets.
            progress: As in `load`.

        Raises:
            MissingExtra: pyarrow is not installed.

        Example:
            >>> client.query("SELECT Id, Name FROM Account").to_polars()  # doctest: +SKIP
        """
        from bulkforce.extract import query  # see above

        manner = Manner(poll=poll, max_api_calls=max_api_calls, on_event=on_event, progress=progress)
        return query.query(
            self.driver, soql, manner, all_rows=all_rows, api=api, pk_chunking=pk_chunking, workers=workers
        )

    def count(self, soql: str, *, all_rows: bool = False) -> int:
        """Count the records that a query finds, over REST: one call, and no record is fetched.

        Args:
            soql: The query, as for `query` or with ``COUNT()``; or the name of an object.
            all_rows: Include deleted and archived records.

        Raises:
            UsageError: The query groups or aggregates.

        Example:
            >>> client.count("SELECT Id FROM Account WHERE Industry = 'Energy'")  # doctest: +SKIP
            21
        """
        return self.driver.run(rest.count_found(soql, all_rows=all_rows))
