"""The few calls of the REST API that bulk work needs.

Source: what Salesforce clients in production ask for; the least answer of each is in ``conformance/``.
"""

from __future__ import annotations

from collections.abc import Mapping

from bulkforce.protocol import wire_json
from bulkforce.protocol.exchange import Answer, Exchange, Request


def remaining_batches() -> Exchange[int | None]:
    """Ask how many batches the org still takes in this rolling day; ``None`` if it does not say."""
    request = Request("GET", "/services/data/v{version}/limits", {"Accept": "application/json"}, session_header="Authorization")
    return Exchange(request, _remaining)


def _remaining(answer: Answer) -> int | None:
    value = wire_json.value_of(answer)
    daily = value.get("DailyBulkApiBatches") if isinstance(value, Mapping) else None
    remaining = daily.get("Remaining") if isinstance(daily, Mapping) else None
    return remaining if isinstance(remaining, int) else None
