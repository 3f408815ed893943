"""Checks that both versions of the API need: of what a caller asks for, and of what comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from operator import eq
from typing import Final, TypeVar
from urllib.parse import quote

from bulkforce import arguments
from bulkforce.errors import ProtocolError, UsageError
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.faults import intercepted
from bulkforce.protocol.wire import short, shown

W = TypeVar("W", bound=StrEnum)

_SFORCE: Final = re.compile(r"Sforce-[A-Za-z0-9-]{1,100}", re.IGNORECASE)
_ID: Final = re.compile(r"[A-Za-z0-9]{1,18}").fullmatch
_LONGEST_HEADER: Final = 1_000


def word(vocabulary: type[W], value: str, what: str) -> W:
    """Read one of the protocol's words; case matters on the wire, so it matters here.

    Raises:
        UsageError: The protocol has no such word.
    """
    try:
        return vocabulary(value)
    except ValueError:
        raise UsageError(f"There is no {what} {arguments.shown(value)}; choose from: {', '.join(vocabulary)}") from None


def check_names(**given: str | None) -> None:
    """Check names of fields and ids of the caller's that are sent in a job.

    Raises:
        UsageError: A name has characters that no name can.
    """
    for name, value in given.items():
        if value is not None and not arguments.text(value, name).isprintable():
            raise UsageError(f"{name} contains characters that no name can: {arguments.shown(value)}")


def check_key(*, upsert: bool, operation: str, external_id_field: str | None) -> None:
    """Check that there is an external id field for an upsert, and for nothing else.

    Raises:
        UsageError: It is missing, or not wanted.
    """
    if upsert and not external_id_field:
        raise UsageError("An upsert needs external_id_field: the field that identifies existing records")
    if external_id_field and not upsert:
        raise UsageError(f"external_id_field works only with upsert, not with {operation}")


def check_headers(headers: Sequence[tuple[str, str]], options: Mapping[str, str]) -> None:
    """Check further headers of a job.

    Args:
        headers: Names and values.
        options: The headers that an option sets, in lower case, with the option's name.

    Raises:
        UsageError: A header cannot be sent with a job, or not like this.
    """
    for name, value in headers:
        if not _SFORCE.fullmatch(name):
            raise UsageError(
                f"{arguments.shown(name)} cannot be sent with a job: the names of further headers begin with Sforce-, "
                "such as Sforce-Call-Options"
            )
        if option := options.get(name.lower()):
            raise UsageError(f"The header {name} has an option of its own, {option}; use that")
        if not value.strip() or len(value) > _LONGEST_HEADER or not (value.isascii() and value.isprintable()):
            raise UsageError(
                f"The value of the header {name} must be 1 to {_LONGEST_HEADER:,} printable ASCII characters"
            )
    names = [name.lower() for name, _ in headers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"The header {twice} is given twice")


def segment(given: str, what: str) -> str:
    """Check an id of the caller's and make it a part of a path.

    Raises:
        UsageError: It cannot be an id.
    """
    text = arguments.text(given, f"The {what} id")
    if not text.strip():
        raise UsageError(f"The {what} id is missing: {arguments.shown(text)}")
    if text in {".", ".."} or len(text) > arguments.LONGEST_NAME:
        raise UsageError(f"{arguments.shown(text)} is not a {what} id")
    return quote(text, safe="")


def check_id(what: str, text: str, answer: Answer) -> None:
    """Check an id of the org's.

    Raises:
        ProtocolError: It cannot be one.
    """
    if not _ID(text):
        raise ProtocolError(f"The org's answer has an invalid {what} id: {shown(text)}", answer.facts())


def check_once(ids: Sequence[str], what: str, answer: Answer) -> None:
    """Check that a list of the org's has each id once.

    Raises:
        ProtocolError: It has one twice.
    """
    if len(set(map(short, ids))) < len(ids):
        raise ProtocolError(f"The org's list contains the same {what} more than once", answer.facts())


def compare(answer: Answer, what: str, asked: str, came: str | None, same: Callable[[str, str], bool] = eq) -> None:
    """Check that an answer matches the request; a value that the answer may omit can be ``None``.

    Raises:
        ProtocolError: It does not match.
    """
    if came is not None and not same(asked, came):
        raise ProtocolError(
            f"The answer does not match the request: the {what} is {shown(came)}, expected {shown(asked)}",
            answer.facts(),
        )


def no_page(answer: Answer) -> Answer:
    """Return an answer unless it is an HTML page, which never comes from the org.

    Raises:
        Intercepted: It is one.
    """
    if answer.media_type == "text/html":
        raise intercepted(answer)
    return answer
