"""The settings of new jobs of Bulk API 2.0, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.protocol import soql
from bulkforce.protocol.checks import check_headers, check_key, check_names, word
from bulkforce.vocabulary import ColumnDelimiter, ContentType, LineEnding, Operation

_OPTIONS_OF_THEIR_OWN: Final = {"sforce-line-ending": "line_ending"}


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """The checked settings of a new job that loads records.

    Raises:
        UsageError: The settings contradict each other or the protocol.
    """

    operation: Operation
    object: str
    external_id_field: str | None = None
    column_delimiter: ColumnDelimiter = ColumnDelimiter.COMMA
    line_ending: LineEnding = LineEnding.LF
    assignment_rule_id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        arguments.object_name(self.object)
        check_names(external_id_field=self.external_id_field, assignment_rule_id=self.assignment_rule_id)
        check_headers(self.headers, _OPTIONS_OF_THEIR_OWN)
        if self.operation.is_query:
            raise UsageError(f"A {self.operation} needs a query job: create_query_job")
        check_key(
            upsert=self.operation is Operation.UPSERT,
            operation=self.operation,
            external_id_field=self.external_id_field,
        )

    def document(self) -> bytes:
        """Write the settings as the org reads them."""
        named = {
            "object": self.object,
            "operation": self.operation.value,
            "externalIdFieldName": self.external_id_field,
            "contentType": ContentType.CSV.value,
            "lineEnding": self.line_ending.value,
            "columnDelimiter": self.column_delimiter.value,
            "assignmentRuleId": self.assignment_rule_id,
        }
        return _document(named)


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """The checked settings of a new query job.

    Raises:
        UsageError: The protocol has no such job.
    """

    query: str
    operation: Operation = Operation.QUERY
    column_delimiter: ColumnDelimiter = ColumnDelimiter.COMMA
    line_ending: LineEnding = LineEnding.LF
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_headers(self.headers, _OPTIONS_OF_THEIR_OWN)
        if not self.operation.is_query:
            raise UsageError(f"A query job does query or queryAll, not {self.operation}")
        if not arguments.text(self.query, "A query").strip():
            raise UsageError("The query is empty")

    @property
    def object(self) -> str | None:
        """The object after FROM, if it can be told; the org reads the query itself."""
        try:
            return soql.read(self.query).object
        except UsageError:
            return None

    def document(self) -> bytes:
        """Write the settings as the org reads them."""
        named = {
            "operation": self.operation.value,
            "query": self.query,
            "contentType": ContentType.CSV.value,
            "columnDelimiter": self.column_delimiter.value,
            "lineEnding": self.line_ending.value,
        }
        return _document(named)


def settings(
    operation: Operation | str,
    object_name: str,
    *,
    external_id_field: str | None = None,
    column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
    line_ending: LineEnding | str = LineEnding.LF,
    assignment_rule_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> IngestSettings:
    """Check a user's settings for a new job that loads records.

    Raises:
        UsageError: The protocol has no such word, or the settings contradict each other.
    """
    return IngestSettings(
        word(Operation, operation, "operation"),
        object_name,
        external_id_field,
        word(ColumnDelimiter, column_delimiter, "column delimiter"),
        word(LineEnding, line_ending, "line ending"),
        assignment_rule_id,
        _headers(headers),
    )


def query_settings(
    query: str,
    *,
    operation: Operation | str = Operation.QUERY,
    column_delimiter: ColumnDelimiter | str = ColumnDelimiter.COMMA,
    line_ending: LineEnding | str = LineEnding.LF,
    headers: Mapping[str, str] | None = None,
) -> QuerySettings:
    """Check a user's settings for a new query job.

    Raises:
        UsageError: The protocol has no such word, or the query is empty.
    """
    return QuerySettings(
        query,
        word(Operation, operation, "operation"),
        word(ColumnDelimiter, column_delimiter, "column delimiter"),
        word(LineEnding, line_ending, "line ending"),
        _headers(headers),
    )


def _document(named: Mapping[str, str | None]) -> bytes:
    return orjson.dumps({name: value for name, value in named.items() if value is not None})


def _headers(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return () if headers is None else tuple(arguments.texts(headers, "The headers of a job").items())
