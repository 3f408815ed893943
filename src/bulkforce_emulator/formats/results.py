"""Results of data batches as CSV, XML and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.formats.columns import data_of, json_texts
from bulkforce_emulator.formats.documents import INSTANCE, NAMESPACE, PROLOG
from bulkforce_emulator.ids import no_texts
from bulkforce_emulator.uploads import Format, RowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.uploads import Outcomes


def write_results(outcomes: Outcomes, written_in: Format, settings: Settings) -> bytes:
    """One result per row, in upload order, in the format of the job."""
    return {Format.CSV: _csv, Format.XML: _xml, Format.JSON: _json}[written_in](outcomes, settings)


def _shown_ids(outcomes: Outcomes, settings: Settings) -> pa.StringArray:
    if settings.failed_rows_carry_id or outcomes.errors.null_count == outcomes.count:
        return outcomes.ids
    return pc.if_else(pc.is_null(outcomes.errors), outcomes.ids, no_texts(outcomes.count))


def _booleans(outcomes: Outcomes) -> tuple[pa.StringArray, pa.StringArray]:
    success = pc.if_else(pc.is_null(outcomes.errors), "true", "false")
    return success, pc.if_else(outcomes.created, "true", "false")


def _csv(outcomes: Outcomes, settings: Settings) -> bytes:
    success, created = _booleans(outcomes)
    ids = pc.fill_null(_shown_ids(outcomes, settings), "")
    errors = pc.fill_null(pc.replace_substring(distinctly(outcomes.errors, settings, csv_error), '"', '""'), "")
    lines = pc.binary_join_element_wise('"', ids, '","', success, '","', created, '","', errors, '"\n', "")
    return b'"Id","Success","Created","Error"\n' + data_of(lines)


def csv_error(error: RowError, settings: Settings) -> str:
    """An error as the Error column has it."""
    fields = settings.error_field_separator.join(error.fields)
    return f"{error.status_code}:{error.message}:{fields} --" if fields else f"{error.status_code}:{error.message}:--"


def distinctly(
    errors: pa.StringArray, settings: Settings, write: Callable[[RowError, Settings], str]
) -> pa.StringArray:
    """Write each different error once, however many rows share it."""
    encoded = errors.dictionary_encode()
    texts = [write(RowError.read(joined), settings) for joined in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(texts, pa.string())).cast(pa.string())


def _xml(outcomes: Outcomes, settings: Settings) -> bytes:
    success, created = _booleans(outcomes)
    ids = _shown_ids(outcomes, settings)
    absent = "" if settings.failed_xml_id == "absent" else '  <id xsi:nil="true"/>\n'
    shown = pc.fill_null(pc.binary_join_element_wise("  <id>", ids, "</id>\n", ""), absent)
    errors = pc.fill_null(distinctly(outcomes.errors, settings, _xml_error), "")
    lines = pc.binary_join_element_wise(
        " <result>\n",
        errors,
        shown,
        "  <success>",
        success,
        "</success>\n  <created>",
        created,
        "</created>\n </result>\n",
        "",
    )
    instance = f'\n   xmlns:xsi="{INSTANCE}"' if absent else ""
    return f'{PROLOG}<results\n   xmlns="{NAMESPACE}"{instance}>\n'.encode() + data_of(lines) + b"</results>"


def _xml_error(error: RowError, _: Settings) -> str:
    fields = "".join(f"   <fields>{escape(field)}</fields>\n" for field in error.fields)
    said = f"   <message>{escape(error.message)}</message>\n   <statusCode>{error.status_code}</statusCode>\n"
    return f"  <errors>\n{fields}{said}  </errors>\n"


def _json(outcomes: Outcomes, settings: Settings) -> bytes:
    success, created = _booleans(outcomes)
    ids = pc.fill_null(pc.binary_join_element_wise('"', _shown_ids(outcomes, settings), '"', ""), "null")
    errors = pc.fill_null(distinctly(outcomes.errors, settings, _json_error), "[]")
    lines = pc.binary_join_element_wise(
        '{"success":', success, ',"created":', created, ',"id":', ids, ',"errors":', errors, "},", ""
    )
    return b"[" + data_of(lines)[:-1] + b"]"


def _json_error(error: RowError, settings: Settings) -> str:
    message, *fields = json_texts([error.message, *error.fields])
    details = ',"extendedErrorDetails":null' if settings.extended_error_details else ""
    return f'[{{"message":{message},"fields":[{",".join(fields)}],"statusCode":"{error.status_code}"{details}}}]'
