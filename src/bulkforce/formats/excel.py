"""Values that a spreadsheet would run as formulas, and how they are kept from that: by an apostrophe, which comes off
again.
"""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:[.,][0-9]+)*|\.[0-9]+)(?:[Ee][-+]?[0-9]+)?%?")
MAYBE: Final = re.compile(rb"""(?:\A|,)"?'*[=+\-@\t\r]""")
"""Whether a raw record may have such a value."""


def escaped(value: str) -> str:
    """Return a value that no spreadsheet takes for a formula; numbers such as ``-5`` stay numbers.

    >>> escaped("=1+1"), escaped("-5"), escaped("'=x"), escaped("Ada")
    ("'=1+1", '-5', "''=x", 'Ada')
    """
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value


def unescaped(value: str) -> str:
    """Return the value that `escaped` was given.

    >>> unescaped("'=1+1"), unescaped("-5"), unescaped("''=x"), unescaped("'Ada'")
    ('=1+1', '-5', "'=x", "'Ada'")
    """
    return value[1:] if value.startswith("'") and _FORMULA.match(value) else value
