"""The result files of Bulk API 2.0 as streams: blocks of bytes, rows, or a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Final

from bulkforce import arguments
from bulkforce.conversations2 import Csv
from bulkforce.errors import FormatError, ProtocolError
from bulkforce.formats import csv
from bulkforce.formats.text import decoded
from bulkforce.protocol import wire_csv
from bulkforce.transport.stream import AsyncResultStream, ResultStream

_ROWS: Final = 1_000
"""How many rows an asynchronous reader fetches at once from the thread that parses them."""


class CsvStream(ResultStream):
    """A CSV result file of Bulk API 2.0 that is being downloaded: blocks of bytes, a file, or rows.

    Attributes:
        delimiter: What separates its columns, such as ``,``.
        locator: For a part of a query's records: where the next part begins; ``None`` if this is the last.
        number_of_records: For a part of a query's records: how many records the org says it has, if it says.

    Raises:
        NoAnswer: (while reading) The download broke off before the end of the file.

    Example:
        >>> with client.get_failed_results(job) as failed:  # doctest: +SKIP
        ...     for row in failed.rows():
        ...         print(row["sf__Error"], row["Email"])
    """

    def __init__(self, file: Csv) -> None:
        super().__init__(file.stream)
        self.delimiter = file.delimiter
        self.locator = file.locator
        self.number_of_records = file.number_of_records

    def rows(self) -> Iterator[dict[str, str]]:
        """Read the rows, each by the names of its columns, in constant memory.

        Raises:
            FormatError: A row is malformed; says which, and never shows a value.
            ProtocolError: There are fewer or more rows than the org says; all of them were returned before.
        """
        count, values = 0, self._values()
        names = next(values, [])
        for count, row in enumerate(values, 1):
            if len(row) != len(names):
                raise FormatError(f"A row has {len(row)} values for {len(names)} columns", row=count)
            yield dict(zip(names, row, strict=True))
        if self.number_of_records is not None and count != self.number_of_records:
            raise ProtocolError(f"The org says there are {self.number_of_records:,} records, but sent {count:,}")

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file as it is, and return its size in bytes; it appears complete or not at all."""
        from bulkforce.run.files import whole

        with whole(arguments.path(path, "The file")) as file:
            return sum(file.write(block) for block in self)

    def _values(self) -> Iterator[list[str]]:
        carry, place = b"", 0
        for block in self:
            content = carry + block
            end = csv.end_of_records(content)
            yield from wire_csv.rows(decoded(content[:end], place), self.delimiter)
            carry, place = content[end:], place + end
        yield from wire_csv.rows(decoded(carry, place), self.delimiter)


class AsyncCsvStream(AsyncResultStream):
    """A CSV result file that is being downloaded, for asyncio; see `CsvStream`."""

    def __init__(self, file: Csv) -> None:
        stream = CsvStream(file)
        super().__init__(stream)
        self._csv = stream
        self.delimiter = file.delimiter
        self.locator = file.locator
        self.number_of_records = file.number_of_records

    async def rows(self) -> AsyncIterator[dict[str, str]]:
        """Read the rows, each by the names of its columns, in constant memory."""
        rows = self._csv.rows()
        while group := await self._read(lambda: list(islice(rows, _ROWS))):
            for row in group:
                yield row

    async def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file as it is, and return its size in bytes; it appears complete or not at all."""
        return await self._read(lambda: self._csv.save(path))
