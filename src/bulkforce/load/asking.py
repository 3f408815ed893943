"""The options of a load, and what to ask the org before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from bulkforce import arguments
from bulkforce.apis.abc import ApiName, IngestApi, Looks
from bulkforce.errors import (
    LimitReached,
    NotAuthenticated,
    NotFound,
    NotSent,
    ProtocolError,
    RefusedError,
    TransportError,
    UsageError,
)
from bulkforce.load.checking import Checking, OnUnknownColumn, Values, unknown_object
from bulkforce.load.costs import Cost, over_bulk1, over_bulk2
from bulkforce.load.cutter import Batch
from bulkforce.load.facts import Asked, LoadFacts
from bulkforce.load.journal import LoadJournal
from bulkforce.load.mapping import ColumnMap
from bulkforce.load.reader import Reading
from bulkforce.load.report import LoadReport, Progress
from bulkforce.load.sources import Source
from bulkforce.load.sources.options import SourceOptions
from bulkforce.load.tally import Tally
from bulkforce.objects.columns import Describe, Finding
from bulkforce.objects.texts import TextNotation
from bulkforce.protocol import rest
from bulkforce.protocol.flow import ask
from bulkforce.run.folder import REJECTED
from bulkforce.run.pool import WORKERS
from bulkforce.run.report import RunState
from bulkforce.run.sitting import Sitting
from bulkforce.vocabulary import ConcurrencyMode, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce.apis.ingest2 import Ingest2

_NOT_IN_2: Final = '{} cannot be had with Bulk API 2.0: {}. Use Bulk API (v1) for this load: api="bulk1" (--api bulk1)'
_HEADERS_OF_1: Final = frozenset({"sforce-disable-batch-retry", "sforce-enable-pkchunking", "sforce-line-ending"})
OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """The options of a load; see `bulkforce.client.Client.load`."""

    source: Source
    object: str
    operation: Operation | str
    external_id: str | None = None
    mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None
    concurrency_mode: ConcurrencyMode | str | None = None
    assignment_rule_id: str | None = None
    line_ending: LineEnding | str | None = None
    disable_batch_retry: bool | None = None
    headers: Mapping[str, str] | None = None
    files_folder: str | Path | None = None
    workers: int = WORKERS
    batch_records: int | None = None
    run_dir: str | Path | None = None
    new_run: bool = False
    empty_as_null: bool = False
    check: bool = True
    on_unknown_column: OnUnknownColumn = "refuse"
    values: Values = "warn"
    notation: TextNotation | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quote: str | None = None
    sheet: str | int | None = None
    columns: Sequence[str] | None = None
    excel: bool = False
    dry_run: bool = False
    api: ApiName = "bulk1"
    on_progress: OnProgress | None = None

    def of_source(self) -> SourceOptions:
        """Return those that say how to read the source.

        Raises:
            UsageError: One has a wrong value.
        """
        return SourceOptions(
            delimiter=self.delimiter,
            encoding=self.encoding,
            quote=self.quote,
            sheet=self.sheet,
            columns=self.columns,
        )


def api_for(sitting: Sitting, given: LoadOptions | Asked) -> IngestApi:
    """Return the API for a load, after checking the options of its jobs."""
    looks = Looks(sitting.patience.fence_seconds, sitting.patience.fence_looks)
    try:
        if arguments.one_of(given.api, get_args(ApiName), "api") == "bulk2":
            return _ingest2(given, looks)
        from bulkforce.apis.ingest1 import Ingest1

        return Ingest1.of(
            given.operation,
            given.object,
            looks,
            external_id=given.external_id,
            concurrency_mode=given.concurrency_mode,
            assignment_rule_id=given.assignment_rule_id,
            line_ending=given.line_ending,
            disable_batch_retry=given.disable_batch_retry,
            headers=given.headers,
            with_files=isinstance(given, LoadFacts) and bool(given.files),
        )
    except UsageError as error:
        # What `create_job` calls external_id_field is external_id here.
        text = error.text.replace("external_id_field", "external_id")
    raise UsageError(text)


def _ingest2(given: LoadOptions | Asked, looks: Looks) -> Ingest2:
    if given.concurrency_mode not in (None, ConcurrencyMode.PARALLEL):
        raise UsageError(_NOT_IN_2.format(f"{given.concurrency_mode} mode", "the org runs all in parallel"))
    if given.disable_batch_retry:
        raise UsageError(
            _NOT_IN_2.format("disable_batch_retry (--disable-batch-retry)", "the org decides what it tries again")
        )
    from bulkforce.apis.ingest2 import Ingest2

    api = Ingest2.of(
        given.operation,
        given.object,
        looks,
        external_id=given.external_id,
        assignment_rule_id=given.assignment_rule_id,
        line_ending=given.line_ending,
        headers=given.headers,
    )
    if only_1 := next((name for name, _ in api.settings.headers if name.lower() in _HEADERS_OF_1), None):
        raise UsageError(_NOT_IN_2.format(f"The header {only_1}", "it would be ignored"))
    return api


def allowance_of(sitting: Sitting) -> rest.Allowance:
    """Ask the org how much more it accepts today; if it does not say, warn.

    Raises:
        NotSent: The org cannot be reached.
        NotAuthenticated: The org refuses the session.
    """
    try:
        allowance: rest.Allowance = sitting.run(ask(rest.allowance()))
    except (NotSent, NotAuthenticated):
        raise
    except (RefusedError, TransportError, ProtocolError) as error:
        sitting.warn(f"The org does not say how many more batches it accepts today, so this was not checked: {error}")
        return rest.Allowance(None, None)
    return allowance


def cost_of(batches: Sequence[Batch], api: IngestApi) -> Cost:
    """Return what a load costs over its API."""
    records = [batch.records for batch in batches]
    return over_bulk2(records) if api.one_batch_a_job else over_bulk1(records)


def check_allowance(batches: int, calls: int, allowance: rest.Allowance) -> None:
    """Refuse a load with more batches, or more API calls, than the org accepts today.

    Raises:
        LimitReached: It has.
    """
    if allowance.batches is not None and batches > allowance.batches:
        raise _too_much(f"{batches:,} batches", allowance.batches)
    if allowance.api_calls is not None and calls > allowance.api_calls:
        raise _too_much(f"at least {calls:,} API calls", allowance.api_calls)


def _too_much(needed: str, left: int) -> LimitReached:
    return LimitReached(
        f"The load needs {needed}, but the org accepts only {left:,} more in "
        "this rolling 24 hours; nothing was sent. Wait, load a part, or use larger batches"
    )


class Objects:
    """Asks the org to describe objects, each once per run; the answers are kept in the journal, if there is one.

    Args:
        sitting: Reaches the org, and passes on warnings.
        journal: The run's journal.
    """

    def __init__(self, sitting: Sitting, journal: LoadJournal | None = None) -> None:
        self._sitting, self._journal = sitting, journal
        self._known: dict[str, rest.SObjectDescription | None] = {}
        self._unknown: set[str] = set()

    def describe(self, name: str) -> rest.SObjectDescription | None:
        """Return the org's description of an object; ``None`` if it gives none."""
        if name.lower() not in self._known:
            self._known[name.lower()] = self._kept(name) or self._ask(name)
        return self._known[name.lower()]

    def _kept(self, name: str) -> rest.SObjectDescription | None:
        return self._journal.described(name) if self._journal else None

    def _ask(self, name: str) -> rest.SObjectDescription | None:
        try:
            described = self._sitting.run(ask(rest.describe(name)))
        except (NotSent, NotAuthenticated):
            raise
        except NotFound:
            self._unknown.add(name.lower())
            return None
        except (RefusedError, TransportError, ProtocolError) as error:
            self._warn(name, error)
            return None
        if self._journal:
            self._journal.keep_object(name, described.to_json())
        return described

    def is_missing(self, name: str) -> Finding | None:
        """Return the finding that the org has no such object, if the org said so and names those it has instead."""
        if name.lower() not in self._unknown:
            return None
        known = tuple(self.prefixes())
        if known and name.lower() not in map(str.lower, known):
            return unknown_object(name, known)
        # Something that answers in the org's place may not support describe at all.
        self._warn(name, "it says that there is no such object")
        return None

    def prefixes(self) -> Mapping[str, str]:
        """Return how the ids of each object begin, as far as the org says so."""
        with suppress(RefusedError, TransportError, ProtocolError):
            found: Mapping[str, str] = self._sitting.run(ask(rest.key_prefixes()))
            return found
        return {}

    def _warn(self, name: str, why: object) -> None:
        self._sitting.warn(f"The org does not say what fields {name} has, so columns and values are not checked: {why}")


