"""The check of a load: whether its columns and values fit the object, determined while reading the source."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from bulkforce import arguments
from bulkforce.apis.abc import IngestApi
from bulkforce.errors import (
    Error,
    Interrupted,
    UsageError,
)
from bulkforce.formats.naming import naming
from bulkforce.load import intake
from bulkforce.load import mapping as maps
from bulkforce.load.asking import (
    LoadOptions,
    Objects,
    OnProgress,
    api_for,
    checking_for,
)
from bulkforce.load.checking import CheckReport, told
from bulkforce.load.costs import costs_of
from bulkforce.load.facts import Asked, LoadFacts
from bulkforce.load.journal import LoadJournal
from bulkforce.load.mapping import ColumnMap
from bulkforce.load.reader import Reading
from bulkforce.load.report import Progress
from bulkforce.load.sources import Source, file_name_of, name_of, place_of
from bulkforce.load.standing import load_standing
from bulkforce.load.tally import Tally
from bulkforce.objects.columns import Describe
from bulkforce.objects.texts import AS_IT_STANDS, TextNotation
from bulkforce.run.folder import LOAD, REJECTED, disk_told
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import ctrl_c_told, every_so_often


def check(sitting: Sitting, options: LoadOptions) -> CheckReport:
    """Check whether a source fits an object; see `bulkforce.client.Client.check`."""
    api = api_for(sitting, options)
    asked = asked_of(sitting, options, api, maps.read_map(options.mapping))
    with (
        tempfile.TemporaryDirectory(prefix="bulkforce-") as name,
        disk_told(Path(name)),
        told_of_stops("Nothing was sent"),
    ):
        on_progress = sitting.watched(options.on_progress, load_standing)
        report, _ = _look_at(sitting, Objects(sitting), asked, options.source, Path(name), on_progress)
        if sitting.bar is not None:
            sitting.bar.conclude(report.heading)
        return report


def asked_of(sitting: Sitting, options: LoadOptions, api: IngestApi, column_map: ColumnMap) -> Asked:
    """Return what a load was asked to do, after checking everything that does not need the source."""
    sizes = api.sizes
    records = sizes.records if options.batch_records is None else options.batch_records
    if not 1 <= arguments.count(records, "The number of records in a batch") <= sizes.most_records:
        raise UsageError(f"A batch holds 1 to {sizes.most_records:,} records, not {arguments.shown(records)}")
    path = place_of(options.source)
    return Asked(
        run="",
        begun=time.time(),
        instance_url=sitting.instance_url(),
        operation=api.operation,
        object=api.object,
        external_id=api.external_id,
        concurrency_mode=options.concurrency_mode,
        assignment_rule_id=options.assignment_rule_id,
        line_ending=options.line_ending,
        disable_batch_retry=options.disable_batch_retry,
        headers=dict(options.headers or {}) or None,
        files_folder=str(_files_folder(options, path)),
        source=name_of(options.source),
        path=None if path is None else str(path),
        mapping=asdict(column_map),
        map_file=Path(options.mapping).name if isinstance(options.mapping, (str, Path)) else None,
        empty_as_null=arguments.flag(options.empty_as_null, "empty_as_null"),
        excel=arguments.flag(options.excel, "excel"),
        api=options.api,
        batch_records=records,
        batch_bytes=sizes.bytes if options.batch_records is None else sizes.most_bytes,
        workers=options.workers,
        check=arguments.flag(options.check, "check"),
        on_unknown_column=arguments.one_of(options.on_unknown_column, ("refuse", "drop"), "on_unknown_column"),
        values=arguments.one_of(options.values, ("warn", "refuse", "skip"), "values"),
        notation=asdict(arguments.instance(options.notation or AS_IT_STANDS, TextNotation, "The notation of texts")),
        source_options=asdict(options.of_source()),
    )


def _folder_of_run(folder: Path) -> Path | None:
    """Return the folder of the files of an earlier run, if the source is one of its outputs."""
    if not (folder / LOAD).exists():
        return None
    with suppress(Error), closing(LoadJournal(folder, migrate=False)) as journal:
        asked = journal.asked()
        return Path(asked.files_folder) if asked and asked.files_folder else None
    return None


def _files_folder(options: LoadOptions, path: Path | None) -> Path:
    """Return the folder of the files that records name: the source's own, unless another one is given."""
    if options.files_folder is None:
        return _folder_of_run(path.parent) or path.parent if path else Path.cwd()
    folder = arguments.path(options.files_folder, "files_folder")
    if not folder.is_dir():
        raise UsageError(f"files_folder {arguments.shown(str(folder))} is not a folder")
    return folder.absolute()


