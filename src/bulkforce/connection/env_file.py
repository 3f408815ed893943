r"""``.env`` files: ``NAME=value`` lines, with ``export``, comments and quotes.

Values are taken as they are, except that ``\n`` and the like are line ends within double quotes. A quoted value may
have several lines, as a private key has.
"""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""
    ^[^\S\n]*(?:export[^\S\n]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)[^\S\n]*=[^\S\n]*
    (?:'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:\\.|[^"\\])*)"|(?P<bare>[^\n]*?))
    [^\S\n]*(?:(?<=\s)\#[^\n]*)?$
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "'": "'", "$": "$"}


def parse(text: str) -> dict[str, str]:
    """Read the variables of a file; later lines win."""
    found = {}
    for line in _LINE.finditer(text.replace("\r\n", "\n").removeprefix("\ufeff")):
        if line["single"] is not None:
            value = line["single"].replace("\\'", "'")
        elif line["double"] is not None:
            value = re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[0]), line["double"], flags=re.DOTALL)
        else:
            value = line["bare"].strip()
        found[line["name"]] = value
    return found
