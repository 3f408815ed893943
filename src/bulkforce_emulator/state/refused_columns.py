"""Columns that a batch is refused for as a whole, whatever their values are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.uploads import BatchError, Format
from bulkforce_emulator.words import spelled_operation

if TYPE_CHECKING:
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.job import Job
    from bulkforce_emulator.uploads import Upload


def check_columns(job: Job, upload: Upload, settings: Settings) -> None:
    """Refuse a batch for its columns.

    Raises:
        BatchError: It has one that it must not have.
    """
    deletes = job.operation in {Operation.DELETE, Operation.HARD_DELETE}
    if deletes and settings.deletes_take_ids_alone and {name.lower() for name in upload.columns} != {"id"}:
        raise BatchError.of(settings.texts.batches.delete_not_ids, operation=spelled_operation(job.operation))
    for name in upload.columns:
        field = job.sobject.field(name)
        if field is not None and field.type == "base64" and not job.zipped and not deletes:
            raise BatchError.of(settings.texts.batches.binary_unpacked, field=field.name)
        if job.format == Format.CSV and field is None and job.sobject.relationship(name) is not None:
            # In JSON a parent that is null means something.
            raise BatchError.of(settings.texts.batches.field_unknown, name=name)
