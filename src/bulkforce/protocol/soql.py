"""As much of SOQL as an extract needs: the object, the columns, the clauses. The rest is up to the org."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import whitespace
from typing import Final

from bulkforce import arguments
from bulkforce.errors import UsageError

_TEXT: Final = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_NEST: Final = re.compile(r"\([^()]*\)")
_CLAUSE: Final = re.compile(
    r"\b(SELECT|FROM|USING\s+SCOPE|WHERE|WITH|GROUP\s+BY|HAVING|ORDER\s+BY|LIMIT|OFFSET|FOR\s+(?:VIEW|REFERENCE|UPDATE)|ALL\s+ROWS)\b",
    re.IGNORECASE,
)


# Text, or a comment; an unclosed comment extends to the end.
_TEXT_OR_COMMENT: Final = re.compile(r"'(?:[^'\\]|\\.)*'|--[^\n]*|/\*(?:(?!\*/).)*(\*/|\Z)", re.DOTALL)
_AGGREGATE: Final = re.compile(r"(COUNT|COUNT_DISTINCT|SUM|AVG|MIN|MAX|GROUPING)\s*\(", re.IGNORECASE)
_COUNT: Final = re.compile(r"COUNT\s*\(\s*([\w.]*)\s*\)", re.IGNORECASE)

_ID: Final = "'?([0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)'?"
# The guide writes the ids without quotes; clients have seen them in quotes. A truncated id has the wrong length.
_RANGE: Final = re.compile(
    rf"\b(?:WHERE|AND)[\s(]+([A-Za-z][\w.]*)\s*>=\s*{_ID}\s+AND\s+\1\s*<\s*{_ID}[\s)]*\Z", re.IGNORECASE
)
_BORDER: Final = re.compile("'([0-9A-Za-z]{15})")


@dataclass(frozen=True, slots=True)
class Query:
    """The outline of a query.

    Attributes:
        text: The query, without surrounding whitespace.
        object: The object after FROM.
        columns: The selected columns, as written.
        clauses: Name of each clause, in upper case -> where its content begins and ends.
    """

    text: str
    object: str
    columns: tuple[str, ...]
    clauses: dict[str, tuple[int, int]]

    def counting(self) -> str:
        """Return the query that counts the records this one finds."""
        kept = [name for name in self.clauses if name not in {"SELECT", "ORDER BY"} and not name.startswith("FOR ")]
        return " ".join(
            ["SELECT COUNT()", *(f"{name} {self.text[slice(*self.clauses[name])].strip()}" for name in kept)]
        ).rstrip()

    def range_in(self, text: str) -> str | None:
        """Read from a chunk's own query which range of ids it covers; ``None`` if it may not be a chunk of this query.

        Returns:
            The condition that makes it a chunk, to be added to this query. It is normalized, so that equal ranges are
            equal strings.
        """
        found = _RANGE.search(text)
        if found is None or _plain(text) == _plain(self.text):
            return None
        field, low, high = found.groups()
        try:
            chunk = _asks(read(text)) == _asks(self) and low[:15] < high[:15]
        except UsageError:
            return None
        return f"{field} >= '{low}' AND {field} < '{high}'" if chunk else None

    def limited(self, most: int) -> str:
        """Return the query with a LIMIT, unless its own is lower, or it cannot have one: it aggregates all records."""
        if "GROUP BY" not in self.clauses and any(map(_AGGREGATE.match, self.columns)):
            return self.text
        if "LIMIT" in self.clauses:
            begin, end = self.clauses["LIMIT"]
            own = self.text[begin:end].strip()
            if not own.isdecimal() or int(own) <= most:
                return self.text
            return f"{self.text[:begin]} {most} {self.text[end:]}".rstrip()
        # OFFSET, FOR and ALL ROWS stand behind it.
        end = max(end for name, (_, end) in self.clauses.items() if not name.startswith(("OFFSET", "FOR ", "ALL ")))
        return f"{self.text[:end].rstrip()} LIMIT {most} {self.text[end:]}".rstrip()

    def with_condition(self, condition: str) -> str:
        """Return the query with one more condition."""
        if "WHERE" in self.clauses:
            begin, end = self.clauses["WHERE"]
            return f"{self.text[:begin]} {condition} AND ({self.text[begin:end].strip()}) {self.text[end:]}".rstrip()
        end = self.clauses["FROM"][1]
        if "USING SCOPE" in self.clauses:
            end = self.clauses["USING SCOPE"][1]
        return f"{self.text[:end].rstrip()} WHERE {condition} {self.text[end:]}".rstrip()


def read(text: str) -> Query:
    """Read a query, without its comments and the semicolon at its end.

    Raises:
        UsageError: It has no SELECT or no FROM.
    """
    text = _bare(arguments.text(text, "A query"))
    masked = _masked(text)
    found = list(_CLAUSE.finditer(masked))
    ends = [match.start() for match in found[1:]] + [len(text)]
    clauses = {" ".join(match[1].upper().split()): (match.end(), end) for match, end in zip(found, ends, strict=False)}
    if not text or not found or found[0].start() or list(clauses)[:2] != ["SELECT", "FROM"]:
        example = "SELECT Id, Name FROM Account"
        raise UsageError(f"A query must begin with SELECT and have a FROM, like {example}; this one is {_short(text)}")
    begin, end = clauses["FROM"]
    words = masked[begin:end].replace(",", " ").split()
    if not words:
        raise UsageError(f"The query names no object after FROM: {_short(text)}")
    return Query(text, words[0], _columns(text, masked, *clauses["SELECT"]), clauses)


def check_bulk(query: Query) -> None:
    """Check that the Bulk API can answer a query (developer guide, "Use Bulk Query").

    Raises:
        UsageError: It cannot; says what can.
    """
    columns = [column.lstrip() for column in query.columns]
    if any(_COUNT.match(column) for column in columns) and len(columns) == 1 and "GROUP BY" not in query.clauses:
        why, instead = "count", "`bulkforce count` and `client.count(...)` do, over REST"
    elif any(map(_AGGREGATE.match, columns)) or {"GROUP BY", "HAVING"} & set(query.clauses):
        why = "aggregate or group"
        instead = (
            "`bulkforce query --rest` asks over REST; or select the records and group them here, as with "
            "`client.query(...).to_duckdb()`; `bulkforce count` gives their number"
        )
    elif has_children(query):
        why, instead = (
            "take a query of child records inside another",
            "query the child object by itself, with the id of its parent",
        )
    elif any(re.match(r"TYPEOF\b", column, re.IGNORECASE) for column in columns):
        why, instead = (
            "take TYPEOF",
            "query once for each type of parent, with a condition on it such as What.Type = 'Account'",
        )
    elif "OFFSET" in query.clauses:
        why, instead = "take OFFSET", "leave it out, or choose the records by a condition"
    else:
        return
    raise UsageError(f"A bulk query cannot {why}: {instead}")


def has_children(query: Query) -> bool:
    """Whether the query has a query of child records inside."""
    return any(re.match(r"\(\s*SELECT\b", column, re.IGNORECASE) for column in query.columns)


def counting(text: str) -> str:
    """Return the query that counts what a query finds, or the records of an object.

    Args:
        text: A query, with or without ``COUNT()``, or the name of an object, which conditions may follow.

    Raises:
        UsageError: The number of records is not what the query asks for, or it is not a query.

    >>> counting("SELECT Id, Name FROM Account WHERE Name LIKE 'A%' ORDER BY Name;")
    "SELECT COUNT() FROM Account WHERE Name LIKE 'A%'"
    >>> counting("Account")
    'SELECT COUNT() FROM Account'
    """
    bare = _bare(arguments.text(text, "A query"))
    if re.match(r"[A-Za-z]\w*(\s|\Z)", bare) and not re.match(r"SELECT\b", bare, re.IGNORECASE):
        records = re.sub(r"FROM\s+", "", bare, count=1, flags=re.IGNORECASE) if bare[:5].upper() == "FROM " else bare
        bare = f"SELECT COUNT() FROM {records}"  # noqa: S608  (no SQL runs here)
    query = read(bare)
    for column in query.columns:
        found = _COUNT.match(column)
        if (_AGGREGATE.match(column) and (found is None or len(query.columns) > 1)) or "GROUP BY" in query.clauses:
            raise UsageError(
                "Only records can be counted; select the records and group them here, as with "
                "`client.query(...).to_duckdb()`"
            )
        if found and found[1] and found[1].lower() != "id":
            # A field is counted where it has a value.
            query = read(query.with_condition(f"{found[1]} != null"))
    return query.counting()


def borders(ids: str) -> tuple[str, str]:
    """Return the first id of a range, and the first id after it, from a condition that `Query.range_in` wrote.

    Ids sort as strings.
    """
    low, high = _BORDER.findall(ids)
    return low, high


def _bare(text: str) -> str:
    def without(found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return found[0]
        if found[1] == "":
            raise UsageError("A comment in the query does not end: */ is missing")
        # Places in the org's messages stay right: lines are kept.
        return "\n" * found[0].count("\n") or " "

    return _TEXT_OR_COMMENT.sub(without, text).strip().rstrip(";" + whitespace)


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()


def _asks(query: Query) -> tuple[str, ...]:
    return _plain(query.object), *map(_plain, query.columns)


_ERROR_AT: Final = re.compile(r"ERROR at Row:(\d+):Column:(\d+)\s*(.*)", re.DOTALL)
_PROCESSING: Final = re.compile(r"^\w+ : Failed to process query:\s*")

_HINTS: Final = {
    "compound data": "select its parts, such as BillingStreet and BillingCity; --object selects all that can be",
    "Binary field": "leave it out; get file contents from the REST API, one at a time",
    "in CSV format": "query the child object by itself, with the id of its parent",
}


def explain(text: str, state_message: str) -> str:
    """Format the org's complaint about a query for a terminal: the reason, the line, and a caret below the place."""
    reason = _PROCESSING.sub("", state_message)
    place = _ERROR_AT.search(reason)
    if place is None:
        hint = next((hint for sign, hint in _HINTS.items() if sign in reason), None)
        return reason + (f" ({hint})" if hint else "")
    row, column, what = int(place[1]), int(place[2]), " ".join(place[3].split())
    code = re.match(r"\w+", reason)
    lines = text.splitlines()
    if not 1 <= row <= len(lines):
        return reason
    caret = "".join(mark if mark == "\t" else " " for mark in lines[row - 1][: column - 1]) + "^"
    return f"{code[0] + ': ' if code else ''}{what} (line {row}, column {column})\n  {lines[row - 1]}\n  {caret}"


def _columns(text: str, masked: str, begin: int, end: int) -> tuple[str, ...]:
    columns, start = [], begin
    for place in range(begin, end + 1):
        if place == end or masked[place] == ",":
            columns.append(text[start:place].strip())
            start = place + 1
    return tuple(columns)


def _masked(text: str) -> str:
    """Blank out everything in quotes or parentheses; the rest keeps its position."""
    masked = _TEXT.sub(lambda match: "x" * len(match[0]), text)
    while (once := _NEST.sub(lambda match: "x" * len(match[0]), masked)) != masked:
        masked = once
    return masked


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "...") if text else "empty"
