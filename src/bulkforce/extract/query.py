"""The records of a query as Arrow record batches, available during the download, which waits for a slow reader."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, get_args

from bulkforce import arguments
from bulkforce.apis.abc import ApiName
from bulkforce.display import Display, Shown, Table
from bulkforce.errors import Error, FormatError, MissingExtra, UsageError
from bulkforce.extract import verb as extract
from bulkforce.extract.arrow_types import pyarrow, schema_of, wider
from bulkforce.extract.asking import Chunking
from bulkforce.extract.columns import Column
from bulkforce.extract.record_batches import Misfit, PartReader
from bulkforce.extract.sinks import Sink
from bulkforce.run.manner import Manner
from bulkforce.run.sitting import Sitting, carry_out
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop, in_thread

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Deliverer: TypeAlias = Callable[[Sink, Stop], object]
"""Runs an extract into a sink, until it is asked to stop."""

_ROOM: Final = 4
"""How many record batches may wait for the reader, of about a megabyte each."""


def query(
    driver: Driver, soql: str, manner: Manner, *, all_rows: bool, api: ApiName, pk_chunking: Chunking, workers: int
) -> QueryResult:
    """Make a query that is sent when its result is first used; see `bulkforce.client.Client.query`."""
    arguments.text(soql, "The query")
    arguments.flag(all_rows, "all_rows")
    arguments.one_of(api, get_args(ApiName), "api")
    arguments.count(workers, "The number of workers", 1)

    def deliver(sink: Sink, stop: Stop) -> None:
        def work(sitting: Sitting) -> None:
            extract.deliver(sitting, soql, sink, all_rows=all_rows, api=api, pk_chunking=pk_chunking, workers=workers)

        driver.carry_out(lambda stop: carry_out(driver, stop, manner, "query", work), stop)

    return QueryResult(deliver)


class QueryResult(Shown):
    """The records of a query, as Arrow record batches, a data frame, or dicts.

    The query is sent when the result is first used, and its records can be read only once. Iterating keeps a few
    megabytes in memory, however many records there are; frames hold them all. If any records are missing at the end,
    the last step of the iteration raises.

    Example:
        >>> for batch in client.query("SELECT Id, Name FROM Account"):  # doctest: +SKIP
        ...     print(batch.num_rows)
        >>> client.query("SELECT Id, Name FROM Account").to_polars()  # doctest: +SKIP

    Args:
        deliver: Runs the extract.

    Raises:
        MissingExtra: pyarrow is not installed.
    """

    def __init__(self, deliver: Deliverer) -> None:
        pyarrow("A query's result")
        self._pipe = _Pipe()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._pipe.fill, deliver), name="bulkforce-query", daemon=True
        )
        self._started = self._taken = False

    def __repr__(self) -> str:
        return f"<QueryResult: {self._standing()}>"

    def _standing(self) -> str:
        if not self._started:
            return "closed" if self._taken else "not sent yet"
        return "records are being read, or were read" if self._taken else "sent, no record read yet"

    def _display(self) -> Display:
        """Show the columns as far as they are known; neither send the query nor take a record."""
        schema = self._pipe.known
        columns = [] if schema is None else [(one.name, str(one.type)) for one in schema]
        table = [Table("", ("column", "type"), columns)] if columns else []
        how = "iterate over it, or use to_arrow(), to_polars(), to_pandas(), to_duckdb() or rows()"
        return Display(f"The records of a query ({self._standing()}); {how}", table)

    @property
    def schema(self) -> pa.Schema:
        """The columns' names and types, from describe."""
        self._start()
        return self._pipe.schema

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches()

    def _batches(self) -> Generator[pa.RecordBatch]:
        self._take()
        return self._flow()

    def _take(self) -> None:
        if self._taken:
            raise UsageError("The records of this query were already read; query again, or keep them with to_arrow()")
        self._taken = True
        self._start()

    def _flow(self) -> Generator[pa.RecordBatch]:
        reader = threading.get_ident()
        try:
            while (batch := self._pipe.take()) is not None:
                yield batch
                reader = threading.get_ident()
        finally:
            if threading.get_ident() == reader:
                self.close()
            else:
                # The garbage collector may end it in any thread, also in one that the query waits for.
                self._pipe.leave()

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        self._take()
        try:
            while (batch := await in_thread(self._pipe.take, self._pipe.leave)) is not None:
                yield batch
        finally:
            await in_thread(self.close)

    def close(self) -> None:
        """Stop reading; the job in the org is closed before this returns."""
        self._taken = True
        self._pipe.leave()
        if self._started:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await in_thread(self.close)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the records, batch by batch, to any library that reads Arrow."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self._batches()).__arrow_c_stream__(requested_schema)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Iterate over the records as dicts."""
        for batch in self._batches():
            yield from batch.to_pylist()

    def to_arrow(self) -> pa.Table:
        """Read all records into a pyarrow table."""
        import pyarrow as pa

        batches = list(self._batches())
        return pa.Table.from_batches(batches, self.schema)

    def to_polars(self) -> pl.DataFrame:
        """Read all records into a polars DataFrame.

        Raises:
            MissingExtra: polars is not installed.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise MissingExtra("polars", "A polars DataFrame") from error
        return pl.DataFrame(self.to_arrow())

    def to_pandas(self) -> pd.DataFrame:
        """Read all records into a pandas DataFrame.

        Its columns keep their Arrow types: integers with missing values stay integers.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtra("pandas", "A pandas DataFrame") from error
        return self.to_arrow().to_pandas(types_mapper=pd.ArrowDtype)

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Read all records into a DuckDB relation.

        Args:
            connection: The connection it belongs to; by default DuckDB's default connection.

        Raises:
            MissingExtra: DuckDB is not installed.
        """
        try:
            import duckdb
        except ImportError as error:
            raise MissingExtra("duckdb", "A DuckDB relation") from error
        return (connection or duckdb.default_connection()).from_arrow(self.to_arrow())


class _Pipe:
    """The sink of a query: one thread puts record batches in, another takes them out, and each waits for the other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[pa.RecordBatch] = deque()
        self._schema: pa.Schema | None = None
        self._ended = self._left = False
        self._error: BaseException | None = None
        self._stop = Stop()

    # The reader's side

    @property
    def schema(self) -> pa.Schema:
        with self._changed:
            self._changed.wait_for(lambda: self._schema is not None or self._ended)
            if self._schema is None:
                raise self._error or UsageError("The query was closed before any result arrived")
            return self._schema

    @property
    def known(self) -> pa.Schema | None:
        """The columns, if they are known already."""
        with self._changed:
            return self._schema

    def take(self) -> pa.RecordBatch | None:
        """Take the next batch; return ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended or self._left)
            if self._waiting:
                batch = self._waiting.popleft()
                self._changed.notify_all()
                return batch
            if self._error is not None and not self._left:
                # What the thread was at says nothing to whoever asked.
                raise self._error.with_traceback(None) if isinstance(self._error, Error) else self._error
            return None

    def leave(self) -> None:
        with self._changed:
            self._left = True
            self._waiting.clear()
        self._stop.ask("the rest is not wanted")
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # The other side

    def fill(self, deliver: Deliverer) -> None:
        """Run the extract; an error is raised in the reader's thread."""
        self._stop.then(self._wake)
        try:
            deliver(self, self._stop)
        except BaseException as error:  # noqa: BLE001  (the thread's edge)
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def begin(self, columns: Sequence[Column]) -> None:
        """Set the columns."""
        self._reader = PartReader(schema_of(columns))

    def add(self, part: Path) -> int:
        """Pass on a part's records as there is room for them, and return how many there are."""
        while True:
            records = 0
            try:
                for batch in self._reader.read(part):
                    self._put(batch)
                    records += batch.num_rows
            except Misfit as misfit:
                self._widen(misfit.column)
            else:
                return records

    def _put(self, batch: pa.RecordBatch) -> None:
        with self._changed:
            self._schema = self._reader.schema
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._waiting) < _ROOM or self._stop.asked)
            if stopped_by := self._stop.asked:
                raise stopped_by
            self._waiting.append(batch)
            self._changed.notify_all()

    def _widen(self, place: int) -> None:
        """Give a column a wider type, unless the reader has already seen its type."""
        field = self._reader.schema.field(place)
        wide = wider(field.type)
        if wide is None or self._schema is not None:
            raise FormatError(
                f"The org has values that do not fit the type {field.type} according to describe; an extract to a file "
                "gives the column a wider type",
                column=field.name,
            )
        self._reader = PartReader(self._reader.schema.set(place, field.with_type(wide)))

    def finish(self) -> None:
        """Mark the end: all records are in."""
        with self._changed:
            self._schema = self._reader.schema
            self._changed.notify_all()

    def discard(self) -> None:
        """Do nothing: the record batches belong to the reader."""
