"""Refusals of queries: code, place and text, as the platform writes them."""

import re

# How much of the line is echoed around the place of an error. Recorded messages show whole words, at most about this
# many characters before the caret and after it; the exact rule is not known.
ECHO_BEFORE = 41
ECHO_AFTER = 43


class SoqlError(Exception):
    """A query that the org refuses.

    Attributes:
        code: The platform's error code, such as `MALFORMED_QUERY`.
        message: Its text, with the echoed line, the caret and the row and column when the place is known.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @classmethod
    def located(cls, text: str, at: int, code: str, detail: str) -> "SoqlError":
        """An error at the offset `at` of the query `text`."""
        row = text.count("\n", 0, at) + 1
        line_start = text.rfind("\n", 0, at) + 1
        line_end = text.find("\n", at)
        line = text[line_start : len(text) if line_end < 0 else line_end].rstrip("\r")
        column = at - line_start
        start, end = _echo_bounds(line, column)
        caret = " " * (column - start) + "^"
        return cls(code, f"\n{line[start:end]}\n{caret}\nERROR at Row:{row}:Column:{column + 1}\n{detail}")


def _echo_bounds(line: str, column: int) -> tuple[int, int]:
    """First and last offset of the whole words around `column` that are echoed."""
    start, end = 0, len(line)
    if column > ECHO_BEFORE:
        border = re.search(r"(?<=[\s,])\S", line[column - ECHO_BEFORE - 1 : column])
        start = column if border is None else column - ECHO_BEFORE - 1 + border.start()
    if len(line) - column > ECHO_AFTER:
        words = list(re.finditer(r"\S(?=[\s,])", line[column : column + ECHO_AFTER + 1]))
        end = column + (words[-1].end() if words else ECHO_AFTER)
    return start, end
