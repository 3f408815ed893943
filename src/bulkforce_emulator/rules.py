"""What an org does with records besides keeping them: record types, validation and duplicate rules, triggers.

Plain values; `schema_files` reads them, `state.rows` applies them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Record(dict[str, object]):
    """A record as it is about to be saved, or deleted; what a trigger or a validation rule in Python gets.

    A before trigger may change its values. Types are those of Python: dates, date-times in UTC, floats.

    Attributes:
        old: The record as it is stored; None if it is new.
        errors: The errors that were added: a message, and the fields it concerns.
    """

    def __init__(self, values: Mapping[str, object], old: Mapping[str, object] | None = None) -> None:
        super().__init__(values)
        self.old = old
        self.errors: list[tuple[str, tuple[str, ...]]] = []

    @property
    def is_new(self) -> bool:
        """Whether it is about to be inserted."""
        return self.old is None

    def add_error(self, message: str, *fields: str) -> None:
        """Refuse the record, as `addError` does in Apex; the others are saved."""
        self.errors.append((message, fields))


Condition = Callable[[Record], object]
Act = Callable[[Sequence[Record]], object]


class Event(StrEnum):
    """When a trigger runs."""

    BEFORE_INSERT = "before_insert"
    BEFORE_UPDATE = "before_update"
    BEFORE_DELETE = "before_delete"


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record type of an object."""

    developer_name: str
    label: str
    id: str
    default: bool = False
    active: bool = True
    #: Whether the user's profile has it.
    available: bool = True
    #: Whether accounts of this type are persons.
    person: bool = False
    #: Which values its records may have, by picklist.
    picklists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether the user may give records this type."""
        return self.active and self.available


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """A rule that refuses records for which its condition is true."""

    name: str
    message: str
    #: A formula, or a function of the record.
    condition: str | Condition
    #: The field at which the message is shown.
    field: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """A rule that refuses records which are like another; blank values are like nothing."""

    name: str
    #: The fields that are all the same, letter case aside.
    match: tuple[str, ...]
    message: str = "Use one of these records?"
    #: Both refuse records that come through an API; alerts can be overridden in REST.
    action: Literal["block", "alert"] = "block"
    #: The object that is searched: this one, unless another is named, which has the same fields.
    among: str | None = None
    on_insert: bool = True
    on_update: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """Code that runs for up to 200 records before they are saved or deleted."""

    name: str
    event: Event
    act: Act


@dataclass(frozen=True, slots=True)
class Rules:
    """All that an object does with its records."""

    record_types: tuple[RecordType, ...] = ()
    validation: tuple[ValidationRule, ...] = ()
    duplicates: tuple[DuplicateRule, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    #: Whether its records can be persons.
    persons: bool = False
    #: The field that names a record's type.
    type_field: str = "RecordTypeId"
    #: The field of a record type that names its object.
    type_object: str = "SobjectType"

    @property
    def check_rows(self) -> bool:
        """Whether rows that are written need more than the checks of their fields."""
        return bool(
            self.validation
            or self.duplicates
            or self.triggers
            or self.persons
            or any(one.picklists for one in self.record_types)
        )

    @property
    def by_transaction(self) -> bool:
        """Whether it matters that rows are written in transactions of 200."""
        return bool(self.triggers or self.duplicates)

    def of_event(self, event: Event) -> tuple[Trigger, ...]:
        """The triggers that run then."""
        return tuple(trigger for trigger in self.triggers if trigger.event is event)


NO_RULES = Rules()
