"""What an org knows about its objects: sObjects, fields and how they refer to each other.

Plain frozen values, named as in describe. `schema_files` reads them from files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from bulkforce_emulator.rules import NO_RULES, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Types without a value of their own: their parts are fields.
COMPOUND_TYPES = frozenset({"address", "location"})
NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})
TYPES = COMPOUND_TYPES | NUMBER_TYPES | {
    "id", "string", "textarea", "boolean", "date", "datetime", "time", "picklist", "multipicklist", "email", "phone",
    "url", "reference", "base64", "combobox", "encryptedstring", "anyType",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as describe shows it."""

    name: str
    label: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    unique: bool = False
    case_sensitive: bool = False
    external_id: bool = False
    id_lookup: bool = False
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    #: The parent's name for these records: `Contacts`, `Parts__r`. Made from the plural label if not given.
    child_relationship_name: str | None = None
    cascade_delete: bool = False
    #: Whether a record cannot be deleted while this field refers to it.
    restricted_delete: bool = False
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    default: object = None
    defaulted_on_create: bool = False
    auto_number: bool = False
    calculated: bool = False
    compound_field_name: str | None = None
    #: A DuckDB expression over the record's other columns, for calculated fields.
    formula: str | None = None

    @property
    def custom(self) -> bool:
        """Whether this is a custom field."""
        return self.name.endswith("__c")

    @property
    def is_column(self) -> bool:
        """Whether the store keeps a value for it; a compound is only its parts."""
        return self.type not in COMPOUND_TYPES

    @property
    def required(self) -> bool:
        """Whether an insert without it is refused."""
        return self.createable and not self.nillable and not self.defaulted_on_create and self.type != "boolean"

    @property
    def polymorphic(self) -> bool:
        """Whether the field can refer to records of more than one object."""
        return len(self.reference_to) > 1

    @property
    def indexed(self) -> bool:
        """Whether records can be found by it: as an upsert key, or in `Parent.Field` columns."""
        return self.external_id or self.id_lookup or self.type == "id"


@dataclass(frozen=True, slots=True)
class ChildRelationship:
    """A reference seen from the object it points to."""

    child_sobject: str
    field: str
    relationship_name: str | None
    cascade_delete: bool
    restricted_delete: bool


@dataclass(frozen=True)
class SObject:
    """One sObject; `fields` are in order, keyed by their exact names."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: Mapping[str, Field]
    child_relationships: tuple[ChildRelationship, ...] = ()
    #: Whether Bulk jobs accept it ("Entity 'X' is not supported by the Bulk API.").
    bulk: bool = True
    rules: Rules = NO_RULES
    #: Fields that are stored, but that the user may not see.
    hidden: tuple[Field, ...] = ()
    #: What the user may do with records of others that are not shared with them.
    sharing: Literal["private", "read", "edit"] = "edit"

    @property
    def custom(self) -> bool:
        """Whether this is a custom object."""
        return self.name.endswith("__c")

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """The fields that the store keeps, in order."""
        return tuple(field for field in (*self.fields.values(), *self.hidden) if field.is_column)

    @cached_property
    def _by_lower_name(self) -> dict[str, Field]:
        return {name.lower(): field for name, field in self.fields.items()}

    @cached_property
    def _by_relationship(self) -> dict[str, Field]:
        return {
            field.relationship_name.lower(): field
            for field in self.fields.values()
            if field.relationship_name is not None
        }

    def field(self, name: str) -> Field | None:
        """The field of that name, in any letter case."""
        return self._by_lower_name.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference whose relationship name this is, in any letter case."""
        return self._by_relationship.get(name.lower())


class Schema:
    """All sObjects of an org."""

    def __init__(self, sobjects: Iterable[SObject]) -> None:
        given = {sobject.name: sobject for sobject in sobjects}
        children = _children(given.values())
        self.sobjects: dict[str, SObject] = {
            name: replace(sobject, child_relationships=tuple(children.get(name, ()))) for name, sobject in given.items()
        }
        self._by_lower_name = {name.lower(): sobject for name, sobject in self.sobjects.items()}
        self._by_prefix = {sobject.key_prefix: sobject for sobject in self.sobjects.values()}

    def get(self, name: str) -> SObject | None:
        """The sObject of that name, in any letter case."""
        return self._by_lower_name.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The sObject that an id belongs to, by its prefix."""
        return self._by_prefix.get(record_id[:3])


def _children(sobjects: Iterable[SObject]) -> dict[str, list[ChildRelationship]]:
    found: dict[str, list[ChildRelationship]] = {}
    for sobject in sobjects:
        for field in sobject.fields.values():
            for parent in field.reference_to:
                found.setdefault(parent, []).append(
                    ChildRelationship(
                        sobject.name, field.name, field.relationship_name, field.cascade_delete, field.restricted_delete
                    )
                )
    return found
