"""The REST API: versions, resources, limits, and the routes of objects, records and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.wire import batch_call, changes, composite, composite_call, query, sobjects, tree
from bulkforce_emulator.wire.calls import Call, json_response, route
from bulkforce_emulator.wire.identity import identity_url
from bulkforce_emulator.wire.resources import (
    METHODS,
    NOT_ALLOWED,
    Resources,
    RestError,
    data_path,
    not_found,
    refuse_method,
)

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org

_SEASONS = ("Spring", "Summer", "Winter")
_SPRING_25 = 63
_RESOURCES = ("composite", "jobs", "limits", "query", "queryAll", "sobjects", "tooling")


def routes(org: Org) -> list[Route]:
    """All routes below `/services/data`."""
    rest = _Rest(org)
    listed = [
        route("/services/data", rest.versions, ("GET",)),
        route("/services/data/", rest.versions, ("GET",)),
        *(route(f"/services/data{end}", _no_method, METHODS[1:], name=NOT_ALLOWED) for end in ("", "/")),
        *rest.at("", rest.resources, ("GET",)),
        *rest.at("/limits", rest.limits, ("GET",)),
        *query.routes(org),
        *composite.routes(org),
        *tree.routes(org),
        *changes.routes(org),
        *sobjects.routes(org),
    ]
    together = [*batch_call.routes(org, listed), *composite_call.routes(org, listed)]
    return [*together, *listed, *rest.at("/{rest:path}", rest.unknown, METHODS)]


def _no_method(call: Call) -> Response:
    try:
        return refuse_method(("GET",), call)
    except RestError as refused:
        return json_response([refused.document], refused.status)


def nowhere(path: str) -> Route:
    """The route of every path that there is not: refused in the words of REST."""

    def refused(_: Call) -> Response:
        return json_response([not_found().document], 404)

    return route(path, refused, (*METHODS, "HEAD"))


class _Rest(Resources):
    def versions(self, _: Call) -> Response:
        """The versions that the org serves; no session is needed."""
        settings = self.org.settings
        numbers = range(int(settings.oldest_version), int(settings.newest_version) + 1)
        return json_response(
            [
                {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
                for number in numbers
            ]
        )

    def unknown(self, _: Call) -> Response:
        """Every other path."""
        raise not_found()

    def resources(self, call: Call) -> Response:
        """The resources of a version."""
        path = data_path(call)
        listed = {name: f"{path}/{name}" for name in _RESOURCES}
        return json_response(listed | {"identity": identity_url(self.org, call.base_url)})

    def limits(self, _: Call) -> Response:
        """The limits that clients look at, and what is left of them."""
        limits = self.org.limits
        batches = _allowance(limits.daily_batches, self.org.batches_used())
        answer: dict[str, Any] = {
            "DailyApiRequests": _allowance(limits.daily_api_requests, self.org.calls),
            "DailyBulkApiBatches": batches,
            # Its former name, which a released client still reads.
            "DailyBulkApiRequests": batches,
            "DailyBulkV2QueryFileStorageMB": _allowance(
                limits.daily_result_kilobytes // 1024, self.org.bulk2.kilobytes_used() // 1024
            ),
            "DailyBulkV2QueryJobs": _allowance(limits.daily_query_jobs, self.org.bulk2.queries_used()),
            "ConcurrentAsyncGetReportInstances": _allowance(200),
            "DataStorageMB": _allowance(1024),
            "FileStorageMB": _allowance(1024),
            "HourlyAsyncReportRuns": _allowance(1200),
            "MassEmail": _allowance(5000),
            "SingleEmail": _allowance(5000),
        }
        return json_response(answer)


def _allowance(most: int, used: int = 0) -> dict[str, int]:
    return {"Max": most, "Remaining": max(most - used, 0)}


def _label(number: int) -> str:
    """`Spring '25` is 63; there are three releases a year, and winter's has the next year's number."""
    years, season = divmod(number - _SPRING_25, 3)
    return f"{_SEASONS[season]} '{25 + years + (season == 2)}"
