"""Writes a first map for a source: each column with the field that it is probably meant for, to be edited."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkforce.apis.abc import IngestApi
from bulkforce.errors import DoesNotFit, UsageError
from bulkforce.formats import csv
from bulkforce.formats.naming import naming
from bulkforce.load.asking import LoadOptions, Objects, api_for
from bulkforce.load.mapping import OUR_COLUMNS
from bulkforce.load.sources import file_name_of, name_of, to_csv
from bulkforce.objects.columns import Finding, Kind
from bulkforce.objects.matching import ColumnMatch, match
from bulkforce.run.folder import disk_told
from bulkforce.run.sitting import Sitting

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class FirstMap:
    """A first map for a source, to be edited.

    Attributes:
        source: The name of the source.
        object: The object.
        operation: The operation to run on the records.
        external_id: For an upsert: the field to match existing records by.
        matches: Each column of the source, in order.
        missing: What no column fills: a key, or fields that new records must have.
    """

    source: str
    object: str
    operation: str
    external_id: str | None
    matches: tuple[ColumnMatch, ...]
    missing: tuple[Finding, ...] = ()

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns with a field: what ``mapping`` of a load takes."""
        return {one.column: one.field for one in self.matches if one.field}

    def to_toml(self) -> str:
        """Return the map as a file that ``--map`` reads; columns without a field are in comments."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        by = f" by {self.external_id}" if self.external_id else ""
        yield _comment(
            f"{self.operation} {self.object}{by} from {self.source}: column of the source = field of the org"
        )
        yield '# An empty field ("") leaves a column out. Edit what is in comments, then load with --map and this file.'
        yield ""
        yield "[columns]"
        for one in self.matches:
            yield from _column(one)
        if not self.missing:
            return
        yield ""
        yield "# What no column fills:"
        for finding in self.missing:
            yield _comment(f"{finding.text} {finding.remedy}")
        if any(finding.kind is Kind.REQUIRED for finding in self.missing):
            yield "# A constant is one value for every record:"
            yield "# [constants]"
            yield '# NameOfField = "value"'


def _column(one: ColumnMatch) -> Iterator[str]:
    if one.field:
        yield f"{_quoted(one.column)} = {_quoted(one.field)}" + (f"  {_comment(one.why)}" if one.why else "")
        return
    yield _comment(one.why)
    for field in one.suggestions or ("",):
        yield _comment(f"{_quoted(one.column)} = {_quoted(field)}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return f"# {_CONTROL.sub(' ', text)}"


def first_map(sitting: Sitting, options: LoadOptions) -> FirstMap:
    """Write a first map for a source; see `bulkforce.client.Client.suggest_map`."""
    api = api_for(sitting, options)

    def stop_if_asked() -> None:
        if stopped_by := sitting.stop.asked:
            raise stopped_by

    with (
        tempfile.TemporaryDirectory(prefix="bulkforce-") as name,
        disk_told(Path(name)),
        naming(file_name_of(options.source)),
    ):
        found = to_csv(options.source, Path(name), stop_if_asked, options=options.of_source(), tell=sitting.warn)
        names = csv.header_of(found.path, may_repeat=OUR_COLUMNS, nameless=True, trim=True).names
    return _matched(sitting, api, name_of(options.source), list(dict.fromkeys(names)))


def _matched(sitting: Sitting, api: IngestApi, source: str, names: list[str]) -> FirstMap:
    objects = Objects(sitting)
    described = objects.describe(api.object)
    if described is None:
        missing = objects.is_missing(api.object)
        if missing:
            raise DoesNotFit(f"There is no map to {api.object}:", [f"{missing.text} {missing.remedy}"])
        raise UsageError(f"The org does not say which fields {api.object} has, so there is nothing to map to")
    matches, lacking = match(names, described, api.operation, external_id=api.external_id, describe=objects.describe)
    return FirstMap(source, described.name, api.operation, api.external_id, tuple(matches), tuple(lacking))