def _look_at(
    sitting: Sitting, objects: Objects, asked: Asked, source: Source, folder: Path, on_progress: OnProgress | None
) -> tuple[CheckReport, tuple[Reading, LoadFacts] | None]:
    """Read a source, and check whether it fits its object."""
    describe = objects.describe if asked.check else lambda _: None
    _check_notation(asked, describe)
    checking, forms = checking_for(objects, asked, describe), intake.forms_for(asked, describe)
    on_read = on_read_of(sitting, on_progress)
    with naming(file_name_of(source)), naming(asked.map_file, "The map "):
        found = intake.read(source, asked, folder, on_read, forms, checking.shape, checking.look, sitting.warn)
    if found is None:
        return checking.report(0, 0, 0, forms.findings()), None
    reading, facts = found
    report = checking.report(reading.read, len(reading.rejected), reading.skipped, forms.findings())
    pieces, size = [batch.records for batch in reading.batches], sum(batch.size for batch in reading.batches)
    report = replace(report, costs=costs_of(pieces, size, asked.api, with_files=bool(facts.files)))
    if reading.rejected:
        report = replace(report, rejections=Tally().groups(folder / REJECTED))
    return report, found


def _check_notation(asked: Asked, describe: Describe) -> None:
    """Refuse a notation if it is not known which columns it is for."""
    given = [asked.notation, *ColumnMap(**asked.mapping).notations.values()]
    if any(maps.notation_from(one) != TextNotation() for one in given) and describe(asked.object) is None:
        why = "the org does not describe it" if asked.check else "this load does not ask the org (check=False)"
        raise UsageError(
            f"A notation for texts was given, but it is not known which fields of {asked.object} hold dates, numbers "
            f"or booleans, since {why}. Leave the notation out, and convert the texts before the load"
        )


def read_checked(
    sitting: Sitting, objects: Objects, asked: Asked, source: Source, folder: Path, on_progress: OnProgress | None
) -> tuple[CheckReport, tuple[Reading, LoadFacts]]:
    """Read a source to load, and warn about what the check found.

    Raises:
        DoesNotFit: The source does not fit its object.
    """
    report, found = _look_at(sitting, objects, asked, source, folder, on_progress)
    with naming(file_name_of(source)):
        report.raise_if_unfit(asked.values)
    assert found is not None
    lines = [f"{one.text} {one.remedy}" for one in report.columns] + [
        f"{told(one)} {one.problem.remedy}" for one in report.values
    ]
    if lines:
        sitting.warn("The load continues, but the check before it found:" + "".join(f"\n- {line}" for line in lines))
    return report, found


def on_read_of(sitting: Sitting, on_progress: OnProgress | None) -> intake.OnRead:
    """Return a callback that reports how far reading has got, and stops it if the sitting is asked to stop."""
    told = every_so_often(on_progress)

    def on_read(read: int) -> None:
        if read:
            told(lambda: Progress(phase="reading", read=read))
        if stopped_by := sitting.stop.asked:
            raise stopped_by

    return on_read


@contextmanager
def told_of_stops(then: str) -> Iterator[None]:
    """Add to the error of a stop that the source was being read, and what to do next."""
    try:
        with ctrl_c_told():
            yield
    except Interrupted as error:
        raise Interrupted(f"The load stopped while its source was being read: {error.text}. {then}") from error