def checking_for(objects: Objects, asked: Asked, describe: Describe) -> Checking:
    """Return the checking of a load against the org's description of its object."""
    return Checking(
        asked.object,
        Operation(asked.operation),
        asked.external_id,
        describe,
        objects.is_missing,
        objects.prefixes,
        on_unknown_column=asked.on_unknown_column,
        values=asked.values,
        keeps_line_ends=asked.line_ending == LineEnding.CRLF,
        only_crlf=asked.line_end == "\r\n",
    )


def planned(sitting: Sitting, asked: Asked, run_dir: Path, reading: Reading, folder: Path, begun: float) -> LoadReport:
    """Return the report of what a load would do, given what was read and the folder with the rejected records."""
    api = api_for(sitting, asked)
    allowance = allowance_of(sitting)
    return LoadReport(
        run="",
        run_dir=run_dir,
        state=RunState.PLANNED,
        operation=api.operation,
        object=api.object,
        read=reading.read,
        rejected=len(reading.rejected),
        skipped=reading.skipped,
        batches=len(reading.batches),
        bytes=sum(batch.size for batch in reading.batches),
        api_calls=cost_of(reading.batches, api).api_calls,
        remaining_batches=allowance.batches,
        remaining_api_calls=allowance.api_calls,
        errors=Tally(excel=asked.excel).groups(folder / REJECTED if reading.rejected else None),
        seconds=time.monotonic() - begun,
        retry_of=asked.retry_of,
        undo_of=asked.undo_of,
    )
