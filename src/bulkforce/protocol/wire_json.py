"""Control documents in JSON: how to write and read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import BatchInfo, JobInfo, RecordError, Result
from bulkforce.protocol.wire import info

MEDIA: Final = "application/json"


def job_info_request(fields: Mapping[str, str | None]) -> bytes:
    """Write a ``jobInfo``; omit fields that are ``None``."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def records_of(answer: Answer) -> object:
    """Read an answer that holds records; see `value_of` for all others."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    # Outside the handler: inside, Python would chain the handled error, which holds the whole document.
    raise ProtocolError(
        f"The org's answer cannot be read: {reason} "
        f"({answer.media_type or 'untyped'} body of {len(answer.body)} bytes)",
        answer.facts(),
    )


def value_of(answer: Answer) -> object:
    """Read an answer in which no member may appear twice, since it would be unclear which one counts."""
    value = records_of(answer)
    try:
        json.loads(answer.body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        pass
    else:
        return value
    raise ProtocolError("The org's answer contains the same member twice, or is nested too deeply", answer.facts())


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError


def object_of(value: object, answer: Answer) -> Mapping[str, object]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise ProtocolError(f"The org's answer is a JSON {type(value).__name__}, expected an object", answer.facts())
    return value


def job_info(answer: Answer) -> JobInfo:
    """Read a ``jobInfo``."""
    return info(JobInfo, object_of(value_of(answer), answer), answer)


def batch_info(answer: Answer) -> BatchInfo:
    """Read a ``batchInfo``."""
    return info(BatchInfo, object_of(value_of(answer), answer), answer)


def batch_infos(answer: Answer) -> Iterator[BatchInfo]:
    """Read the list of a job's batches."""
    listed = object_of(value_of(answer), answer).get("batchInfo")
    if not isinstance(listed, list):
        raise ProtocolError("The org's list of batches has no batchInfo", answer.facts())
    for item in listed:
        yield info(BatchInfo, object_of(item, answer), answer)


def results(items: list[object], answer: Answer) -> list[Result]:
    """Read the results of a data batch."""
    return [_result(object_of(item, answer), answer) for item in items]


def _result(item: Mapping[str, object], answer: Answer) -> Result:
    listed = item.get("errors") or []
    if not isinstance(listed, list):
        raise ProtocolError("The errors of a result are not a list", answer.facts())
    errors = []
    for error in (object_of(value, answer) for value in listed):
        fields = error.get("fields") or []
        errors.append(
            RecordError(
                status_code=str(error.get("statusCode") or ""),
                message=str(error.get("message") or ""),
                fields=tuple(map(str, fields)) if isinstance(fields, list) else (str(fields),),
            )
        )
    return Result(
        id=str(item["id"]) if item.get("id") else None,
        success=_flag(item, "success", answer),
        created=_flag(item, "created", answer),
        errors=errors,
    )


def _flag(item: Mapping[str, object], name: str, answer: Answer) -> bool:
    value = item.get(name)
    if value is None or isinstance(value, bool):
        return value is True
    raise ProtocolError(f"The {name} of a result is neither true nor false", answer.facts())


def error(answer: Answer) -> tuple[str, str] | None:
    """Read the code and message of a Bulk API error document; ``None`` if it is not one."""
    return _code(value_of(answer), "exceptionCode", "exceptionMessage") if answer.media_type == MEDIA else None


def rest_error(answer: Answer) -> tuple[str, str] | None:
    """Read the code and message of a REST API error document, an array; ``None`` if it is not one."""
    value = value_of(answer) if answer.media_type == MEDIA else None
    return _code(value[0], "errorCode", "message") if isinstance(value, list) and value else None


def oauth_error(answer: Answer) -> tuple[str, str] | None:
    """Read the refusal of a login; ``None`` if it is not one: a gateway's ``error`` is not an OAuth word such as
    ``invalid_grant``.
    """
    word = _code(value_of(answer), "error", "error_description")
    return word if word and re.fullmatch(r"[a-z_]{1,60}", word[0]) else None


def _code(value: object, code: str, message: str) -> tuple[str, str] | None:
    found, text = (value.get(code), value.get(message)) if isinstance(value, dict) else (None, None)
    return (found, text if isinstance(text, str) else "") if isinstance(found, str) and found else None
