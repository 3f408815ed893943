"""The few calls of the REST API that bulk work needs.

Source: what Salesforce clients in production call; a minimal answer to each is in ``conformance/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, quote_plus

import orjson

from bulkforce import arguments
from bulkforce.errors import Facts, InvalidRequest, ProtocolError
from bulkforce.later import later
from bulkforce.protocol import wire_json
from bulkforce.protocol.exchange import Answer, Exchange, Request
from bulkforce.protocol.faults import intercepted
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.wire import same_name, shown

if TYPE_CHECKING:
    from bulkforce.protocol import soql
else:
    soql = later("bulkforce.protocol.soql")  # to count a query's records

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who is logged in, as far as the org says; empty where it does not."""

    username: str
    user_id: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the org: how much there is, and how much is left."""

    most: int
    remaining: int


@dataclass(frozen=True, slots=True)
class PicklistValue:
    """A picklist value: what is stored, what is displayed, and whether new records may use it."""

    value: str
    label: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDescription:
    """A field of an object, as describe returns it.

    If an answer does not say otherwise, the field may be written, and may be empty.

    Attributes:
        name: API name.
        type: ``id``, ``string``, ``boolean``, ``int``, ``double``, ``currency``, ``date``, ``datetime``, ``reference``,
            ``address`` ...
        label: The label that users see.
        length: How many characters a text may have; 0 if there is no limit, or it does not apply.
        byte_length: The same in bytes.
        precision: Digits of a number in total.
        scale: Digits after the decimal point.
        digits: Digits of a whole number (``int``).
        nillable: Whether it may be empty.
        defaulted_on_create: Whether the org fills it in if a new record does not set it.
        createable: Whether the user may set it in a new record.
        updateable: Whether the user may change it in an existing record.
        calculated: Whether it is a formula.
        auto_number: Whether the org numbers it.
        external_id: Whether it is an external id, by which upserts and references to parents find records.
        id_lookup: Whether it can be used like an external id.
        compound_field_name: The compound field that it is part of.
        relationship_name: The name by which queries reach the parent.
        reference_to: The objects that the parent may be.
        polymorphic_foreign_key: Whether the parent may be one of several objects.
        restricted_picklist: Whether the org accepts only the values of the picklist.
        picklist_values: The picklist, including values that are no longer active.
    """

    name: str
    type: str
    label: str = ""
    length: int = 0
    byte_length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    defaulted_on_create: bool = False
    createable: bool = True
    updateable: bool = True
    calculated: bool = False
    auto_number: bool = False
    external_id: bool = False
    id_lookup: bool = False
    compound_field_name: str | None = None
    relationship_name: str | None = None
    reference_to: tuple[str, ...] = ()
    polymorphic_foreign_key: bool = False
    restricted_picklist: bool = False
    picklist_values: tuple[PicklistValue, ...] = ()


@dataclass(frozen=True, slots=True)
class SObjectDescription:
    """An object: its exact name, its fields, its label, and the first three characters of its records' ids."""

    name: str
    fields: tuple[FieldDescription, ...]
    label: str = ""
    key_prefix: str | None = None

    def to_json(self) -> str:
        """Write the description as JSON, with describe's own names; `description_of` reads it back."""
        return orjson.dumps(_in_words_of_describe(self)).decode()


def description_of(text: str) -> SObjectDescription:
    """Read what `SObjectDescription.to_json` wrote, or an answer of describe itself.

    Raises:
        ProtocolError: It is not the description of an object.
    """
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        members = None
    return _description(members if isinstance(members, Mapping) else {}, Facts())


def describe(object_name: str) -> Exchange[SObjectDescription]:
    """Ask what fields an object has."""

    def read(answer: Answer) -> SObjectDescription:
        described = _description(_members(answer), answer.facts())
        if not same_name(object_name, described.name):
            raise ProtocolError(
                f"The org describes {shown(described.name)} instead of {shown(object_name)}", answer.facts()
            )
        return described

    return Exchange(_get(f"/sobjects/{quote(object_name, safe='')}/describe"), read)


def describe_answer(object_name: str) -> Exchange[Mapping[str, object]]:
    """Ask what an object is like, for all that the org says of it."""
    asked = describe(object_name)

    def read(answer: Answer) -> Mapping[str, object]:
        asked.read(answer)
        return _members(answer)

    return Exchange(asked.request, read)


