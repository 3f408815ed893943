"""`/sobjects/{X}/updated` and `/deleted`: the ids of the records that changed within a span of time.

Source: REST API developer guide, "Get Updated" and "Get Deleted" (seconds are ignored; at most 30 days back). The words
of refusals are ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.state.store import quoted
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.query import shown
from bulkforce_emulator.wire.resources import Resources, RestError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org

_DAYS = 30


def routes(org: Org) -> list[Route]:
    """The routes of this module."""
    changes = Changes(org)
    return [
        *changes.at("/sobjects/{sobject}/updated", changes.updated, ("GET",)),
        *changes.at("/sobjects/{sobject}/deleted", changes.deleted, ("GET",)),
    ]


class Changes(Resources):
    """What changed."""

    def updated(self, call: Call) -> Response:
        """The ids of records that were made or changed."""
        _, end = span = self._span(call)
        ids = [row["id"] for row in self._rows(call, span, deleted=False)]
        return json_response({"ids": ids, "latestDateCovered": shown(end, "datetime")})

    def deleted(self, call: Call) -> Response:
        """The ids of records that were deleted, and when."""
        _, end = span = self._span(call)
        found = [
            {"id": row["id"], "deletedDate": shown(row["at"], "datetime")}
            for row in self._rows(call, span, deleted=True)
        ]
        earliest = self._minute(self.org.clock.now()) - timedelta(days=_DAYS)
        answer = {"deletedRecords": found, "earliestDateAvailable": shown(earliest, "datetime")}
        return json_response(answer | {"latestDateCovered": shown(end, "datetime")})

    def _rows(self, call: Call, span: tuple[datetime, datetime], *, deleted: bool) -> list[dict[str, Any]]:
        table = quoted(self.sobject(call).name)
        which = '"IsDeleted"' if deleted else 'NOT "IsDeleted"'
        sql = (
            f'SELECT "Id" AS id, "SystemModstamp" AS at FROM {table} '  # noqa: S608 - names of the schema
            f'WHERE {which} AND "SystemModstamp" >= $1 AND "SystemModstamp" < $2 ORDER BY "SystemModstamp", "Id"'
        )
        rows: list[dict[str, Any]] = self.org.store.query(sql, list(span)).to_pylist()
        return rows

    def _span(self, call: Call) -> tuple[datetime, datetime]:
        """From when to when, in UTC and whole minutes, as the store has its times.

        Raises:
            RestError: One end is missing or no date-time, or they are no span of the last 30 days.
        """
        self.sobject(call)
        start, end = (self._moment(call, name) for name in ("start", "end"))
        if start >= end:
            raise RestError(400, "INVALID_REPLICATION_DATE", "The start must be at least one minute before the end.")
        if start < self._minute(self.org.clock.now()) - timedelta(days=_DAYS):
            raise RestError(400, "INVALID_REPLICATION_DATE", f"The start cannot be more than {_DAYS} days ago.")
        return start, end

    def _moment(self, call: Call, name: str) -> datetime:
        given = call.query.get(name, "")
        try:
            # A plus sign that was not quoted arrives as a blank.
            return self._minute(datetime.fromisoformat(given.strip().replace(" ", "+")))
        except ValueError:
            words = f"{name} must be a date-time in ISO 8601: {given}"
            raise RestError(400, "INVALID_REPLICATION_DATE" if given else "MISSING_ARGUMENT", words) from None

    def _minute(self, moment: datetime) -> datetime:
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(second=0, microsecond=0, tzinfo=None)
