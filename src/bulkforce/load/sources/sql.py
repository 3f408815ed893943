"""A query to a database, over SQLAlchemy or ADBC."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from bulkforce import arguments
from bulkforce.errors import Error, MissingExtra, UsageError
from bulkforce.load.sources.cursors import Cursor

T = TypeVar("T")

_ADBC: Final = "adbc+"
_SHOWN_CHARACTERS: Final = 300
# What a database says about values, and not about the query.
_ABOUT_VALUES: Final = ("DataError", "IntegrityError")


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """The records that a query finds in a database.

    Args:
        query: The query, in the database's own SQL; its columns are named as the fields, or mapped.
        database: The database's URL as SQLAlchemy reads it, such as ``postgresql+psycopg://user@host/name`` or
            ``sqlite:///file.db``. With ``adbc+`` before it, the query goes over the ADBC driver of that name:
            ``adbc+postgresql://user@host/name``.

    Example:
        >>> source = SqlQuery("SELECT name AS LastName FROM people", database="sqlite:///people.db")
        >>> client.load(source, "Contact", "insert")  # doctest: +SKIP
    """

    query: str
    database: str

    def __post_init__(self) -> None:
        arguments.text(self.query, "The query")
        if not re.match(r"[A-Za-z][\w+.-]*:", arguments.secret(self.database, "The database's URL")):
            raise UsageError("database must be a URL, such as postgresql://user@host/name or sqlite:///file.db")

    def __repr__(self) -> str:
        # The URL may hold a password.
        return f"SqlQuery({self.query!r}, database={self.scheme + ':...'!r})"

    @property
    def scheme(self) -> str:
        """The kind of database, and the library."""
        return self.database.partition(":")[0]

    @property
    def name(self) -> str:
        """The name of this source for reports."""
        return f"a query to {self.scheme}"

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """Execute the query.

        Raises:
            MissingExtra: The library is not installed.
            UsageError: The database cannot be reached, or refuses the query.
        """
        with self._over_adbc() if self.database.startswith(_ADBC) else self._over_sqlalchemy() as cursor:
            yield cursor

    @contextmanager
    def _over_sqlalchemy(self) -> Iterator[Cursor]:
        try:
            import sqlalchemy
        except ImportError as error:
            raise MissingExtra("sql", "A query to a database") from error
        engine = self._told(lambda: sqlalchemy.create_engine(self.database))
        try:
            with closing(self._told(engine.connect)) as connection:
                # As it stands: a colon or a percent sign in it is no parameter.
                options = {"stream_results": True, "no_parameters": True}
                yield self._told(lambda: connection.exec_driver_sql(self.query, execution_options=options))
        finally:
            engine.dispose()

    @contextmanager
    def _over_adbc(self) -> Iterator[Cursor]:
        url = self.database.removeprefix(_ADBC)
        driver = url.partition(":")[0]
        try:
            library = importlib.import_module(f"adbc_driver_{driver.replace('-', '_')}.dbapi")
        except ImportError as error:
            raise MissingExtra("adbc", f"A query over ADBC, with the driver adbc-driver-{driver},") from error
        # The driver of SQLite takes a path.
        target = url.removeprefix("sqlite:").removeprefix("///") if driver == "sqlite" else url
        with closing(self._told(lambda: library.connect(target))) as connection, closing(connection.cursor()) as cursor:
            self._told(lambda: cursor.execute(self.query))
            yield cursor

    def _told(self, work: Callable[[], T]) -> T:
        """Call the library; any exception from it becomes an error of ours, without the URL's password."""
        try:
            return work()
        except Error:
            raise
        except Exception as error:  # noqa: BLE001  (libraries raise anything)
            text = self._text_of(error)
        raise UsageError(f"The database refuses the query, or cannot be reached: {text}; correct the query or the URL")

    def _text_of(self, error: Exception) -> str:
        inner: Any = getattr(error, "orig", None) or error
        name = type(inner).__name__
        lines = str(inner).strip().splitlines()
        if name in _ABOUT_VALUES or not lines:
            return name
        text = lines[0][:_SHOWN_CHARACTERS]
        for secret in filter(None, (self.database, _password_of(self.database))):
            text = text.replace(secret, "...")
        return f"{name}: {text}"


def _password_of(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