def objects_answer() -> Exchange[Mapping[str, object]]:
    """Ask which objects there are, for all that the org says of them."""
    return Exchange(_get("/sobjects"), _members)


def key_prefixes() -> Exchange[dict[str, str]]:
    """Ask which objects the org has that the user may see, and how their ids begin: ``""`` if they have no ids."""

    def read(answer: Answer) -> dict[str, str]:
        objects = _members(answer).get("sobjects")
        told = [one for one in objects if isinstance(one, Mapping)] if isinstance(objects, list) else []
        named = [(one.get("name"), one.get("keyPrefix")) for one in told]
        return {name: prefix if isinstance(prefix, str) else "" for name, prefix in named if isinstance(name, str)}

    return Exchange(_get("/sobjects"), read)


def count_records(object_name: str) -> Exchange[int]:
    """Ask how many records an object has, not counting deleted ones."""
    return Exchange(_get(f"/query?q=SELECT+COUNT()+FROM+{quote(object_name, safe='')}"), _total)


def count(text: str, *, all_rows: bool = False) -> Exchange[int]:
    """Ask how many records a query with ``COUNT()`` finds; with ``all_rows``, including deleted and archived ones."""
    return Exchange(_get(f"/{'queryAll' if all_rows else 'query'}?q={quote_plus(text)}"), _total)


def count_found(query: str, *, all_rows: bool = False) -> Flow[int]:
    """Ask how many records a query finds, or an object has; see `bulkforce.protocol.soql.counting`."""
    text = soql.counting(query)
    return (yield from of_query(text, count(text, all_rows=arguments.flag(all_rows, "all_rows"))))


def of_query(text: str, exchange: Exchange[T]) -> Flow[T]:
    """Ask something with a query.

    Raises:
        InvalidRequest: The org refuses the query; the message shows the place.
    """
    try:
        return (yield from ask(exchange))
    except InvalidRequest as error:
        refused, facts = error, error.facts
    if facts.code and facts.message:
        reason = soql.explain(text, f"{facts.code}: {facts.message}")
        refused = InvalidRequest(f"The org refuses the query: {reason}", facts)
    raise refused


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """A page of what a query finds over REST.

    Attributes:
        records: The records, parents as objects of their own.
        total: How many records the query finds in all.
        following: Path of the next page; ``None`` for the last one.
    """

    records: Sequence[Mapping[str, object]]
    total: int
    following: str | None


def records_page(query: str, *, all_rows: bool = False) -> Exchange[RecordsPage]:
    """Ask for the first page of what a query finds; with ``all_rows``, including deleted and archived records."""
    return Exchange(_get(f"/{'queryAll' if all_rows else 'query'}?q={quote_plus(query)}"), _page)


def following_page(path: str) -> Exchange[RecordsPage]:
    """Ask for the page that another one names."""
    return Exchange(replace(_get(""), path=path), _page)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more batches and API calls the org accepts within 24 hours; ``None`` if it does not say."""

    batches: int | None
    api_calls: int | None


def allowance() -> Exchange[Allowance]:
    """Ask how much more the org accepts within 24 hours."""

    def read(answer: Answer) -> Allowance:
        return Allowance(_remaining(answer, "DailyBulkApiBatches"), _remaining(answer, "DailyApiRequests"))

    return Exchange(_get("/limits"), read)


def user_info() -> Exchange[UserInfo]:
    """Ask who is logged in; the org answers only sessions with the scope ``id``."""

    def read(answer: Answer) -> UserInfo:
        members = _members(answer)
        texts = [_text(members.get(name)) or "" for name in ("preferred_username", "user_id", "organization_id")]
        return UserInfo(*texts)

    path = "/services/oauth2/userinfo"
    return Exchange(Request("GET", path, {"Accept": "application/json"}, session_header="Authorization"), read)


def user_name(user_id: str) -> Exchange[str]:
    """Ask for the user name of a user; OpenID's ``preferred_username`` is not always it."""

    def read(answer: Answer) -> str:
        return _text(_members(answer).get("Username")) or ""

    return Exchange(_get(f"/sobjects/User/{quote(user_id, safe='')}?fields=Username"), read)


