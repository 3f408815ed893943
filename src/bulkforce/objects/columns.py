"""Whether the columns of a source fit an object and what is done with it: everything that can be found, at once.

Sources: Bulk API developer guide, "Valid CSV Header Row" and "Relationship Fields in a Header Row" (names in any letter
case; a parent by one field, one level up, by a field that is an external id or ``idLookup``; its object named where it
may be of several, and only there) and its errors (a column that is no field fails the batch); Object Reference, "Field
Properties" (Create, Update, Nillable, Defaulted on create); Data Loader, which sends nothing but ids to a delete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from bulkforce.formats.text import trimmed
from bulkforce.objects.names import ParentPath, field_of, labelled, listed, meant, parent_path, shown
from bulkforce.protocol.rest import FieldDescription, SObjectDescription
from bulkforce.vocabulary import Operation

Describe: TypeAlias = Callable[[str], SObjectDescription | None]
"""Describes another object; ``None`` if nobody knows it, and then nothing is found about it."""

_AUDIT: Final = {"createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid", "systemmodstamp", "isdeleted"}
_DELETES: Final = {Operation.DELETE, Operation.HARD_DELETE}
_OURS: Final = "sf__"


class Severity(StrEnum):
    """What follows from a finding: the load is refused, or only warned of, or the column is left out."""

    REFUSE = "refuse"
    WARN = "warn"
    DROP = "drop"


class Kind(StrEnum):
    """What is wrong with a column."""

    UNKNOWN_OBJECT = "unknown object"
    UNKNOWN = "unknown column"
    LABEL = "label in place of a name"
    SPELLING = "read as another name"
    NAMELESS = "no name"
    UNWRITABLE = "cannot be written"
    TWICE = "two columns for one field"
    MISSING_KEY = "key missing"
    NO_KEY = "no key"
    REQUIRED = "required field missing"
    UNKNOWN_PARENT = "unknown parent"
    PARENT_TYPE = "object of the parent"
    PARENT_TOO_FAR = "parent of a parent"
    PARENT_NULL = "parent as a column"
    NOT_SENT = "not sent"
    LINE_ENDS = "line ends inside values"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: What is wrong.
        severity: What follows.
        column: The column, as it stands in the source; ``None`` if one is missing.
        text: What is wrong, in a sentence.
        remedy: What to do, in a sentence.
    """

    kind: Kind
    severity: Severity
    column: str | None
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a column goes.

    Attributes:
        place: Which column of the source, from 0.
        column: Its name there.
        name: The name that is sent.
        writes: The field that is written: of ``Account.Ext__c`` it is ``AccountId``.
        field: What the values are values of: of ``Account.Ext__c`` it is the parent's field; ``None`` if nobody knows
            it.
        null_only: Whether only null has a meaning there: a parent as a column, as REST writes it.
    """

    place: int
    column: str
    name: str
    writes: FieldDescription
    field: FieldDescription | None
    null_only: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """What became of the columns: where each goes that can be sent, and what was found."""

    targets: tuple[Target, ...]
    findings: tuple[Finding, ...]


def fit(
    names: Sequence[str],
    described: SObjectDescription,
    operation: Operation,
    *,
    external_id: str | None = None,
    describe: Describe | None = None,
    drop: bool = False,
) -> Fit:
    """Check columns against an object.

    Args:
        names: The names of the columns, in order; those of constants behind them.
        described: The object.
        operation: What is done with its records; no query.
        external_id: The field that an upsert finds its records by.
        describe: Describes the objects of parents, if that is possible.
        drop: Leave out what cannot be sent, and warn, where it would be refused.
    """
    return _Fitting(described, operation, external_id, describe or (lambda _: None), drop=drop).fit(names)


def writable(described: SObjectDescription, operation: Operation, external_id: str | None = None) -> list[str]:
    """Give the names of the fields that a column may go to: what is not among them is no suggestion."""
    return _Fitting(described, operation, external_id, lambda _: None, drop=False).writable()


class _Unfit(Exception):
    """A column goes nowhere; ``near`` are the fields that may have been meant."""

    def __init__(self, kind: Kind, text: str, remedy: str, near: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.kind, self.text, self.remedy, self.near = kind, text, remedy, near


class _Fitting:
    def __init__(
        self,
        described: SObjectDescription,
        operation: Operation,
        external_id: str | None,
        describe: Describe,
        *,
        drop: bool,
    ) -> None:
        self._described = described
        self._operation = operation
        self._describe = describe
        self._unfit_is = Severity.DROP if drop else Severity.REFUSE
        key = None if operation is Operation.INSERT else external_id if operation is Operation.UPSERT else "Id"
        field = field_of(described, key or "")
        self._key = field.name if field else key
        self._near: set[str] = set()
        self._relationships = {
            field.relationship_name.lower(): field for field in described.fields if field.relationship_name
        }

    def fit(self, names: Sequence[str]) -> Fit:
        findings = list(self._key_field())
        targets = []
        has_id = any(trimmed(name).lower() == "id" for name in names)
        for place, name in enumerate(names):
            try:
                target, found = self._column(place, name, has_id=has_id)
            except _Unfit as unfit:
                findings.append(Finding(unfit.kind, self._unfit_is, name, unfit.text, unfit.remedy))
                # A column that is dropped holds nothing, whatever it was meant for.
                if self._unfit_is is Severity.REFUSE:
                    self._near.update(unfit.near)
                continue
            findings += found
            targets += [target] if target else []
        targets, twice = self._once(targets)
        findings += twice
        findings += self._missing(targets)
        return Fit(tuple(targets), tuple(findings))

    def _key_field(self) -> Iterator[Finding]:
        """See that an upsert has a field to find records by."""
        if self._operation is not Operation.UPSERT:
            return
        keys = [field.name for field in self._described.fields if _is_key(field)]
        remedy = (
            f"Give one of {listed(keys)}." if keys else f"Mark a field of {self._described.name} as external id first."
        )
        field = field_of(self._described, self._key or "")
        if self._key is None:
            yield Finding(
                Kind.NO_KEY, Severity.REFUSE, None, "An upsert finds its records by a field, and none is given.", remedy
            )
        elif field is None:
            near = meant(self._key, keys)
            remedy = f"Did you mean {listed(near)}?" if near else remedy
            text = f"{shown(self._key)}, the field to find records by, is no field of {self._described.name}."
            yield Finding(Kind.NO_KEY, Severity.REFUSE, None, text, remedy)
        elif not _is_key(field):
            text = f"{field.name} is neither an external id nor a lookup field, so no upsert can find records by it."
            yield Finding(Kind.NO_KEY, Severity.REFUSE, None, text, remedy)

    def _column(self, place: int, given: str, *, has_id: bool) -> tuple[Target | None, list[Finding]]:
        name = trimmed(given)
        if not name:
            remedy = (
                f"Give column {place + 1} a name, or leave it out; pandas writes no index with to_csv(..., "
                "index=False). Or load without such columns (--on-unknown-column drop)."
            )
            raise _Unfit(Kind.NAMELESS, f"Column {place + 1} has no name.", remedy)
        if name.lower().startswith(_OURS):
            if name.lower() != "sf__id" or has_id or not self._is_key_name("Id"):
                return None, [_not_sent(given, f"{shown(given)} is a column of a report and no field.")]
            name = "Id"
        if name == "attributes" or name.startswith("attributes."):
            return None, [_not_sent(given, f"{shown(given)} is what REST says about a record, and no field.")]
        if self._operation in _DELETES and name.lower() != "id":
            return None, [_not_sent(given, f"A {self._operation} sends ids alone, so {shown(given)} stays here.")]
        target = self._target(place, given, name)
        found = list(self._hindered(target))
        if target.null_only:
            text = (
                f"{shown(given)} is a parent and no field: null in it empties {target.writes.name}, and nothing "
                "else has a place there."
            )
            found.append(
                Finding(
                    Kind.PARENT_NULL,
                    Severity.WARN,
                    given,
                    text,
                    f"Give {target.writes.name}, or a field of the parent.",
                )
            )
        elif target.name.lower() != given.lower():
            text = f"{shown(given)} is read as {target.name}."
            found.append(Finding(Kind.SPELLING, Severity.WARN, given, text, f"Call the column {target.name}."))
        return target, found

    def _target(self, place: int, given: str, name: str) -> Target:
        field = field_of(self._described, name)
        if field:
            return Target(place, given, field.name, field, field)
        path = parent_path(name)
        if path:
            return self._parent(place, given, path)
        reference = self._relationships.get(name.lower())
        if reference:
            return Target(place, given, reference.name, reference, reference, null_only=True)
        if name.count(".") > 1:
            remedy = "Give a field of the parent itself, such as Account.Ext__c."
            raise _Unfit(
                Kind.PARENT_TOO_FAR, f"{shown(given)} goes more than one parent up, which a load cannot.", remedy
            )
        raise self._unknown(given, name)

    def _unknown(self, given: str, name: str) -> _Unfit:
        text = f"{shown(given)} is no field of {self._described.name}."
        fields = labelled(self._described, name)
        people_see = [field.name for field in fields if self._can_write(field)]
        if fields and not people_see:
            return self._unwritable(given, fields[0])
        if people_see:
            named = f"{shown(given)} is the label of {' and '.join(people_see)}, and a load needs the name."
            remedy = (
                f"Call the column {' or '.join(people_see)}, or map it: suggest_map (bulkforce map) writes a first map."
            )
            return _Unfit(Kind.LABEL, named, remedy, people_see)
        mark = next((mark for mark in ";\t|^" if mark in name), None)
        if mark:
            remedy = f"The file seems to have {shown(mark)} between its columns; give it as delimiter (--delimiter)."
            return _Unfit(Kind.UNKNOWN, text, remedy)
        near = meant(name, self.writable())
        if near:
            return _Unfit(Kind.UNKNOWN, text, f"Did you mean {' or '.join(near)}?", near)
        return _Unfit(
            Kind.UNKNOWN,
            text,
            "Leave the column out, or map it to a field; the user may also lack the right to see the field.",
        )

    def _parent(self, place: int, given: str, path: ParentPath) -> Target:
        reference = self._relationships.get(path.relationship.lower())
        if reference is None:
            raise self._unknown_relationship(given, path)
        relationship = reference.relationship_name or path.relationship
        # Owners are users and queues in every org, and found with and without a word which.
        is_owner = reference.name == "OwnerId"
        parents = list(dict.fromkeys((*reference.reference_to, *(("User", "Group") if is_owner else ()))))
        several = reference.polymorphic_foreign_key or len(parents) > 1
        kind = next((one for one in parents if path.type and one.lower() == path.type.lower()), None)
        field = self._parent_field(given, path.field, [kind] if kind else parents, relationship)
        right = ParentPath(relationship, field.name if field else path.field, (kind or path.type) if several else None)
        if several and not path.type and not is_owner:
            text = f"The parent {relationship} may be of several objects, and {shown(given)} does not say of which."
            examples = listed((str(replace(right, type=one)) for one in parents), 3)
            raise _Unfit(Kind.PARENT_TYPE, text, f"Give one of {examples}.")
        if path.type and kind is None and parents:
            text = (
                f"{shown(given)} names {path.type}, and the parent {relationship} is never one; it is of "
                f"{listed(parents)}."
            )
            raise _Unfit(
                Kind.PARENT_TYPE, text, f"Call the column {replace(right, type=parents[0] if several else None)}."
            )
        if path.type and not several and not path.of_data_loader:
            text = f"The parent {relationship} is always of the same object, and then the org takes no object's name."
            raise _Unfit(Kind.PARENT_TYPE, text, f"Call the column {right}.")
        return Target(place, given, str(right), reference, field)

    def _unknown_relationship(self, given: str, path: ParentPath) -> _Unfit:
        field = field_of(self._described, path.relationship)
        text = f"{self._described.name} has no parent called {path.relationship}, as {shown(given)} says."
        if field and field.relationship_name:
            right = ParentPath(field.relationship_name, path.field, path.type)
            return _Unfit(
                Kind.UNKNOWN_PARENT,
                text,
                f"{field.name} is the field; the parent is {field.relationship_name}: {right}.",
            )
        known = [
            one.relationship_name for one in self._described.fields if one.relationship_name and self._can_write(one)
        ]
        near = meant(path.relationship, known)
        remedy = f"Did you mean {' or '.join(str(replace(path, relationship=one)) for one in near)}?" if near else ""
        return _Unfit(
            Kind.UNKNOWN_PARENT, text, remedy or f"Its parents are {listed(known)}." if known else "It has no parents."
        )

    def _parent_field(
        self, given: str, name: str, parents: Sequence[str], relationship: str
    ) -> FieldDescription | None:
        """Find the field that a parent is found by; ``None`` if not all objects that it may be of can be described."""
        described = [one for one in map(self._describe, parents) if one]
        found = [field for one in described if (field := field_of(one, name))]
        good = next(filter(_is_key, found), None)
        if good or len(described) < len(parents) or not parents:
            return good
        keys = dict.fromkeys(field.name for one in described for field in one.fields if _is_key(field))
        near = [name for name in meant(name, keys) if not found]
        remedy = (
            f"Did you mean {relationship}.{near[0]}?"
            if near
            else f"Records of {parents[0]} are found by {listed(keys)}."
        )
        what = "neither an external id nor a lookup field" if found else "no field"
        raise _Unfit(
            Kind.NO_KEY,
            f"{shown(given)}: {name} is {what} of {' or '.join(parents[:3])}, so no parent is found by it.",
            remedy,
        )

    def _hindered(self, target: Target) -> Iterator[Finding]:
        """See that a field can be written by what is done; raises what makes the column unfit, gives what does so for
        some rows.
        """
        field, name = target.writes, target.writes.name
        if target.name == name and self._is_key_name(name):
            return
        if name == "Id":
            remedy = (
                "Leave the column out."
                if self._operation is Operation.INSERT
                else f"Leave it out: records are found by {self._key}."
            )
            raise _Unfit(
                Kind.UNWRITABLE, f"{shown(target.column)} cannot be given: the org gives new records their ids.", remedy
            )
        create, update = field.createable, field.updateable
        if self._operation is Operation.UPSERT and create != update:
            what = "new" if update else "old"
            text = (
                f"{shown(target.column)} cannot be given for {what} records, so an upsert fails for every row that "
                f"{'makes' if update else 'finds'} one."
            )
            yield Finding(
                Kind.UNWRITABLE, Severity.WARN, target.column, text, f"Load {what} records apart, without {name}."
            )
        elif not (create if self._operation is Operation.INSERT else update):
            raise self._unwritable(target.column, field)

    def _unwritable(self, given: str, field: FieldDescription) -> _Unfit:
        why, remedy = self._why_unwritable(field)
        return _Unfit(Kind.UNWRITABLE, f"{shown(given)} cannot be written by this {self._operation}: {why}.", remedy)

    def writable(self) -> list[str]:
        """Give the names of the fields that may be written, if only in some rows."""
        return [field.name for field in self._described.fields if self._can_write(field)]

    def _can_write(self, field: FieldDescription) -> bool:
        with suppress(_Unfit):
            deque(self._hindered(Target(0, field.name, field.name, field, field)), 0)
            return True
        return False

    def _why_unwritable(self, field: FieldDescription) -> tuple[str, str]:
        parts = [one.name for one in self._described.fields if one.compound_field_name == field.name != one.name]
        if parts:
            return f"{field.name} is put together from other fields", f"Give {listed(parts, 9)}."
        if field.calculated:
            return f"{field.name} is a formula", "Leave the column out."
        if field.auto_number:
            return f"the org numbers {field.name} itself", "Leave the column out."
        if field.name.lower() in _AUDIT:
            remedy = (
                "Leave the column out; new records may have it with the permission to set audit fields upon "
                "record creation."
            )
            return f"the org keeps {field.name} itself", remedy
        if field.createable:
            return f"{field.name} stays as it was when the record was made", "Leave the column out."
        return (
            "the user may not write it, or nobody may",
            f"Leave the column out, or give the user the right to edit {field.name}.",
        )

    def _is_key_name(self, name: str) -> bool:
        return self._key is not None and self._key.lower() == name.lower()

    def _once(self, targets: list[Target]) -> tuple[list[Target], list[Finding]]:
        """See that each field is written by one column: the org takes no field twice, nor a parent beside its id."""
        writers: dict[str, list[Target]] = {}
        for target in targets:
            writers.setdefault(target.writes.name, []).append(target)
        left_out, findings = set(), []
        for field, ones in writers.items():
            plain = [one for one in ones if one.name == field and not one.null_only]
            for one in ones[1:] if not plain else [one for one in ones if one is not plain[0]]:
                first = plain[0] if plain else ones[0]
                text = f"{shown(first.column)} and {shown(one.column)} both go to {field}."
                # Where a column may be dropped, the field itself is sent, and not its record by another name.
                drop = self._unfit_is is Severity.DROP and bool(plain) and one not in plain
                remedy = f"{shown(first.column)} is sent." if drop else "Leave one of them out."
                severity = Severity.DROP if drop else Severity.REFUSE
                findings.append(Finding(Kind.TWICE, severity, one.column, text, remedy))
                left_out |= {one.place} if drop else set()
        return [target for target in targets if target.place not in left_out], findings

    def _missing(self, targets: list[Target]) -> Iterator[Finding]:
        # Of a field that may have been meant by a column it is said there.
        given = {target.writes.name for target in targets if not target.null_only} | self._near
        key = field_of(self._described, self._key or "")
        if key and key.name not in self._near and not any(self._is_key_name(one.name) for one in targets):
            text = f"No column holds {self._key}, by which this {self._operation} finds its records."
            yield Finding(Kind.MISSING_KEY, Severity.REFUSE, None, text, f"Add a column {self._key}, or map one to it.")
        if self._operation not in {Operation.INSERT, Operation.UPSERT}:
            return
        makes_all = self._operation is Operation.INSERT
        for field in self._described.fields:
            if is_required(field) and field.name not in given:
                text = f"No column fills {field.name}, which a new {self._described.name} must have."
                severity = Severity.REFUSE if makes_all else Severity.WARN
                yield Finding(
                    Kind.REQUIRED, severity, None, text, f"Add a column {field.name}, or give it as a constant."
                )


def parents_twice(names: Iterable[str]) -> tuple[Finding, ...]:
    """Find parents beside their ids by the names alone, for an object that is not known: ``Account.Ext__c`` goes to
    ``AccountId``, and ``Plant__r.Ext__c`` to ``Plant__c``.
    """
    given = {trimmed(name).lower(): name for name in names}
    found = []
    for name in given.values():
        path = parent_path(trimmed(name))
        relationship = path.relationship.lower() if path else ""
        field = f"{relationship[:-1]}c" if relationship.endswith("__r") else f"{relationship}id"
        if path and field in given:
            text = f"{shown(given[field])} and {shown(name)} both go to {given[field]}."
            found.append(Finding(Kind.TWICE, Severity.REFUSE, name, text, "Leave one of them out."))
    return tuple(found)


def is_required(field: FieldDescription) -> bool:
    """Whether a new record must have a value in a field, because it may not be empty and the org does not fill it."""
    filled = field.defaulted_on_create or field.calculated or field.auto_number or field.type == "boolean"
    return field.createable and not field.nillable and not filled


def _is_key(field: FieldDescription) -> bool:
    """Whether records are found by a field."""
    return field.external_id or field.id_lookup or field.name == "Id"


def _not_sent(column: str, text: str) -> Finding:
    return Finding(Kind.NOT_SENT, Severity.DROP, column, text, "Nothing to do.")
