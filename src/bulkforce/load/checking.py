"""Checks a load before anything is sent: fits its columns to the object, and checks values as they are read. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, TypeAlias

from bulkforce.display import Display, Shown, Table, counted, cut
from bulkforce.errors import DoesNotFit
from bulkforce.formats import csv
from bulkforce.load.costs import Cost, costs_shown
from bulkforce.load.mapping import Shape
from bulkforce.objects.columns import Describe, Finding, Fit, Kind, Severity, fit, parents_twice
from bulkforce.objects.names import meant
from bulkforce.objects.notation import Cause
from bulkforce.objects.texts import NUMBERS
from bulkforce.objects.values import CsvValues, Summary, ValueFinding, columns_of, moved
from bulkforce.protocol.rest import SObjectDescription
from bulkforce.run.report import ErrorGroup, causes_shown
from bulkforce.vocabulary import Operation

OnUnknownColumn: TypeAlias = Literal["refuse", "drop"]
Values: TypeAlias = Literal["warn", "refuse", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CheckReport(Shown):
    """Whether a source fits an object: everything that the check found. Nothing was sent.

    Attributes:
        object: The object.
        operation: The operation to run on the records.
        read: Number of records in the source.
        rejected: Number of records that would not be sent: they exceed a limit, are malformed, or name a file that
            cannot be sent.
        rejections: The reasons, the most frequent first.
        skipped: Number of rows that are nothing but commas; like blank lines, they do not count as read.
        described: Whether the org described the object's fields; without that, only the form of the file was checked.
        columns: Findings about columns. Those with severity ``refuse`` stop a load.
        values: Findings about values, by column and cause. The org would refuse the rows of those with severity
            ``refuse``; a load still continues, unless it was started with ``values="refuse"``.
        costs: What a load would cost at least, over each API that can do it.
    """

    object: str
    operation: str
    read: int
    rejected: int
    described: bool
    skipped: int = 0
    columns: tuple[Finding, ...] = ()
    values: tuple[ValueFinding, ...] = ()
    rejections: tuple[ErrorGroup, ...] = ()
    costs: tuple[Cost, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether a load can start, and the check found no row that the org would refuse."""
        return not (
            self.unfit or self.rejected or any(found.problem.severity is Severity.REFUSE for found in self.values)
        )

    @property
    def heading(self) -> str:
        """The verdict in a line."""
        verdict = "fits" if self.fits else "does not fit"
        verdict = verdict if self.described else f"{verdict}, as far as can be said without the object's fields"
        return f"{self.operation} {self.object}: {counted(self.read, 'row')}; the source {verdict}; nothing was sent"

    @property
    def unfit(self) -> tuple[Finding, ...]:
        """The findings that stop a load."""
        return tuple(found for found in self.columns if found.severity is Severity.REFUSE)

    @property
    def formless(self) -> tuple[ValueFinding, ...]:
        """The findings about values that cannot be written for their field, which stop a load, too."""
        return tuple(found for found in self.values if found.problem.cause is Cause.NO_FORM)

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self) | {"fits": self.fits}, indent=2, ensure_ascii=False)

    def __repr__(self) -> str:
        found = f"{len(self.columns)} findings about columns, {len(self.values)} about values"
        return f"<CheckReport {self.operation} {self.object}: fits={self.fits}, read={self.read}, {found}>"

    def _display(self) -> Display:
        columns = [(str(one.severity), one.text, one.remedy, "") for one in self.columns]
        values = [
            (str(one.problem.severity), told(one), one.problem.remedy, cut(one.sample, 60)) for one in self.values
        ]
        header = ("", "finding", "remedy", "for example")
        found = [Table("", header, columns + values)] if columns or values else []
        rejections = causes_shown(self.rejections, "Rows that would not be sent")
        return Display(self.heading, [*found, *rejections, *costs_shown(self.costs)])

    def raise_if_unfit(self, values: Values = "warn") -> None:
        """Raise an error if a load cannot work.

        Args:
            values: With ``"refuse"``, values that the org would refuse are an error, too. Values that cannot be written
                for their field always are.

        Raises:
            DoesNotFit: The source does not fit the object.
        """
        wrong = [f"{found.text} {found.remedy}" for found in self.unfit]
        refused = [found for found in self.values if found.problem.severity is Severity.REFUSE]
        stopping = refused if values == "refuse" else self.formless
        wrong += [f"{told(found)} {found.problem.remedy}" for found in stopping]
        if wrong:
            error = DoesNotFit(f"The source does not fit {self.object}, so nothing was sent:", wrong)
            error.report = self
            raise error


def _said_once(values: Sequence[ValueFinding]) -> list[ValueFinding]:
    """Join what is said twice: values that are not in the notation given, and that the org would refuse for that."""

    def place(found: ValueFinding) -> tuple[str, str, int, int]:
        return found.column, found.field, found.count, found.first_row

    other = {place(found): found.problem for found in values if found.problem.cause is Cause.OTHER_NOTATION}
    refused = {place(found) for found in values if found.problem.severity is Severity.REFUSE} & other.keys()
    return [
        replace(found, problem=replace(found.problem, remedy=other[place(found)].remedy))
        if place(found) in refused
        else found
        for found in values
        if not (place(found) in refused and found.problem.cause is Cause.OTHER_NOTATION)
    ]


def told(found: ValueFinding) -> str:
    """Return the text of a finding about values, without showing a value."""
    rows = (
        f"row {found.first_row:,}"
        if found.count == 1
        else f"{'at least ' if found.is_least else ''}{found.count:,} rows, the first of them row {found.first_row:,}"
    )
    return f"{found.column}: the value {found.problem.text} ({rows})."


