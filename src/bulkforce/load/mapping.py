"""Maps the source's columns to the org's fields: renames, drops, and adds constants.

A map is a TOML file, a Data Loader ``.sdl`` file, or a dict::

    [columns]              # column of the source = field of the org; "" drops the column
    "E-mail" = "Email"
    Notes = ""
    Born = { field = "Birthdate", date_format = "%d.%m.%Y" }    # also decimal_comma, time_zone, true, false
    [constants]            # field of the org = the same value for every record
    LeadSource = "Import"

Columns that a TOML file or dict does not name stay as they are; those that an ``.sdl`` file does not name are dropped,
as in Data Loader.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.csv import NULL, quote, units
from bulkforce.formats.excel import unescaped
from bulkforce.formats.naming import naming
from bulkforce.formats.text import decoded, trimmed, with_line_feeds
from bulkforce.objects.texts import TextNotation
from bulkforce.protocol.wire_csv import rows

ESCAPED: Final = "sf__Escaped"
"""The column that says whether values of a record were kept from being formulas; see `bulkforce.formats.excel`."""
OUR_COLUMNS: Final = ("sf__Id", "sf__Created", "sf__Error", "sf__Row", ESCAPED)
"""Columns that our own outputs add; they are left out when such a file is loaded again."""
_OUR_ID: Final = OUR_COLUMNS[0]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What a user wants done with the columns.

    Attributes:
        columns: Column of the source -> field of the org; an empty field drops the column.
        constants: Field of the org -> its value in every record.
        only_named: Whether to drop the columns that are not named.
        notations: Column of the source -> in what notation its texts are.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    only_named: bool = False
    notations: Mapping[str, TextNotation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arguments.texts(self.columns, "The columns of a map")
        arguments.texts(self.constants, "The constants of a map")
        arguments.flag(self.only_named, "only_named of a map")
        if not isinstance(self.notations, Mapping):
            raise UsageError(
                "The notations of a map must be a mapping of columns to TextNotation, not "
                f"{arguments.shown(self.notations)}"
            )
        notations = {
            arguments.text(column, "A column of a map"): notation_from(told) for column, told in self.notations.items()
        }
        object.__setattr__(self, "notations", notations)

    def fields_of(self, column: str) -> list[str]:
        """Return the fields that a column goes to."""
        lowered = column.lower()
        target = next((to for name, to in self.columns.items() if name.lower() == lowered), None)
        if target is None:
            return [] if self.only_named else [column]
        return [one for one in re.split(r"\s*,\s*", target) if one.strip()]

    def notation_of(self, column: str) -> TextNotation | None:
        """Return the notation of a column's texts, if the map gives one."""
        lowered = column.lower()
        return next((told for name, told in self.notations.items() if name.lower() == lowered), None)


