"""What REST says of duplicates: the header that allows them, and the document that names them.

The document's first member is spelled as real servers spell it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.uploads import Outcomes
    from bulkforce_emulator.wire.calls import Call

_ALLOWS = re.compile(r"(?i)\ballowSave\s*=\s*true\b")


def allows_duplicates(call: Call) -> bool:
    """Whether `Sforce-Duplicate-Rule-Header` asks to save records in spite of an alert."""
    return bool(_ALLOWS.search(call.headers.get("sforce-duplicate-rule-header", "")))


def duplicate_result(sobject: SObject, outcomes: Outcomes, row: int, path: str) -> dict[str, Any]:
    """The member that says which records a refused one is like; nothing for other refusals."""
    name, *found = outcomes.duplicates.get(row, ("",))
    rule = next((one for one in sobject.rules.duplicates if one.name == name), None)
    if rule is None:
        return {}
    entity = rule.among or sobject.name
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {
                "attributes": {"type": entity, "url": f"{path}/sobjects/{entity}/{record_id}"},
                "Id": record_id,
            },
        }
        for record_id in found
    ]
    match = {
        "entityType": entity,
        "errors": [],
        "matchEngine": "ExactMatchEngine",
        "matchRecords": records,
        "rule": rule.name,
        "size": len(records),
        "success": True,
    }
    return {
        "duplicateResut": {
            "allowSave": rule.action == "alert",
            "duplicateRule": rule.name,
            "duplicateRuleEntityType": sobject.name,
            "errorMessage": rule.message,
            "matchResults": [match],
        }
    }
