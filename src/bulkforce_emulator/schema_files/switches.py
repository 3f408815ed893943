"""What a schema file switches on for the whole org: several currencies, person accounts.

currencies = ["EUR", "USD"]     # the first is the corporate currency
person_accounts = true
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.config_files import shortened
from bulkforce_emulator.ids import to_18, to_base62
from bulkforce_emulator.schema_files.lines import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.schema import Schema, SObject

#: Whether an account is a person, the contact that belongs to it, and whether its record type is one of persons.
IS_PERSON, PERSON_CONTACT, PERSON_TYPE = "IsPersonAccount", "PersonContactId", "IsPersonType"
SWITCHES = frozenset({"currencies", "person_accounts"})
#: Objects without amounts of their own.
_NO_CURRENCY = frozenset({"Organization", "RecordType", "CurrencyType"})
_PERSON_LINES = {
    IS_PERSON: "boolean read_only",
    PERSON_CONTACT: "reference(Contact) relationship=PersonContact read_only",
    "LastName": "string(80) compound=Name",
    "FirstName": "string(40) compound=Name",
    "Salutation": "picklist(Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.) compound=Name",
}
#: Fields of a contact that a person account has as `Person...`.
MIRRORED = (
    "MailingAddress", "OtherAddress", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone", "Email", "Title",
    "Department", "AssistantName", "LeadSource", "Birthdate", "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """The switches of one schema."""

    currencies: tuple[str, ...] = ()
    person_accounts: bool = False


def chosen(given: Mapping[str, object]) -> Chosen:
    """The switches that a schema sets.

    Raises:
        SchemaError: One has a value that it cannot have.
    """
    currencies, persons = given.get("currencies", ()), given.get("person_accounts", False)
    if not isinstance(currencies, list | tuple) or not all(
        isinstance(one, str) and len(one) == 3 and one.isupper() for one in currencies
    ):
        raise SchemaError(f"currencies must be a list of codes such as EUR, not {shortened(currencies)}")
    if not isinstance(persons, bool):
        raise SchemaError(f"person_accounts must be true or false, not {shortened(persons)}")
    return Chosen(tuple(currencies), persons)


def add(described: dict[str, dict[str, Any]], switched: Chosen, own: Mapping[str, SObject]) -> None:
    """Add the objects and fields that come with them.

    Raises:
        SchemaError: The org describes accounts of its own, which are persons or not.
    """
    if switched.currencies:
        _add_currencies(described, switched.currencies)
    if switched.person_accounts and {"Account", "Contact"} & own.keys():
        raise SchemaError(
            "person_accounts does not go with descriptions of Account or Contact, which say it themselves"
        )
    if switched.person_accounts:
        _add_persons(described)


def _add_currencies(described: dict[str, dict[str, Any]], currencies: tuple[str, ...]) -> None:
    listed = "|".join(currencies)
    line = f'picklist({listed}) restricted default={currencies[0]} label="Currency ISO Code"'
    described.setdefault("CurrencyType", {"key_prefix": "01L", "fields": {
        "IsoCode": f'picklist({listed}) restricted id_lookup read_only label="Currency ISO Code"',
        "ConversionRate": "double(18,6) read_only",
        "DecimalPlaces": "int read_only",
        "IsActive": "boolean read_only label=Active",
        "IsCorporate": 'boolean read_only label="Corporate Currency"',
    }})  # fmt: skip
    for name, said in described.items():
        if name not in _NO_CURRENCY and not name.endswith("Share"):
            described[name] = {**said, "fields": {**said.get("fields", {}), "CurrencyIsoCode": line}}


def _add_persons(described: dict[str, dict[str, Any]]) -> None:
    contact, account = described["Contact"], described["Account"]
    fields = {**account["fields"], **_PERSON_LINES, "Name": account["fields"]["Name"].replace(" required", "")}
    for name in MIRRORED:
        fields[f"Person{name}"] = contact["fields"][name]
    for name, line in contact["fields"].items():
        if name.endswith("__c"):
            fields[f"{name[:-1]}pc"] = line
    types = account.get("record_types", {})
    if not isinstance(types, Mapping):
        types = {one: {} for one in types}
    if not any(isinstance(one, Mapping) and one.get("person") for one in types.values()):
        person = {"label": "Person Account", "person": True}
        types = {
            **(types or {"Business_Account": {"label": "Business Account", "default": True}}),
            "PersonAccount": person,
        }
    described["Account"] = {**account, "fields": fields, "record_types": types}
    described["Contact"] = {**contact, "fields": {**contact["fields"], IS_PERSON: "boolean read_only"}}
    kind = described["RecordType"]
    described["RecordType"] = {**kind, "fields": {**kind["fields"], PERSON_TYPE: "boolean read_only"}}


def first_records(schema: Schema) -> Iterable[tuple[str, dict[str, Any]]]:
    """The records that follow from a schema: record types and currencies, with their objects' names."""
    for sobject in schema.sobjects.values():
        for kind in sobject.rules.record_types:
            yield "RecordType", {
                "Id": kind.id, "Name": kind.label, "DeveloperName": kind.developer_name,
                "SobjectType": sobject.name, "IsActive": kind.active, PERSON_TYPE: kind.person,
            }  # fmt: skip
    currencies = schema.get("CurrencyType")
    for number, code in enumerate(currencies.fields["IsoCode"].picklist if currencies else ()):
        yield "CurrencyType", {
            "Id": to_18(f"01LEM0{to_base62(zlib.crc32(code.encode()), 9)}"), "IsoCode": code, "ConversionRate": 1.0,
            "DecimalPlaces": 2, "IsActive": True, "IsCorporate": number == 0,
        }  # fmt: skip


def mirrored(account: SObject, contact: SObject) -> dict[str, str]:
    """The fields that a person account shares with its contact: the account's names and the contact's."""
    found = {name: name for name in ("LastName", "FirstName", "Salutation")}
    for field in account.columns:
        name = f"{field.name[:-2]}c" if field.name.endswith("__pc") else field.name.removeprefix("Person")
        if field.name not in {name, PERSON_CONTACT} and contact.field(name) is not None:
            found[field.name] = name
    return found


def finished(sobjects: Iterable[SObject], switched: Chosen) -> list[SObject]:
    """The objects, those of persons marked."""
    return [
        replace(one, rules=replace(one.rules, persons=True))
        if switched.person_accounts and one.name == "Account"
        else one
        for one in sobjects
    ]
