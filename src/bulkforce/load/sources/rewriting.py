"""Writes a CSV file again, with the values of some columns in the org's notation."""

from __future__ import annotations

import csv as standard
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bulkforce.formats import csv
from bulkforce.load.mapping import OUR_COLUMNS, rows_of
from bulkforce.objects.forms import Form, Forms
from bulkforce.run.files import whole

if TYPE_CHECKING:
    from bulkforce.load.sources.writing import OnBlock


def rewrite(path: Path, target: Path, forms: Forms, on_block: OnBlock) -> bool:
    """Write a CSV file again if one of its columns has texts in a notation of the user's.

    Records that are malformed stay as they are.

    Args:
        path: The file; it may be the target.
        target: Where to write it.
        forms: How the values of each column are written.
        on_block: Called after each block of records; an exception from it stops the writing.

    Returns:
        Whether it was written.

    Raises:
        FormatError: The file is not valid CSV.
    """
    header = csv.header_of(path, may_repeat=OUR_COLUMNS, nameless=True, trim=True)
    forms.take_in(header.names)
    told = [(place, name) for place, name in enumerate(header.names) if forms.has_notation(name)]
    columns = {place: form for place, name in told if (form := forms.of(name)).reads_texts}
    if not columns:
        return False
    width, row = len(header.names), 1
    with whole(target) as out, path.open("rb") as file:
        out.write(header.raw + b"\n")
        file.seek(header.end)
        for unit in csv.units(iter(partial(file.read, csv.BLOCK_BYTES), b""), width, header.end, header.raw):
            if unit.clean:
                out.write(_written(unit.content, columns, row))
                row += unit.records
            else:
                for record in csv.records(unit, width):
                    line = record.raw + b"\n"
                    out.write(line if record.problem or record.is_empty else _written(line, columns, row))
                    row += not record.is_empty
            on_block()
    return True


def _written(content: bytes, columns: dict[int, Form], row: int) -> bytes:
    values = [list(column) for column in zip(*rows_of(content), strict=True)]
    for place, form in columns.items():
        values[place] = list(form.texts(values[place], row))
    text = io.StringIO(newline="")
    standard.writer(text, lineterminator="\r\n").writerows(zip(*values, strict=True))
    return text.getvalue().encode()
