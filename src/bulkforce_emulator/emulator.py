"""The public interface: an emulated org with a server, for tests and for the command line."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bulkforce_emulator import data_files
from bulkforce_emulator.faults import Faults
from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.server.app import LoggedRequest, RequestLog, make_app
from bulkforce_emulator.server.server import Server
from bulkforce_emulator.server.strangers import names
from bulkforce_emulator.server.tls import make_certificate
from bulkforce_emulator.settings_files import load_settings
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.lifecycle import Pace
from bulkforce_emulator.state.org import Org
from bulkforce_emulator.uploads import BatchError
from bulkforce_emulator.wire.spelling import operation_name

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from starlette.types import ASGIApp

    from bulkforce_emulator.mishaps import Mishaps
    from bulkforce_emulator.schema import Schema
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.clock import Clock
    from bulkforce_emulator.state.ledger import LedgerRow


class SeedError(ValueError):
    """Records for seeding were refused, as rows of a batch would be."""


class Emulator:
    """An emulated org, served on loopback while the `with` block runs.

        with Emulator() as org:
            client = Client(org.base_url, auth=BearerToken(org.session_id))

    Without `with` it is not served, but `app` can be used in process.
    """

    def __init__(
        self,
        schema: Schema | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_hosts: Sequence[str] = (),
        session_id: str | None = None,
        pace: Pace | None = None,
        seed: int = 0,
        now: datetime | None = None,
        database: str = ":memory:",
        settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        data: str | os.PathLike[str] | None = None,
        describe: str | os.PathLike[str] | None = None,
        tls: bool | tuple[str | os.PathLike[str], str | os.PathLike[str]] = False,
    ) -> None:
        """Make an org.

        Args:
            schema: Objects and fields to add to the standard ones: a TOML or JSON file, or a mapping of the same form.
            host: Where to listen; a loopback address.
            port: 0 takes a free one.
            allow_hosts: Other host names for its page and its control calls, such as that of a service in docker
                compose.
            session_id: The id of the session that is open from the start; made up if not given.
            pace: How fast batches are processed; a few milliseconds each if not given.
            seed: The same seed gives the same ids, names and secrets.
            now: The time at which the clock stands until it is advanced or released (see `clock`); the real time if not
                given.
            database: A DuckDB file to keep the records in, or `:memory:`.
            settings: Limits, and choices where the real server's behaviour is not known: a TOML or JSON file, or a
                mapping of the same form.
            data: A folder of CSV and JSON files, one per object, with records to begin with; see `load_data`.
            describe: A folder of your own org's descriptions, saved by `bulkforce describe --save`: objects to begin
                with instead of the standard ones, to which `schema` adds.
            tls: Serve https, with a certificate made for this org (see `ca_bundle`) or with the files of a certificate
                and its key.

        Raises:
            SchemaError: The schema is invalid.
            SettingsError: The settings are invalid.
            StoreError: The database file cannot be used.
            SeedError: Records in `data` were refused.
            HostError: One of `allow_hosts` is not a host name.
        """
        if session_id == "":
            raise ValueError("a session id cannot be empty")
        self._where = (host, port)
        self._hosts = names((host, *allow_hosts))
        self._own_certificate = tls is True
        self._tls = tls if isinstance(tls, tuple) else None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: Server | None = None
        self._stopped = False
        self._log = RequestLog()
        self.faults = Faults()
        self.state = Org(
            load_schema(schema, describe=describe),
            settings=load_settings(settings),
            pace=pace,
            seed=seed,
            database=database,
            session_id=session_id,
            now=now,
        )
        if data is not None:
            try:
                self.load_data(data)
            except BaseException:
                self.state.close()
                raise

    @classmethod
    def from_describe(
        cls,
        folder: str | os.PathLike[str],
        schema: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        data: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Make an org with the objects of your own, as `bulkforce describe --save FOLDER` saved them.

        Args:
            folder: The folder.
            schema: What to add: fields, and rules, which describe does not tell.
            settings: As for a new org.
            data: As for a new org.

        Raises:
            SchemaError: The folder has no descriptions, or they cannot be read.
        """
        return cls(schema, describe=folder, settings=settings, data=data)

    @cached_property
    def app(self) -> ASGIApp:
        """The server as an ASGI application."""
        return make_app(self.state, self.faults, self._log, self._hosts)

    def start(self) -> Self:
        """Serve, until `stop`."""
        host, port = self._where
        if self._own_certificate and self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="bulkforce-emulator-")
            _, own = make_certificate(Path(self._folder.name), host)
            self._tls = own, own
        self._server = Server(self.app, host=host, port=port, tls=self._tls)
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving, and drop the org. A second call does nothing."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if not self._stopped:
            self._stopped = True
            self.state.close()
            if self._folder is not None:
                self._folder.cleanup()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Address and credentials

    @property
    def port(self) -> int:
        """The port the server listens on.

        Raises:
            RuntimeError: The emulator is not being served.
        """
        if self._server is None:
            raise RuntimeError("this emulator is not being served; use it in a with block")
        return self._server.port

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:<port>`, without a slash at the end; also if it listens on all addresses."""
        host, _ = self._where
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{self.port}"

    @property
    def ca_bundle(self) -> Path | None:
        """The certificate that clients must trust when this org made its own; it goes when the org does."""
        return None if self._folder is None else Path(self._folder.name) / "ca.pem"

    @property
    def session_id(self) -> str:
        """The session that is open from the start."""
        return self.state.sessions.first_token

    @property
    def username(self) -> str:
        """The user name to log in with."""
        return self.state.sessions.username

    @property
    def password(self) -> str:
        """The password to log in with, without a security token."""
        return self.state.sessions.password

    @property
    def security_token(self) -> str:
        """The user's security token, for clients that want one after the password."""
        return self.state.sessions.security_token

    @property
    def client_id(self) -> str:
        """The consumer key of the org's connected app."""
        return self.state.sessions.client_id

    @property
    def client_secret(self) -> str:
        """The consumer secret of the org's connected app."""
        return self.state.sessions.client_secret

    @property
    def refresh_token(self) -> str:
        """A refresh token of the org's user; it stays valid when sessions expire."""
        return self.state.sessions.refresh_token

    def expire_sessions(self) -> None:
        """End every session; refresh tokens stay valid."""
        self.state.sessions.expire_all()

    # Records

    def insert(self, sobject: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert records directly, without a job.

        Returns:
            Their ids.

        Raises:
            SeedError: One of them was refused; the others are inserted.
        """
        outcomes = self.state.insert(sobject, records, sees_all=True)
        for row in range(outcomes.count if outcomes.failed else 0):
            error = outcomes.error(row)
            if error is not None:
                raise SeedError(f"record {row}: {error.status_code}: {error.message}")
        ids: list[str] = outcomes.ids.to_pylist()
        return ids

    def load_data(self, folder: str | os.PathLike[str]) -> dict[str, int]:
        """Insert the records of a folder's CSV and JSON files, without a job.

        A file is named after its object, with a number in front where the order matters: `1-Account.csv`,
        `2-Contact.csv`. Files are read as batches are: a parent may be named by its external id (`Account.Number__c`).

        Returns:
            How many records each file had, by its name.

        Raises:
            SeedError: A file cannot be read, is not named after an object, or has a record that is refused; the others
                are inserted.
            FileNotFoundError: There is no such folder, or it has no such files.
        """
        counts = {}
        try:
            for path, sobject, upload in data_files.uploads(folder, self.state.settings):
                outcomes = self.state.carry_out(sobject, upload)
                for row in range(outcomes.count if outcomes.failed else 0):
                    error = outcomes.error(row)
                    if error is not None:
                        raise SeedError(
                            f"{path}: record {row + 1} of {outcomes.count}: {error.status_code}: {error.message}"
                        )
                counts[path.name] = outcomes.count
        except (BatchError, KeyError) as error:
            raise SeedError(f"{folder}: {error.args[0] if error.args else error}") from error
        return counts

    def records(self, sobject: str, *, include_deleted: bool = False) -> list[dict[str, Any]]:
        """The records of an object as the store keeps them, in the order of their ids."""
        return self.state.records(sobject, include_deleted=include_deleted)

    def count(self, sobject: str, *, include_deleted: bool = False) -> int:
        """How many records an object has; deleted ones only if `include_deleted`.

        Raises:
            KeyError: The org has no such object.
        """
        return self.state.count(sobject, include_deleted=include_deleted)

    # What happened, and what happens next

    def ledger(self) -> list[LedgerRow]:
        """Every row that was accepted in a batch."""
        return [replace(row, operation=operation_name(Operation(row.operation))) for row in self.state.ledger.rows()]

    def ledger_counts(self) -> dict[str, int]:
        """How many rows of each batch were accepted, by batch id."""
        return self.state.ledger.counts()

    @property
    def requests(self) -> list[LoggedRequest]:
        """The requests so far, oldest first, each with the status of its answer."""
        return self._log.all()

    @property
    def mishaps(self) -> Mishaps:
        """What goes wrong inside batches; `faults` is for the wire."""
        return self.state.mishaps

    @property
    def clock(self) -> Clock:
        """The org's clock, which a test may set or move forward."""
        return self.state.clock

    def abort_job(self, job_id: str) -> None:
        """Abort a job, as an administrator can."""
        self.state.abort_job(job_id)

    def drop_job(self, job_id: str) -> None:
        """Clean a job away, as an org does with old ones; what was queued of it still runs.

        Raises:
            ApiError: There is no such job.
        """
        self.state.jobs.remove(self.state.jobs.get(job_id))

    def release(self) -> int:
        """Let take effect whatever a late commit still holds back; return how many there were."""
        return self.state.latecomers.release()

    def advance(self, steps: int = 1) -> int:
        """Take steps of the manual pace: each ends the batches in progress and starts the queued ones."""
        return sum(self.state.workers.advance() for _ in range(steps))

    def set_pace(self, pace: Pace) -> None:
        """Change how fast batches are processed, from now on, including those that are waiting or running."""
        self.state.workers.pace = pace

    def wait_until_idle(self, timeout_seconds: float = 60.0) -> bool:
        """Wait until no batch is queued or running; return whether that happened in time.

        Late batches count once they are due.
        """
        self.state.latecomers.settle()
        return self.state.workers.wait_until_idle(timeout_seconds)
