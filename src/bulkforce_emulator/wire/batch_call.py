"""`POST /composite/batch`: several calls in one, each answered as if it had come alone.

Source: REST API developer guide, "Batch" (at most 25 calls; `haltOnError` and its error code).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson

from bulkforce_emulator.wire.calls import Call, answered, json_response
from bulkforce_emulator.wire.resources import Resources, RestError, document_of, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org

_MOST = 25
_HALTED = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request."}]


def routes(org: Org, others: Sequence[Route]) -> list[Route]:
    """The routes of this module; what is called together are the other routes."""
    batch = BatchCall(org, others)
    return batch.at("/composite/batch", batch.all, ("POST",))


class BatchCall(Resources):
    """Calls in one."""

    def __init__(self, org: Org, others: Sequence[Route]) -> None:
        super().__init__(org)
        self._others = others

    def all(self, call: Call) -> Response:
        """Answer one after the other."""
        document = document_of(call)
        given = document.get("batchRequests")
        if not isinstance(given, list) or not all(isinstance(one, dict) and "url" in one for one in given):
            raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected a list of batchRequests")
        if len(given) > _MOST:
            raise RestError(400, "LIMIT_EXCEEDED", f"The batch cannot have more than {_MOST} subrequests")
        results: list[dict[str, Any]] = []
        for one in given:
            halted = document.get("haltOnError") is True and any(result["statusCode"] >= 400 for result in results)
            results.append({"statusCode": 412, "result": _HALTED} if halted else self._one(call, one))
        failed = any(result["statusCode"] >= 400 for result in results)
        return json_response({"hasErrors": failed, "results": results})

    def _one(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        method = str(given.get("method", "GET"))
        response = one_of_several(self._others, call, method, str(given["url"]), given.get("richInput"))
        return {"statusCode": response.status_code, "result": orjson.loads(response.body) if response.body else None}


def one_of_several(
    others: Sequence[Route],
    call: Call,
    method: str,
    url: str,
    body: object,
    headers: Mapping[str, object] | None = None,
) -> Response:
    """The answer to a call that came within another."""
    path, _, query = url.partition("?")
    path = "/" + path.removeprefix("/").removeprefix("services/data/")
    inner = replace(
        call,
        method=method.upper(),
        path=f"/services/data{unquote(path)}",
        headers={**call.headers, **{name.lower(): str(value) for name, value in (headers or {}).items()}},
        query=dict(parse_qsl(query, keep_blank_values=True)),
        body=b"" if body is None else orjson.dumps(body),
    )
    response = answered(others, inner)
    return json_response([not_found().document], 404) if response is None else response
