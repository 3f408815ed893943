"""What can be known of a load before anything is sent: its columns are fitted to the object, and its values looked at
as they are read. Dry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias

from bulkforce.errors import DoesNotFit
from bulkforce.formats import csv
from bulkforce.load.mapping import Shape
from bulkforce.objects.columns import Describe, Finding, Fit, Kind, Severity, fit
from bulkforce.objects.names import meant
from bulkforce.objects.values import CsvValues, Summary, ValueFinding, columns_of, moved
from bulkforce.protocol.rest import SObjectDescription
from bulkforce.vocabulary import Operation

OnUnknownColumn: TypeAlias = Literal["refuse", "drop"]
Values: TypeAlias = Literal["warn", "refuse", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Whether a source fits an object: all that was found, and nothing was sent.

    Attributes:
        object: The object.
        operation: What is to be done with the records.
        read: Records in the source.
        rejected: Records that no batch may hold, because they are over a limit or are no records.
        described: Whether the org told what fields the object has; without that, only the form of the file was checked.
        columns: What was found about columns. What has the severity ``refuse`` stops a load.
        values: What was found about values, by column and cause. Rows with ``refuse`` would be refused by the org; a
            load goes on with the others, unless it was begun with ``values="refuse"``.
    """

    object: str
    operation: str
    read: int
    rejected: int
    described: bool
    columns: tuple[Finding, ...] = ()
    values: tuple[ValueFinding, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether a load can begin, and no row is known that the org would refuse."""
        return not (
            self.unfit or self.rejected or any(found.problem.severity is Severity.REFUSE for found in self.values)
        )

    @property
    def unfit(self) -> tuple[Finding, ...]:
        """What stops a load."""
        return tuple(found for found in self.columns if found.severity is Severity.REFUSE)

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(asdict(self) | {"fits": self.fits}, indent=2, ensure_ascii=False)

    def raise_if_unfit(self, values: Values = "warn") -> None:
        """Stop a load that cannot work.

        Args:
            values: Whether values stop it, too.

        Raises:
            DoesNotFit: It cannot.
        """
        wrong = [f"{found.text} {found.remedy}" for found in self.unfit]
        if values == "refuse":
            refused = [found for found in self.values if found.problem.severity is Severity.REFUSE]
            wrong += [f"{told(found)} {found.problem.remedy}" for found in refused]
        if wrong:
            error = DoesNotFit(f"The source does not fit {self.object}, so nothing was sent:", wrong)
            error.report = self
            raise error


def told(found: ValueFinding) -> str:
    """Say what is wrong with values, without showing one."""
    rows = (
        f"row {found.first_row:,}"
        if found.count == 1
        else f"{found.count:,} rows, the first of them row {found.first_row:,}"
    )
    return f"{found.column}: the value {found.problem.text} ({rows})."


def unknown_object(name: str, known: tuple[str, ...]) -> Finding:
    """Say that an object is not there, and which may have been meant."""
    near = meant(name, known)
    remedy = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else "Give its API name; the user may also lack the right to see it."
    )
    return Finding(Kind.UNKNOWN_OBJECT, Severity.REFUSE, None, f"{name} is no object of this org.", remedy)


class Checking:
    """Checks one load while its source is read.

    Args:
        name: The object.
        operation: What is done with the records.
        external_id: The field that an upsert finds its records by.
        describe: Describes this object, and those of parents.
        is_missing: Says that the org has no such object, if it has not.
        on_unknown_column: Whether columns that cannot be sent stop the load, or are left out.
        values: Whether values are looked at.
    """

    def __init__(
        self,
        name: str,
        operation: Operation,
        external_id: str | None,
        describe: Describe,
        is_missing: Callable[[str], Finding | None],
        *,
        on_unknown_column: OnUnknownColumn = "refuse",
        values: Values = "warn",
    ) -> None:
        self._name, self._operation, self._external_id = name, operation, external_id
        self._describe, self._is_missing = describe, is_missing
        self._described: SObjectDescription | None = None
        self._drop, self._skip = on_unknown_column == "drop", values == "skip"
        self._fit = Fit((), ())
        self._constants = Summary()
        self._values: CsvValues | None = None

    def shape(self, wanted: Shape) -> Shape | None:
        """Fit what a map makes of the columns to the object.

        Returns:
            What can be sent; ``None`` if nothing can.
        """
        self._described = self._describe(self._name)
        if self._described is None:
            missing = self._is_missing(self._name)
            self._fit = Fit((), (missing,) if missing else ())
            return None if missing else wanted
        self._fit = fit(
            wanted.names,
            self._described,
            self._operation,
            external_id=self._external_id,
            describe=self._describe,
            drop=self._drop,
        )
        sent = len(wanted.taken)
        targets = [target for target in self._fit.targets if target.place < sent]
        constants = [target for target in self._fit.targets if target.place >= sent]
        if not targets:
            return None
        shape = replace(
            wanted,
            taken=tuple(wanted.taken[target.place] for target in targets),
            names=tuple(target.name for target in (*targets, *constants)),
            constants=tuple(wanted.constants[target.place - sent] for target in constants),
        )
        if not self._skip:
            self._look_at(wanted, sent)
        return shape

    def _look_at(self, wanted: Shape, sent: int) -> None:
        assert self._described is not None
        key = self._external_id
        columns = columns_of(
            self._fit.targets,
            self._operation,
            key=key,
            prefixes=self._prefixes(self._described),
            empty_as_null=wanted.empty_as_null,
        )
        for column in columns:
            if column.target.place >= sent:
                value = wanted.constants[column.target.place - sent]
                if problem := column.judge(value):
                    self._constants.add(column.target, problem, 1, value)
        of_source = [
            moved(column, wanted.taken[column.target.place]) for column in columns if column.target.place < sent
        ]
        self._values = CsvValues(of_source, len(wanted.source))

    def _prefixes(self, described: SObjectDescription) -> Mapping[str, str]:
        known = {"Id": described.key_prefix, described.name: described.key_prefix}
        return {name: prefix for name, prefix in known.items() if prefix}

    def look(self, unit: csv.Unit) -> None:
        """Look at the next records."""
        if self._values is not None:
            self._values.add(unit)

    def report(self, read: int, rejected: int) -> CheckReport:
        """Say what was found."""
        values = [*self._constants.findings(), *(self._values.findings() if self._values else ())]
        return CheckReport(
            object=self._described.name if self._described else self._name,
            operation=self._operation,
            read=read,
            rejected=rejected,
            described=self._described is not None,
            columns=self._fit.findings,
            values=tuple(values),
        )
