"""Recognises files that are not what their name says, by how they begin."""

from __future__ import annotations

import re
from typing import Final

from bulkforce.errors import FormatError

_SIGNATURES: Final = (
    (
        rb"PK(?:\x03\x04|\x05\x06)",
        "a zip archive or an Excel workbook",
        "name it .xlsx if it is a workbook, or unpack it",
    ),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of Excel 97 to 2003", "save it as .xlsx or as CSV UTF-8"),
    (rb"\x1f\x8b", "packed with gzip", "name it .csv.gz, or unpack it"),
    (rb"\x28\xb5\x2f\xfd", "packed with zstd", "name it .csv.zst, or unpack it"),
    (rb"PAR1[^ -~\t\r\n]", "a Parquet file", "name it .parquet"),
    (rb"ARROW1\0", "an Arrow file", "name it .arrow"),
    (rb"%PDF-", "a PDF document", "export the table it shows as CSV"),
    (
        rb"(?i:<!doctype html|<html|<head|<body|<script|<table|<meta)",
        "an HTML page, such as a login page or an error of a web server in place of the download",
        "open it in a browser to see what it says, and download or export the file again as CSV",
    ),
    (rb"<\?xml|<sObjects", "an XML document", "name it .xml if it holds sObjects records"),
    (rb'\[\s*[{\]]|\{\s*"[^"\n]*"\s*:', "JSON", "name it .json, or .jsonl if each line is a record"),
)
_FOUND: Final = tuple((re.compile(signature), what, remedy) for signature, what, remedy in _SIGNATURES)


def refuse_others(start: bytes) -> None:
    """Refuse a file that is read as CSV but is something else.

    Args:
        start: Its beginning.

    Raises:
        FormatError: It is something else; the error says what, and what to do.
    """
    content = start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    for signature, what, remedy in _FOUND:
        if signature.match(content):
            raise FormatError(f"The source is read as CSV, but is {what}; {remedy}", byte=0)
