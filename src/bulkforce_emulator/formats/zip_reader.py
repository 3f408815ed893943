"""Zip batches: `request.txt` and the files it names."""

from __future__ import annotations

import base64
import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.uploads import BatchError, RowError

if TYPE_CHECKING:
    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.texts import RowTexts
    from bulkforce_emulator.uploads import Upload

_REQUEST = "request.txt"


@dataclass(frozen=True, slots=True)
class Archive:
    """An unpacked zip: the request, and the files it names."""

    request: bytes
    files: dict[str, bytes]


def unpack(body: bytes, settings: Settings) -> Archive:
    """Unpack a batch. The limits hold whatever sizes its directory claims.

    Raises:
        BatchError: It is malformed or too large, has too many files, or no request.
    """
    limits, texts = settings.limits, settings.texts.batches
    if len(body) > limits.zip_bytes:
        raise BatchError.of(texts.zip_too_large, most=limits.zip_bytes)
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(files) > limits.zip_files:
                raise BatchError.of(texts.zip_too_many_files, given=len(files), most=limits.zip_files)
            found, left = {}, limits.unzipped_bytes
            for entry in files:
                if len(entry.filename.encode()) > limits.zip_name_bytes:
                    raise BatchError.of(texts.zip_name_too_long, most=limits.zip_name_bytes)
                with archive.open(entry) as file:
                    found[entry.filename] = file.read(left + 1)
                left -= len(found[entry.filename])
                if left < 0:
                    raise BatchError.of(texts.zip_too_large, most=limits.unzipped_bytes)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, RuntimeError, ValueError, EOFError) as problem:
        raise BatchError.of(texts.zip_unreadable, reason=problem) from None
    if _REQUEST not in found:
        raise BatchError.of(texts.zip_without_request, name=_REQUEST)
    return Archive(found.pop(_REQUEST), found)


def fill_in(upload: Upload, archive: Archive, sobject: SObject, texts: RowTexts) -> Upload:
    """Replace `#name` in binary fields by the file's content. A missing file fails its row."""
    columns = dict(upload.columns)
    faults: list[str | None] = upload.faults.to_pylist() if upload.faults is not None else [None] * upload.count
    for header, column in upload.columns.items():
        field = sobject.field(header)
        if field is None or field.type != "base64":
            continue
        contents: list[str | None] = []
        for row, value in enumerate(column.to_pylist()):
            content, fault = _content(value, upload.null_mark, archive, field.name, texts)
            contents.append(content)
            faults[row] = faults[row] or fault
        columns[header] = pa.array(contents, pa.string())
    return replace(upload, columns=columns, faults=pa.array(faults, pa.string()))


def _content(
    value: str | None, null_mark: str, archive: Archive, field: str, texts: RowTexts
) -> tuple[str | None, str | None]:
    if value is None or value == null_mark:
        return value, None
    if not value.startswith("#"):
        return None, str(RowError.of(texts.file_unnamed, field, value=value[:80]))
    content = archive.files.get(value[1:])
    if content is None:
        return None, str(RowError.of(texts.file_missing, field, value=value[1:]))
    return base64.b64encode(content).decode(), None
