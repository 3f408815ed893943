"""`/_emulator/`: controls the org over HTTP, for tests that are not written in Python. No session is needed."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.faults import Fault, Faults
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.lifecycle import Pace
from bulkforce_emulator.uploads import RowError
from bulkforce_emulator.wire.spelling import operation_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from bulkforce_emulator.server.app import RequestLog
    from bulkforce_emulator.state.org import Org

    Method = Callable[[Any], object]
    Endpoint = Callable[[Request], Awaitable[Response]]

_PACES: dict[str, Callable[..., Pace]] = {"timed": Pace.timed, "instant": Pace.instant, "manual": Pace.manual}


_LOOKS = ("about", "records", "ledger", "requests")
_CHANGES = ("seed", "pace", "advance", "faults", "mishaps", "clear", "clock", "sessions", "abort", "drop", "release")


class Control:
    """What can be asked of the org apart from its API."""

    def __init__(self, org: Org, faults: Faults, log: RequestLog) -> None:
        self._org = org
        self._faults = faults
        self._log = log

    def index(self, _: object) -> dict[str, str]:
        """What can be asked and done here."""
        return {
            f"{method} /_emulator/{name}": " ".join((getattr(self, name).__doc__ or "").split())
            for method, names in (("GET", _LOOKS), ("POST", _CHANGES))
            for name in names
        }

    def about(self, _: object) -> dict[str, Any]:
        """Ids and credentials of the org."""
        sessions = self._org.sessions
        names = (
            "org_id", "user_id", "username", "password", "security_token", "client_id", "client_secret",
            "refresh_token",
        )  # fmt: skip
        return {name: getattr(sessions, name) for name in names} | {"session_id": sessions.first_token}

    def records(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """All records of `?object=`, deleted ones too with `&include_deleted=true`."""
        return self._org.records(query["object"], include_deleted=query.get("include_deleted") == "true")

    def seed(self, body: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """Insert records: `{"Account": [{"Name": "Acme"}]}`; answers ids and errors."""
        answer = {}
        for name, records in body.items():
            outcomes = self._org.insert(name, records, sees_all=True)
            errors = [None if joined is None else outcomes.error(row) for row, joined in enumerate(outcomes.errors)]
            answer[name] = {
                "ids": outcomes.ids.to_pylist(),
                "errors": [None if error is None else asdict(error) for error in errors],
            }
        return answer

    def pace(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{"kind": "timed", "queue_seconds": 0.1, "batch_seconds": 0, "records_per_second": 5000, "parallel": 5}`.

        Or the kind `instant` or `manual`, without anything else.
        """
        options = dict(body)
        self._org.workers.pace = _PACES[options.pop("kind")](**options)
        return asdict(self._org.workers.pace)

    def advance(self, _: object) -> dict[str, int]:
        """One step of the manual pace: batches in progress end, queued ones start."""
        return {"moved": self._org.workers.advance()}

    def faults(self, body: dict[str, Any] | list[dict[str, Any]]) -> dict[str, int]:
        """`{"kind": "answer lost", "method": "POST", "path": "*/batch", "nth": 1, "times": 1}`, or a list of them."""
        for given in body if isinstance(body, list) else [body]:
            self._faults.add(Fault(**given))
        return {"pending": len(self._faults.pending())}

    def mishaps(self, body: dict[str, Any]) -> dict[str, Any]:
        """A mishap's own members, and `nth`, `times`, `object` for the batches it hits.

        `error` is `{"status_code": ..., "message": ...}`.
        """
        own = {field.name for field in fields(Mishap)}
        described = {name: value for name, value in body.items() if name in own}
        if "error" in described:
            described["error"] = RowError(**described["error"])
        self._org.mishaps.plan(Mishap(**described), **{name: value for name, value in body.items() if name not in own})
        return {}

    def clear(self, _: object) -> dict[str, Any]:
        """Remove all faults and mishaps."""
        self._faults.clear()
        self._org.mishaps.clear()
        return {}

    def clock(self, body: dict[str, Any]) -> dict[str, str]:
        """`{"advance": {"hours": 25}}`, `{"set": "2026-01-01T00:00:00Z"}` or `{"release": true}`."""
        if "advance" in body:
            self._org.clock.advance(**body["advance"])
        if "set" in body:
            self._org.clock.set(datetime.fromisoformat(body["set"]))
        if body.get("release"):
            self._org.clock.release()
        return {"now": self._org.clock.now().isoformat()}

    def sessions(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{"expire": "all"}`, `{"expire": "<token>"}` or `{"open": true}`."""
        sessions = self._org.sessions
        if body.get("expire") == "all":
            sessions.expire_all()
        elif body.get("expire"):
            sessions.expire(body["expire"])
        return {"session_id": sessions.open()} if body.get("open") else {}

    def release(self, _: object) -> dict[str, int]:
        """Let take effect whatever a late commit still holds back."""
        return {"appeared": self._org.latecomers.release()}

    def abort(self, body: dict[str, str]) -> dict[str, Any]:
        """`{"job_id": ...}`: abort a job, as another user could."""
        self._org.abort_job(body["job_id"])
        return {}

    def drop(self, body: dict[str, str]) -> dict[str, Any]:
        """`{"job_id": ...}`: clean a job away, as the org does with old ones."""
        self._org.jobs.remove(self._org.jobs.get(body["job_id"]))
        return {}

    def ledger(self, query: dict[str, Any]) -> dict[str, int] | list[dict[str, Any]]:
        """Every accepted row with its job and batch; with `?counts=true` the number of rows by batch."""
        if query.get("counts"):
            return self._org.ledger.counts()
        rows: list[dict[str, Any]] = self._org.ledger.table().to_pylist()
        return [row | {"operation": operation_name(Operation(row["operation"]))} for row in rows]

    def requests(self, _: object) -> list[dict[str, Any]]:
        """Every call, in the order of the answers; status 0 where the connection was cut."""
        return [asdict(request) for request in self._log.all()]


def routes(org: Org, faults: Faults, log: RequestLog) -> list[Route]:
    """The routes of the control calls: GET to look, POST to change."""
    control = Control(org, faults, log)
    return [
        Route("/_emulator", _look(control.index), methods=["GET"]),
        Route("/_emulator/", _look(control.index), methods=["GET"]),
        *[Route(f"/_emulator/{name}", _look(getattr(control, name)), methods=["GET"]) for name in _LOOKS],
        *[Route(f"/_emulator/{name}", _change(getattr(control, name)), methods=["POST"]) for name in _CHANGES],
    ]


def _look(method: Method) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answer, method, dict(request.query_params))

    return endpoint


def _change(method: Method) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            document = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as problem:
            return _json({"error": str(problem)}, 400)
        return await run_in_threadpool(_answer, method, document)

    return endpoint


def _answer(method: Method, given: object) -> Response:
    try:
        return _json(method(given), 200)
    except (ApiError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        return _json({"error": f"{type(problem).__name__}: {problem}"}, 400)


def _json(document: object, status: int) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(orjson.dumps(document, default=str), status, headers, "application/json")
