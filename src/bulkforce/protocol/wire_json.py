"""Control documents in JSON: what to say, how to read."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from bulkforce.errors import ProtocolError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import BatchInfo, JobInfo, RecordError, Result
from bulkforce.protocol.wire import info


def job_info_request(fields: Mapping[str, str | None]) -> bytes:
    """Write a ``jobInfo``; fields that are ``None`` are left out."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def value_of(answer: Answer) -> object:
    """Read the document of an answer."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(
            f"The org's answer cannot be read: {error} (a {answer.media_type or 'untyped'} body of {len(answer.body)} bytes)",
            answer.facts(),
        ) from error


def _object(value: object, answer: Answer) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ProtocolError(f"The org's answer is a JSON {type(value).__name__} where an object was due", answer.facts())
    return value


def job_info(answer: Answer) -> JobInfo:
    """Read a ``jobInfo``."""
    return info(JobInfo, _object(value_of(answer), answer), answer)


def batch_info(answer: Answer) -> BatchInfo:
    """Read a ``batchInfo``."""
    return info(BatchInfo, _object(value_of(answer), answer), answer)


def batch_infos(answer: Answer) -> list[BatchInfo]:
    """Read the list of a job's batches."""
    listed = _object(value_of(answer), answer).get("batchInfo")
    if not isinstance(listed, list):
        raise ProtocolError("The org's list of batches has no batchInfo", answer.facts())
    return [info(BatchInfo, _object(item, answer), answer) for item in listed]


def results(items: list[object], answer: Answer) -> list[Result]:
    """Read the results of a data batch."""
    return [_result(_object(item, answer), answer) for item in items]


def _result(item: Mapping[str, object], answer: Answer) -> Result:
    listed = item.get("errors") or []
    if not isinstance(listed, list):
        raise ProtocolError("The errors of a result are not a list", answer.facts())
    errors = []
    for error in (_object(value, answer) for value in listed):
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
        success=item.get("success") is True,
        created=item.get("created") is True,
        errors=errors,
    )


def error(answer: Answer) -> tuple[str | None, str | None]:
    """Read an error document: Bulk's object, REST's array of objects, or OAuth's object."""
    value = value_of(answer)
    if isinstance(value, list) and value:
        value = value[0]
    members = _object(value, answer)
    for code, message in (("exceptionCode", "exceptionMessage"), ("errorCode", "message"), ("error", "error_description")):
        if members.get(code):
            return str(members[code]), str(members.get(message) or "")
    return None, None
