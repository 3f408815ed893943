"""One emulated org: its parts and what it can do, without HTTP."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bulkforce_emulator.ids import IdSource
from bulkforce_emulator.mishaps import Mishaps
from bulkforce_emulator.schema_files.switches import first_records
from bulkforce_emulator.settings import Limits, Settings
from bulkforce_emulator.state.bulk2.jobs import Bulk2Jobs
from bulkforce_emulator.state.clock import Clock
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.jobs import Jobs
from bulkforce_emulator.state.latecomers import Latecomers
from bulkforce_emulator.state.ledger import Ledger
from bulkforce_emulator.state.lifecycle import Pace
from bulkforce_emulator.state.processing import Processing
from bulkforce_emulator.state.rows.engine import Order, Rows
from bulkforce_emulator.state.sessions import Sessions
from bulkforce_emulator.state.store import Store, quoted
from bulkforce_emulator.state.values import text_of
from bulkforce_emulator.state.workers import Workers
from bulkforce_emulator.uploads import EXPLICIT_NULL, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bulkforce_emulator.schema import Schema, SObject
    from bulkforce_emulator.uploads import Outcomes


#: Prefixes of jobs, batches, results and query locators. These end with the process, and their ids are never reused.
_FORGOTTEN = ("750", "751", "752", "01g")
_IDS_OF_AN_OPENING = 62**5


class Org:
    """An org: the parts that handlers work with.

    Attributes:
        version: The newest API version, as in a path: `66.0`.
        calls: How many API calls there were in the current day.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        settings: Settings | None = None,
        pace: Pace | None = None,
        seed: int = 0,
        database: str = ":memory:",
        session_id: str | None = None,
        now: datetime | None = None,
    ) -> None:
        self.schema = schema
        self.settings = settings or Settings()
        self.clock = Clock(now)
        self.calls, self._day, self._counting = 0, self.clock.now(), threading.Lock()
        self.ids = IdSource(seed)
        self.store = Store(schema, database)
        self.sessions = Sessions(self.clock, self.ids, seed=seed, session_id=session_id)
        self.rows = Rows(schema, self.store, self.ids, self.settings, self.sessions.user_id)
        self.ledger = Ledger()
        self.mishaps = Mishaps()
        self.jobs = Jobs(self.clock, self.ids, self.settings, self.sessions.user_id)
        self.bulk2 = Bulk2Jobs(self)
        self.workers = Workers(Processing(self), pace or Pace.timed())
        self.latecomers = Latecomers(self.clock)
        self._settle_in()

    @property
    def limits(self) -> Limits:
        """The limits that the org enforces."""
        return self.settings.limits

    @property
    def version(self) -> str:
        """The newest API version that the org answers, as `62.0`."""
        return f"{self.settings.newest_version:.1f}"

    def count_call(self) -> int:
        """Count an API call; return how many there were in the current day."""
        with self._counting:
            now = self.clock.now()
            if now - self._day >= timedelta(days=1):
                self._day, self.calls = now, 0
            self.calls += 1
            return self.calls

    def batches_used(self) -> int:
        """How many batches were posted in the last 24 hours."""
        return self.limits.daily_batches - self.jobs.batches_left()

    def abort_job(self, job_id: str) -> None:
        """Abort a job of either API, as an administrator can.

        Raises:
            ApiError: There is no such job, or it cannot be aborted any more.
        """
        job = self.jobs.get(job_id)
        if job.bulk2 is None:
            self.jobs.abort(job)
        else:
            self.bulk2.abort(job)

    def close(self) -> None:
        """Stop the workers, then close the store and the file of bodies."""
        self.workers.stop()
        self.store.close()
        self.jobs.spool.close()

    # Records, outside of any job: seeding, and REST

    def insert(
        self,
        sobject: str,
        records: Sequence[Mapping[str, Any]],
        *,
        sees_all: bool = False,
        allow_duplicates: bool = False,
    ) -> Outcomes:
        """Insert records; the outcomes are in the order of the records.

        Args:
            sobject: The name of their object.
            records: The records.
            sees_all: Whether sharing is ignored.
            allow_duplicates: Whether duplicates are saved where a rule only alerts.

        Raises:
            KeyError: The org has no such object.
            BatchError: The records are refused as a whole.
        """
        return self._carry_out(Operation.INSERT, sobject, records, sees_all=sees_all, allow_duplicates=allow_duplicates)

    def update(self, sobject: str, records: Sequence[Mapping[str, Any]], *, allow_duplicates: bool = False) -> Outcomes:
        """Update records by their `Id`; the outcomes are in the order of the records.

        Raises:
            KeyError: The org has no such object.
            BatchError: The records are refused as a whole.
        """
        return self._carry_out(Operation.UPDATE, sobject, records, allow_duplicates=allow_duplicates)

    def upsert(
        self, sobject: str, records: Sequence[Mapping[str, Any]], external_id: str, *, allow_duplicates: bool = False
    ) -> Outcomes:
        """Update the records that `external_id` finds, insert the others; the outcomes are in the order of the records.

        Raises:
            KeyError: The org has no such object.
            BatchError: The records are refused as a whole.
        """
        return self._carry_out(Operation.UPSERT, sobject, records, external_id, allow_duplicates=allow_duplicates)

    def delete(self, sobject: str, ids: Sequence[str]) -> Outcomes:
        """Delete records by id; the outcomes are in the order of the ids.

        Raises:
            KeyError: The org has no such object.
        """
        return self._carry_out(Operation.DELETE, sobject, [{"Id": record_id} for record_id in ids])

    def _carry_out(
        self,
        operation: Operation,
        name: str,
        records: Sequence[Mapping[str, Any]],
        external_id: str | None = None,
        *,
        sees_all: bool = False,
        allow_duplicates: bool = False,
    ) -> Outcomes:
        """The same checks as in a batch; an absent key leaves a field alone, None sets it to null."""
        sobject = self.sobject(name)
        field = None if external_id is None else sobject.field(external_id)
        headers = dict.fromkeys(header for record in records for header in record)
        columns = {header: pa.array([_text(record, header) for record in records], pa.string()) for header in headers}
        user_id, now = self.sessions.user_id, self.clock.now()
        order = Order(operation, sobject, user_id, now, field, sees_all=sees_all, allow_duplicates=allow_duplicates)
        return self.rows.carry_out(order, Upload(columns, len(records)))

    def carry_out(self, name: str, upload: Upload) -> Outcomes:
        """Insert rows that were read from a file, whatever sharing says."""
        user_id, now = self.sessions.user_id, self.clock.now()
        order = Order(Operation.INSERT, self.sobject(name), user_id, now, sees_all=True)
        return self.rows.carry_out(order, upload)

    def records(self, name: str, *, include_deleted: bool = False) -> list[dict[str, Any]]:
        """All records of an object, in the order of their ids."""
        table = quoted(self.sobject(name).name)
        where = "" if include_deleted else ' WHERE NOT "IsDeleted"'
        found: list[dict[str, Any]] = self.store.query(f'SELECT * FROM {table}{where} ORDER BY "Id"').to_pylist()
        return found

    def count(self, name: str, *, include_deleted: bool = False) -> int:
        """How many records an object has; deleted ones only if `include_deleted`.

        Raises:
            KeyError: The org has no such object.
        """
        return self.store.count(self.sobject(name), include_deleted=include_deleted)

    def sobject(self, name: str) -> SObject:
        """The sObject of that name.

        Raises:
            KeyError: There is none.
        """
        found = self.schema.get(name)
        if found is None:
            raise KeyError(f"no object named {name} in this org")
        return found

    def _settle_in(self) -> None:
        """Make the user and the organization, or reserve the ids that an org kept in a file has used."""
        for prefix in _FORGOTTEN:
            self.ids.skip(prefix, self.store.openings * _IDS_OF_AN_OPENING)
        is_empty = self.count("User") == 0
        if is_empty:
            self._first_records()
        self._describe_itself()
        if is_empty:
            return
        for sobject in self.schema.sobjects.values():
            newest = self.store.query(f'SELECT max("Id") AS id FROM {quoted(sobject.name)}')["id"][0].as_py()
            if newest is not None:
                self.ids.skip_past(sobject.key_prefix, newest)

    def _first_records(self) -> None:
        sessions = self.sessions
        self._enter("User", {
            "Id": sessions.user_id, "Username": sessions.username, "LastName": "Administrator", "FirstName": "Emulated",
            "Email": sessions.username, "Alias": "admin", "IsActive": True, "UserType": "Standard",
            "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        })  # fmt: skip
        self._enter("Organization", {
            "Id": sessions.org_id, "Name": "Emulated Org", "InstanceName": "EMU1", "IsSandbox": False,
            "OrganizationType": "Developer Edition", "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "GMT",
            "LanguageLocaleKey": "en_US", "FiscalYearStartMonth": 1,
        })  # fmt: skip

    def _describe_itself(self) -> None:
        """Make the records that follow from the schema, as far as a file does not have them."""
        for name, record in first_records(self.schema):
            if not self.store.query(f'SELECT 1 FROM {quoted(name)} WHERE "Id" = $1', [record["Id"]]).num_rows:
                self._enter(name, record)

    def _enter(self, name: str, record: dict[str, Any]) -> None:
        """Write a record as it is, unchecked."""
        now = self.clock.now().replace(microsecond=0, tzinfo=None)
        stamps = {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now}
        people = {"CreatedById": self.sessions.user_id, "LastModifiedById": self.sessions.user_id}
        whole = {**record, **stamps, **people, "IsDeleted": False}
        known = {column.name for column in self.sobject(name).columns}
        kept = {key: value for key, value in whole.items() if key in known}
        names = ", ".join(map(quoted, kept))
        marks = ", ".join("?" for _ in kept)
        with self.store.writing() as cursor:
            cursor.execute(f"INSERT INTO {quoted(name)} ({names}) VALUES ({marks})", list(kept.values()))


def _text(record: Mapping[str, Any], header: str) -> str | None:
    if header not in record:
        return None
    value = record[header]
    return EXPLICIT_NULL if value is None or value == "" else text_of(value)