def limits() -> Exchange[Mapping[str, Limit]]:
    """Ask for the org's limits and what is left of them, by name."""

    def read(answer: Answer) -> Mapping[str, Limit]:
        found = {}
        for name, value in _members(answer).items():
            most, left = (value.get("Max"), value.get("Remaining")) if isinstance(value, Mapping) else (None, None)
            if isinstance(most, int) and isinstance(left, int):
                found[name] = Limit(most, left)
        return found

    return Exchange(_get("/limits"), read)


def _get(path: str) -> Request:
    return Request(
        "GET", "/services/data/v{version}" + path, {"Accept": "application/json"}, session_header="Authorization"
    )


def _members(answer: Answer) -> Mapping[str, object]:
    if answer.media_type != wire_json.MEDIA:
        raise intercepted(answer)
    value = wire_json.value_of(answer)
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _remaining(answer: Answer, limit: str) -> int | None:
    daily = _members(answer).get(limit)
    return _count(daily.get("Remaining")) if isinstance(daily, Mapping) else None


def _total(answer: Answer) -> int:
    total = _count(_members(answer).get("totalSize"))
    if total is None:
        raise ProtocolError("The org does not say how many records there are", answer.facts())
    return total


def _page(answer: Answer) -> RecordsPage:
    members = _members(answer)
    records, following = members.get("records"), members.get("nextRecordsUrl")
    if not isinstance(records, list) or not all(isinstance(one, Mapping) for one in records):
        raise ProtocolError("The org's answer to the query has no records", answer.facts())
    if members.get("done") is not True and not (isinstance(following, str) and following.startswith("/services/")):
        raise ProtocolError("The org does not say where the rest of the records is", answer.facts())
    return RecordsPage(records, _total(answer), None if members.get("done") is True else str(following))


def _description(members: Mapping[str, object], facts: Facts) -> SObjectDescription:
    name, fields = members.get("name"), members.get("fields")
    if not isinstance(name, str) or not isinstance(fields, list):
        raise ProtocolError("The description of an object lacks its name or its fields", facts)
    described = tuple(_field(told, facts) for told in fields)
    return SObjectDescription(name, described, _text(members.get("label")) or "", _text(members.get("keyPrefix")))


def _field(told: object, facts: Facts) -> FieldDescription:
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str) or not isinstance(told.get("type"), str):
        raise ProtocolError("The description of an object has a field without a name or type", facts)

    def number(name: str) -> int:
        return _count(told.get(name)) or 0

    def is_so(name: str) -> bool:
        return told.get(name) is True

    parents, values = told.get("referenceTo"), told.get("picklistValues")
    return FieldDescription(
        name=told["name"],
        type=told["type"],
        label=_text(told.get("label")) or "",
        length=number("length"),
        byte_length=number("byteLength"),
        precision=number("precision"),
        scale=number("scale"),
        digits=number("digits"),
        nillable=told.get("nillable") is not False,
        defaulted_on_create=is_so("defaultedOnCreate"),
        createable=told.get("createable") is not False,
        updateable=told.get("updateable") is not False,
        calculated=is_so("calculated"),
        auto_number=is_so("autoNumber"),
        external_id=is_so("externalId"),
        id_lookup=is_so("idLookup"),
        compound_field_name=_text(told.get("compoundFieldName")),
        relationship_name=_text(told.get("relationshipName")),
        reference_to=tuple(map(str, parents)) if isinstance(parents, list) else (),
        polymorphic_foreign_key=is_so("polymorphicForeignKey"),
        restricted_picklist=is_so("restrictedPicklist"),
        picklist_values=tuple(_picklist_values(values)) if isinstance(values, list) else (),
    )


def _picklist_values(told: list[object]) -> Iterator[PicklistValue]:
    for one in told:
        if isinstance(one, Mapping) and isinstance(one.get("value"), str):
            yield PicklistValue(one["value"], _text(one.get("label")) or "", one.get("active") is not False)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _in_words_of_describe(value: object) -> object:
    """Rename members to describe's spelling: ``byte_length`` becomes ``byteLength``."""
    if isinstance(value, SObjectDescription | FieldDescription | PicklistValue):
        return {_word_of_describe(one.name): _in_words_of_describe(getattr(value, one.name)) for one in fields(value)}
    return [_in_words_of_describe(one) for one in value] if isinstance(value, tuple) else value


@cache
def _word_of_describe(name: str) -> str:
    return re.sub("_(.)", lambda match: match[1].upper(), name)