def unknown_object(name: str, known: tuple[str, ...]) -> Finding:
    """Return the finding that an object does not exist, with suggestions."""
    near = meant(name, known)
    remedy = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else "Use its API name; the user may also lack permission to see it."
    )
    return Finding(Kind.UNKNOWN_OBJECT, Severity.REFUSE, None, f"This org has no object {name}.", remedy)


_OTHER_THAN_CRLF: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_BINARY: Final = {"attachment.body", "contentversion.versiondata", "document.body"}
_DELETES: Final = {Operation.DELETE, Operation.HARD_DELETE}


class Checking:
    """Checks one load while its source is read.

    Args:
        name: The object.
        operation: The operation to run on the records.
        external_id: The external id field of an upsert.
        describe: Describes this object, and the objects of parents.
        is_missing: Returns a finding if the org has no such object.
        prefixes: Returns how the ids of objects begin.
        on_unknown_column: Whether columns that cannot be sent stop the load or are dropped.
        values: Whether values are checked.
        keeps_line_ends: Whether the org keeps line ends of Windows.
        only_crlf: Whether all line ends are written as those of Windows, inside values too.
    """

    def __init__(
        self,
        name: str,
        operation: Operation,
        external_id: str | None,
        describe: Describe,
        is_missing: Callable[[str], Finding | None],
        prefixes: Callable[[], Mapping[str, str]],
        *,
        on_unknown_column: OnUnknownColumn = "refuse",
        values: Values = "warn",
        keeps_line_ends: bool = False,
        only_crlf: bool = False,
    ) -> None:
        self._keeps_line_ends, self._only_crlf = keeps_line_ends, only_crlf
        self._rewritten = 0
        self._name, self._operation, self._external_id = name, operation, external_id
        self._describe, self._is_missing, self._prefixes = describe, is_missing, prefixes
        self._described: SObjectDescription | None = None
        self._drop, self._skip = on_unknown_column == "drop", values == "skip"
        self._fit = Fit((), ())
        self._constants = Summary()
        self._values: CsvValues | None = None

    def shape(self, wanted: Shape) -> Shape | None:
        """Fit the mapped columns to the object.

        Returns:
            The columns that can be sent; ``None`` if there are none.
        """
        self._described = self._describe(self._name)
        if self._described is None:
            missing = self._is_missing(self._name)
            twice = parents_twice(wanted.names)
            self._fit = Fit((), (missing,) if missing else twice)
            return None if missing or twice else self._with_files(wanted)
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
            numbers=tuple(
                wanted.taken[target.place] for target in targets if target.field and target.field.type in NUMBERS
            ),
        )
        if not self._skip:
            self._look_at(wanted, sent)
        binary = [target.name for target in self._fit.targets if target.field and target.field.type == "base64"]
        return replace(shape, files=tuple(shape.names.index(name) for name in binary))

    def _with_files(self, shape: Shape) -> Shape:
        """Mark the binary fields of an object that is not described."""
        name = f"{self._name}.".lower()
        places = (place for place, one in enumerate(shape.names) if name + one.lower() in _BINARY)
        return shape if self._operation in _DELETES else replace(shape, files=tuple(places))

    def _look_at(self, wanted: Shape, sent: int) -> None:
        assert self._described is not None
        key = self._external_id
        columns = columns_of(
            self._fit.targets,
            self._operation,
            key=key,
            object_name=self._described.name,
            prefixes=self._known_prefixes(self._described),
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

    def _known_prefixes(self, described: SObjectDescription) -> Mapping[str, str]:
        """Return how the ids of objects begin; the org is asked only if the source has ids of others."""
        fields = [target.field for target in self._fit.targets if target.field]
        others = any(set(field.reference_to) - {described.name} for field in fields if field.type == "reference")
        known = {described.name: described.key_prefix} | (dict(self._prefixes()) if others else {})
        return {name: prefix for name, prefix in known.items() if prefix}

    def look(self, unit: csv.Unit) -> None:
        """Check the next records."""
        if self._values is not None:
            self._values.add(unit)
        if self._only_crlf and b'"' in unit.content:
            # Every other piece stands in quotes.
            inside = (unit.pieces or unit.content.split(b'"'))[1::2]
            self._rewritten += sum(_OTHER_THAN_CRLF.search(piece) is not None for piece in inside)

    def _line_ends(self) -> list[Finding]:
        if not self._rewritten:
            return []
        text = (
            f"{counted(self._rewritten, 'value')} {'has' if self._rewritten == 1 else 'have'} plain line ends, which "
            "become those of Windows (CRLF): all lines of a job of Bulk API 2.0 end alike."
        )
        remedy = "To keep them, load without line_ending (--line-ending)."
        return [Finding(Kind.LINE_ENDS, Severity.WARN, None, text, remedy)]

    def report(self, read: int, rejected: int, skipped: int = 0, of_forms: Sequence[ValueFinding] = ()) -> CheckReport:
        """Return the report of the check.

        Args:
            read: Number of records in the source.
            rejected: Number of records that fit in no batch.
            skipped: Number of rows that are nothing but commas.
            of_forms: What was found while values were written for their fields.
        """
        values = [*of_forms, *self._constants.findings(), *(self._values.findings() if self._values else ())]
        if self._keeps_line_ends:
            values = [found for found in values if found.problem.cause is not Cause.CARRIAGE_RETURN]
        values = _said_once(values)
        return CheckReport(
            object=self._described.name if self._described else self._name,
            operation=self._operation,
            read=read,
            rejected=rejected,
            skipped=skipped,
            described=self._described is not None,
            columns=(*self._fit.findings, *self._line_ends()),
            values=tuple(values),
        )