@dataclass(frozen=True, slots=True)
class Shape:
    """How each record is converted before it is sent.

    Attributes:
        source: Names of the source's columns.
        taken: Places of the columns that are sent, in order.
        names: Names of the fields that are sent, constants last.
        constants: Values of the constants.
        empty_as_null: Whether to send an empty value as ``#N/A``.
        files: Places of the values, as sent, that are binary; then batches are zips.
        numbers: Places of the source's columns that go to fields of numbers.
        line_end: What every line must end with, those inside values too; empty if they may be as in the source.
    """

    source: tuple[str, ...]
    taken: tuple[int, ...]
    names: tuple[str, ...]
    constants: tuple[str, ...] = ()
    empty_as_null: bool = False
    files: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    line_end: str = ""

    @property
    def header(self) -> bytes:
        """The header that is sent, with its line end."""
        return self._ended(",".join(map(quote, self.names)).encode() + b"\n")

    @property
    def keeps_bytes(self) -> bool:
        """Whether the records are sent exactly as they are in the source."""
        return self._keeps_values and not self.line_end

    @property
    def _keeps_values(self) -> bool:
        in_order = self.taken == tuple(range(len(self.source)))
        return in_order and not (self.constants or self.empty_as_null or self.files)

    @property
    def id_place(self) -> int | None:
        """The place of the column that is sent as the record's id, if any."""
        return next((place for place, name in zip(self.taken, self.names, strict=False) if name.lower() == "id"), None)

    def apply(self, content: bytes) -> bytes:
        """Convert whole records.

        Raises:
            FormatError: They do not have the source's columns.
        """
        return self._ended(content if self._keeps_values else self.written(self.rows(content)))

    def stream(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Convert records block by block, header first; the same bytes as `apply` makes of all of them.

        Raises:
            FormatError: They do not have the source's columns.
        """
        yield self.header
        if self._keeps_values:
            carry = b""
            for block in blocks:
                # A CR that ends the block may be half of a CRLF.
                content = carry + block
                carry = b"\r" if content.endswith(b"\r") else b""
                yield self._ended(content.removesuffix(carry))
            yield self._ended(carry)
            return
        for unit in units(blocks, len(self.source)):
            yield self.apply(unit.content)

    def _ended(self, content: bytes) -> bytes:
        """Write the line ends that the job has: one of the other kind, wherever it stands, fails a whole job of 2.0."""
        content = with_line_feeds(content) if self.line_end else content
        return content.replace(b"\n", b"\r\n") if self.line_end == "\r\n" else content

    def rows(self, content: bytes) -> Iterator[list[str]]:
        """Yield the values of whole records, as they are sent.

        Raises:
            FormatError: They do not have the source's columns.
        """
        flag = self.source.index(ESCAPED) if ESCAPED in self.source else None
        for row in rows_of(content):
            if len(row) != len(self.source):
                raise FormatError(f"A record has {len(row)} fields where the header has {len(self.source)}")
            values = [row[place] for place in self.taken]
            if flag is not None and row[flag]:
                values = list(map(unescaped, values))
            if self.empty_as_null:
                values = [value or NULL for value in values]
            yield [*values, *self.constants]

    def written(self, rows: Iterable[Sequence[str]]) -> bytes:
        """Write records for sending."""
        text = io.StringIO(newline="")
        # See formats.csv.encode for the line end.
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


def rows_of(content: bytes) -> list[list[str]]:
    """Split records, with the standard library's reader if its limits, which are process-wide, allow it."""
    text = decoded(content)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error:
        return list(rows(text))


def shape(
    source: Sequence[str],
    column_map: ColumnMap,
    *,
    empty_as_null: bool = False,
    by_id: bool = False,
    without: Collection[int] = (),
    line_end: str = "",
) -> Shape:
    """Apply a map to the names of a source's columns.

    Args:
        source: The names.
        column_map: The map.
        empty_as_null: Whether to send an empty value as ``#N/A``.
        by_id: Whether records are found by their ids. If the source has no id column of its own, the ids that an
            earlier load wrote into its outputs are used.
        without: The places of columns that are left out.
        line_end: What every line must end with; empty if that does not matter.

    Raises:
        UsageError: The map names a column that the source does not have, two columns go to one field, or no column is
            left.
    """
    known = {name.lower(): name for name in source}
    targets = {}
    for given, target in column_map.columns.items():
        column = given if given.lower() in known else trimmed(given)
        if column.lower() not in known:
            raise UsageError(
                f"The map names the column {arguments.shown(column)}, "
                f"which the source does not have; it has: {', '.join(source)}"
            )
        targets[known[column.lower()]] = target
    taken, names = [], []
    for place, name in enumerate(source):
        if place in without:
            continue
        if name in OUR_COLUMNS and name not in targets:
            if name != _OUR_ID or not by_id or "id" in known:
                continue
            targets[name] = "Id"
        target = targets.get(name, "" if column_map.only_named else name or " ")
        # A column without a name is kept, so that the check can report it.
        wanted = [name] if target and not target.strip() else filter(None, re.split(r"\s*,\s*", target))
        for one in wanted:
            taken.append(place)
            names.append(one)
    names += column_map.constants
    lowered = [name.lower() for name in names]
    twice = next((name for name in names if name.strip() and lowered.count(name.lower()) > 1), None)
    if twice:
        raise UsageError(f"Two columns map to the field {arguments.shown(twice)}")
    if not taken:
        raise UsageError("No column of the source is left to send")
    return Shape(
        tuple(source),
        tuple(taken),
        tuple(names),
        tuple(column_map.constants.values()),
        empty_as_null,
        line_end=line_end,
    )


def read_map(given: str | Path | Mapping[str, str | None] | ColumnMap | None) -> ColumnMap:
    """Read a map from a TOML file, an ``.sdl`` file, or a dict of columns to fields (``None`` drops).

    Raises:
        UsageError: The file cannot be read or has neither form.
    """
    if given is None:
        return ColumnMap()
    if isinstance(given, Mapping):
        return ColumnMap({column: "" if target is None else target for column, target in given.items()})
    if isinstance(given, ColumnMap):
        return given
    from bulkforce.formats import toml

    path = arguments.path(given, "The map")
    with naming(path.name):
        return _sdl(toml.read_text(path, "The map")) if path.suffix.lower() == ".sdl" else _toml(path)


def _toml(path: Path) -> ColumnMap:
    from bulkforce.formats import toml

    document = toml.read(path, "The map")
    unknown = set(document) - {"columns", "constants"}
    columns, constants = document.get("columns", {}), document.get("constants", {})
    if unknown or not isinstance(columns, dict) or not isinstance(constants, dict):
        raise UsageError(f"The map {path} may hold only the tables [columns] and [constants]")
    targets, notations = dict(columns), {}
    for column, told in columns.items():
        if isinstance(told, dict):
            notation = dict(told)
            targets[column] = notation.pop("field", column)
            notations[column] = notation_from(notation)
    if not all(isinstance(value, str) for value in [*targets.values(), *constants.values()]):
        raise UsageError(f"The map {path} has a value that is not a string")
    return ColumnMap(targets, constants, notations=notations)


def notation_from(told: object) -> TextNotation:
    """Make a notation from a table of a map, or from what a journal keeps.

    Raises:
        UsageError: It has another member, or one of them is not what it should be.
    """
    if isinstance(told, TextNotation):
        return told
    known = [one.name for one in fields(TextNotation)]
    if not isinstance(told, Mapping) or not set(told) <= set(known):
        raise UsageError(f"The notation of a column may hold only field, {', '.join(known)}")
    return TextNotation(**told)


def _sdl(text: str) -> ColumnMap:
    """Read Java properties, the format of Data Loader's maps; a quoted source is a constant."""
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    joined = re.sub(r"(?<!\\)\\\r?\n[ \t]*", "", text)
    for line in joined.splitlines():
        stripped = line.lstrip()
        if not stripped or stripped[0] in "#!":
            continue
        match = re.match(r"((?:\\.|[^\\=:\s])+(?:[ ]+(?:\\.|[^\\=:\s])+)*)\s*[=:]\s*(.*)", stripped)
        if not match:
            continue
        key, target = (_unescape(part.strip()) for part in match.groups())
        if key.startswith('"') and key.endswith('"') and len(key) > 1:
            constants |= dict.fromkeys(filter(None, re.split(r"\s*,\s*", target)), key[1:-1])
        else:
            columns[key] = target
    if not columns and not constants:
        raise FormatError("The .sdl map is empty: it maps no columns and no constants")
    return ColumnMap(columns, constants, only_named=True)


_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        mark = match[1]
        return chr(int(mark[1:], 16)) if len(mark) == 5 else _ESCAPES.get(mark, mark)

    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", one, text)
