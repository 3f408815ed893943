"""The cause of a failure: the org's status code, fields and message, without what differs from record to record.

So 3,000 records with 840 different bad dates have one cause. Dry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

OUT: Final = "..."
"""Stands in a message for what was taken out."""

_MOST_CHARACTERS: Final = 4_000
"""How much of a message is kept; an org's own automation may write messages of any length."""

_CODE: Final = re.compile(r"\w{1,100}", re.ASCII)

# The org's own messages that repeat a value: what stands before the value, and what follows it. Values may hold
# anything, also text that looks like part of a message. Sources: `bulkforce.protocol.remedies`.
_AROUND: Final = (
    ("value not of required type: ", ""),
    ("data value too large: ", " (max length="),
    ("bad value for restricted picklist field: ", ""),
    ("invalid email address: ", ""),
    ("id value of incorrect type: ", ""),
    ("value outside of valid range on numeric field: ", ""),
    ("duplicates value on record with id: ", ""),
    ("Duplicate external id specified: ", ""),
    ("Foreign key external ID: ", " not found for field "),
    ("Due to, '", "' is not a valid value for the type "),
    ("VALUE_STRING value ", " or request may be missing "),
    ("VALUE_NUMBER value ", " or request may be missing "),
    ("bad id ", ""),
)

# In other messages: quotes, unless they name a field, an object, a type or an automation.
_QUOTED: Final = re.compile(
    r"""(?=['"\u201c])(?<!column )(?<!entity )(?<!field )(?<!object )(?<!type )(?<!process )(?<!flow )"""
    r"""(?:(?<!\w)'[^']*'(?!\w)|"[^"]*"|\u201c[^\u201d]*\u201d)(?! process| flow)"""
)
_ADDRESS: Final = re.compile(r"(?<![\w@.])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
# A word with a digit: a number, a date, a time, a range; or an id. `Address1__c` and `B2C_Id__c` are names.
_WITH_DIGIT: Final = re.compile(r"(?<!\w)(?:[-+]?[0-9](?:[\w.,:/+-]*\w)?%?|[A-Za-z_]+[0-9](?:[\w-]*\w)?)")
_ID: Final = re.compile(
    r"(?=(?:[A-Za-z]*[0-9]){3})[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)
_NUMERIC: Final = "+-0123456789"
_LIMITS: Final = ("max length=", "at most ", "where the header has ")
_RUN: Final = re.compile(rf"{re.escape(OUT)}(?:[,;]?\s*{re.escape(OUT)})+")


class Cause(NamedTuple):
    """Why records failed.

    Attributes:
        status_code: The org's status code.
        fields: The fields concerned, as far as the org names them.
        message: The org's message, with ``...`` for values, ids, numbers and positions.
    """

    status_code: str
    fields: tuple[str, ...]
    message: str


def cause_of(status_code: str, fields: Sequence[str], message: str) -> Cause:
    """Return the cause of a failure.

    >>> cause_of("INVALID_TYPE_ON_FIELD_IN_RECORD", ["CloseDate"], "Close Date: value not of required type: 12/31/26")
    Cause(status_code='INVALID_TYPE_ON_FIELD_IN_RECORD', fields=('CloseDate',), \
message='Close Date: value not of required type: ...')
    """
    if not _CODE.fullmatch(status_code):
        # The org's text has another form than expected: all of it is the message.
        status_code, message = "", f"{status_code}:{message}" if status_code else message
    message = message[:_MOST_CHARACTERS]
    begin, end = _value_in(message)
    if begin:
        label, colon, said = message[:begin].partition(": ")
        # Before a colon stands the label of a field, which may have a number in it.
        before = f"{label}: {said}" if said else _without_varying(label) + colon
        return Cause(status_code, tuple(fields), before + OUT + _without_varying(message[end:]))
    return Cause(status_code, tuple(fields), _without_varying(message))


def value_of(message: str) -> str:
    """Return the value that the org complains about; empty if its message is not of a form that repeats it."""
    begin, end = _value_in(message)
    return message[begin:end].strip()


def frame_of(message: str) -> tuple[str, str] | None:
    """Return what stands before and after the value in a message of a known form; ``None`` if the form is not known."""
    begin, end = _value_in(message)
    return (message[:begin], message[end:]) if begin else None


def merged(one: str, other: str) -> str | None:
    """Return what two messages have in common, if they have the same beginning and end and differ in between.

    >>> merged("Customer Ada is blocked", "Customer Grace Hopper is blocked")
    'Customer ... is blocked'
    """
    these, those = one.split(" "), other.split(" ")
    most = min(len(these), len(those))
    first = next((place for place in range(most) if these[place] != those[place]), most)
    last = next((place for place in range(most - first) if these[-1 - place] != those[-1 - place]), most - first)
    if first + last < max(2, most // 2):
        return None
    return " ".join([*these[:first], OUT, *these[len(these) - last :]])


def _value_in(message: str) -> tuple[int, int]:
    for before, after in _AROUND:
        place = message.find(before)
        if place >= 0:
            begin = place + len(before)
            end = message.rfind(after, begin) if after else len(message)
            return begin, len(message) if end < 0 else end
    return 0, 0


def _without_varying(text: str) -> str:
    if "'" in text or '"' in text or "\u201c" in text:
        text = _QUOTED.sub(OUT, text)
    if "@" in text:
        text = _ADDRESS.sub(OUT, text)
    found = _WITH_DIGIT.sub(_number_or_id, text)
    return _RUN.sub(OUT, found) if OUT in found else found


def _number_or_id(found: re.Match[str]) -> str:
    word = found[0]
    varies = (word[0] in _NUMERIC or _ID.fullmatch(word)) and not found.string.endswith(_LIMITS, 0, found.start())
    return OUT if varies else word
