"""Which field each column of a source is probably meant for: a first map, for its user to edit.

A column matches by a field's name in any letter case, by the field's label, or by a parent as any tool spells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bulkforce.formats.text import trimmed
from bulkforce.objects.columns import Describe, Finding, Fit, Kind, Target, fit, writable
from bulkforce.objects.names import labelled, meant
from bulkforce.protocol.rest import SObjectDescription
from bulkforce.vocabulary import Operation


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """A column of a source, and the field that it is probably meant for.

    Attributes:
        column: The column.
        field: The field; ``None`` if there is none that it could go to.
        why: How the field was found, if not by its name; or why there is none, and what to do.
        suggestions: Where there is none: fields that may be meant, the likeliest first.
    """

    column: str
    field: str | None
    why: str = ""
    suggestions: tuple[str, ...] = ()


def match(
    names: Sequence[str],
    described: SObjectDescription,
    operation: Operation,
    *,
    external_id: str | None = None,
    describe: Describe | None = None,
) -> tuple[list[ColumnMatch], list[Finding]]:
    """Match columns with the fields of an object.

    Args:
        names: The names of the columns, in order.
        described: The object.
        operation: The operation to run on its records.
        external_id: The external id field of an upsert.
        describe: Describes the objects of parents.

    Returns:
        A match for each column; and what is missing besides: a key, or fields that new records must have.
    """
    fitted = partial(
        fit, described=described, operation=operation, external_id=external_id, describe=describe, drop=True
    )
    fields = writable(described, operation, external_id)
    found = [_of_column(name, described, fields, fitted) for name in names]
    winners = _winners(names, [target for _, target in found])
    matches = []
    for place, (one, target) in enumerate(found):
        first = None if target is None else winners[target.writes.name]
        if target is None or first == place:
            matches.append(one)
        else:
            matches.append(
                ColumnMatch(one.column, None, f"{names[first or 0]!r} goes to {target.writes.name} already.")
            )
    missing = fitted([one.field for one in matches if one.field]).findings
    return matches, [finding for finding in missing if finding.column is None]


def _of_column(
    name: str, described: SObjectDescription, fields: Sequence[str], fitted: partial[Fit]
) -> tuple[ColumnMatch, Target | None]:
    found = fitted([name])
    if found.targets:
        (target,) = found.targets
        if target.null_only:
            return ColumnMatch(name, None, f"A parent and no field; its id is {target.name}.", (target.name,)), None
        how = "" if name.lower() == target.name.lower() else f"read as {target.name}"
        return ColumnMatch(name, target.name, how), target
    problem = next(one for one in found.findings if one.column is not None)
    if problem.kind is Kind.LABEL:
        people_see = [field.name for field in labelled(described, trimmed(name)) if field.name in fields]
        if len(people_see) == 1:
            return ColumnMatch(name, people_see[0], "by its label"), fitted(people_see).targets[0]
        return ColumnMatch(name, None, f"The label of {len(people_see)} fields.", tuple(people_see)), None
    near = meant(name, fields) if problem.kind is Kind.UNKNOWN else ()
    return ColumnMatch(name, None, f"{problem.text} {problem.remedy}", tuple(near)), None


def _winners(names: Sequence[str], targets: Sequence[Target | None]) -> dict[str, int]:
    """Choose the column for each field that is written: the one with its very name, otherwise the first."""
    winners: dict[str, int] = {}
    for place, target in enumerate(targets):
        if target is not None:
            field = target.writes.name
            before = winners.setdefault(field, place)
            if names[before].lower() != field.lower() == names[place].lower():
                winners[field] = place
    return winners
