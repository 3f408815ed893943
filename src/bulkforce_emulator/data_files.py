"""Records from a folder of files, one file per object: `Account.csv`, `02-Contact.json`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bulkforce_emulator.formats.csv_reader import read_csv
from bulkforce_emulator.formats.json_reader import read_json
from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.uploads import Upload

_READERS = {".csv": read_csv, ".json": read_json}
#: A number in front sets the order: parents before children.
_NAME = re.compile(r"(?:\d+[-_. ]*)?(?P<object>\w+)")
_UNLIMITED = 1 << 40


def uploads(folder: str | os.PathLike[str], settings: Settings) -> Iterator[tuple[Path, str, Upload]]:
    """Read the files of a folder, in the order of their names.

    They are read as batches are, so a parent may be named by its external id (`Account.Number__c`), but have no
    limit on their size.

    Args:
        folder: Where they are; files that are neither `.csv` nor `.json` are skipped.
        settings: The org's settings.

    Yields:
        Path, object and rows of each file.

    Raises:
        FileNotFoundError: There is no such folder, or no such file in it.
        BatchError: A file cannot be read.
    """
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in _READERS)
    if not paths:
        raise FileNotFoundError(f"there is no .csv or .json file in {folder}")
    limits = replace(settings.limits, batch_records=_UNLIMITED, batch_bytes=_UNLIMITED, batch_characters=_UNLIMITED)
    for path in paths:
        named = _NAME.fullmatch(path.stem)
        try:
            upload = _READERS[path.suffix.lower()](path.read_bytes(), replace(settings, limits=limits))
        except BatchError as error:
            raise BatchError(f"{path.name}: {error.message}", error.code) from error
        yield path, named["object"] if named else path.stem, upload
