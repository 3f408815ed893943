"""bulkforce: move any amount of data into and out of Salesforce, exactly once, at wire speed, in constant memory."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkforce.async_client import AsyncClient
    from bulkforce.auth.oauth import ClientCredentials, JWTBearer, RefreshToken
    from bulkforce.auth.soap import UsernamePassword
    from bulkforce.auth.token import BearerToken
    from bulkforce.client import Client
    from bulkforce.connection import connect, connect_async
    from bulkforce.conversations import Pace
    from bulkforce.csv_stream import AsyncCsvStream, CsvStream
    from bulkforce.errors import (
        BatchFailed,
        DoesNotFit,
        Error,
        FellShort,
        FormatError,
        Intercepted,
        Interrupted,
        InvalidRequest,
        JobAborted,
        JobError,
        JobFailed,
        JobNotDone,
        JournalBusy,
        JournalMismatch,
        LimitReached,
        MissingExtra,
        NoAnswer,
        NotAuthenticated,
        NotFound,
        NotPermitted,
        NotSent,
        OutcomeUnknown,
        ProtocolError,
        QueryRefused,
        RecordsFailed,
        RefusedError,
        SourceChanged,
        TransferError,
        TransportError,
        Unavailable,
        Unsettled,
        UsageError,
    )
    from bulkforce.extract.query import QueryResult
    from bulkforce.extract.report import ExtractProgress, ExtractReport
    from bulkforce.formats.zip import Attachments
    from bulkforce.load.checking import CheckReport
    from bulkforce.load.costs import Cost
    from bulkforce.load.first_map import FirstMap
    from bulkforce.load.mapping import ColumnMap
    from bulkforce.load.report import LoadReport, Progress
    from bulkforce.load.sources.sql import SqlQuery
    from bulkforce.objects.columns import Finding
    from bulkforce.objects.matching import ColumnMatch
    from bulkforce.objects.texts import TextNotation
    from bulkforce.objects.values import ValueFinding
    from bulkforce.protocol.bulk2 import ResultLink, ResultPages
    from bulkforce.protocol.flow import Auth
    from bulkforce.protocol.info import BatchInfo, JobInfo, RecordError, Result
    from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
    from bulkforce.protocol.pk_chunking import PKChunking
    from bulkforce.protocol.retry import RetryPolicy
    from bulkforce.run.report import ErrorGroup, ErrorSample, RunState
    from bulkforce.staging import AsyncStage, Stage
    from bulkforce.transport.base import TLS, Timeouts
    from bulkforce.transport.stream import AsyncResultStream, ResultStream
    from bulkforce.vocabulary import (
        BatchState,
        ColumnDelimiter,
        ConcurrencyMode,
        ContentType,
        Job2State,
        JobState,
        LineEnding,
        Operation,
    )

__all__ = [
    "TLS",
    "AsyncClient",
    "AsyncCsvStream",
    "AsyncResultStream",
    "AsyncStage",
    "Attachments",
    "Auth",
    "BatchFailed",
    "BatchInfo",
    "BatchState",
    "BearerToken",
    "CheckReport",
    "Client",
    "ClientCredentials",
    "ColumnDelimiter",
    "ColumnMap",
    "ColumnMatch",
    "ConcurrencyMode",
    "ContentType",
    "Cost",
    "CsvStream",
    "DoesNotFit",
    "Error",
    "ErrorGroup",
    "ErrorSample",
    "ExtractProgress",
    "ExtractReport",
    "FellShort",
    "Finding",
    "FirstMap",
    "FormatError",
    "IngestJobInfo",
    "Intercepted",
    "Interrupted",
    "InvalidRequest",
    "JWTBearer",
    "Job2State",
    "JobAborted",
    "JobError",
    "JobFailed",
    "JobInfo",
    "JobNotDone",
    "JobState",
    "JournalBusy",
    "JournalMismatch",
    "LimitReached",
    "LineEnding",
    "LoadReport",
    "MissingExtra",
    "NoAnswer",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "NotSent",
    "Operation",
    "OutcomeUnknown",
    "PKChunking",
    "Pace",
    "Progress",
    "ProtocolError",
    "QueryJobInfo",
    "QueryRefused",
    "QueryResult",
    "RecordError",
    "RecordsFailed",
    "RefreshToken",
    "RefusedError",
    "Result",
    "ResultLink",
    "ResultPages",
    "ResultStream",
    "RetryPolicy",
    "RunState",
    "SourceChanged",
    "SqlQuery",
    "Stage",
    "TextNotation",
    "Timeouts",
    "TransferError",
    "TransportError",
    "Unavailable",
    "Unsettled",
    "UsageError",
    "UsernamePassword",
    "ValueFinding",
    "connect",
    "connect_async",
]

# Each name's module is imported when the name is first used: importing everything would slow down `bulkforce --help`.
_HOMES = {
    "async_client": "AsyncClient",
    "auth.oauth": "ClientCredentials JWTBearer RefreshToken",
    "auth.soap": "UsernamePassword",
    "auth.token": "BearerToken",
    "client": "Client",
    "connection": "connect connect_async",
    "conversations": "Pace",
    "csv_stream": "AsyncCsvStream CsvStream",
    "errors": (
        "BatchFailed DoesNotFit Error FellShort FormatError Intercepted Interrupted InvalidRequest JobAborted JobError "
        "JobFailed JobNotDone JournalBusy JournalMismatch LimitReached MissingExtra NoAnswer NotAuthenticated NotFound "
        "NotPermitted NotSent OutcomeUnknown ProtocolError QueryRefused RecordsFailed RefusedError SourceChanged "
        "TransferError TransportError Unavailable Unsettled UsageError"
    ),
    "formats.zip": "Attachments",
    "objects.columns": "Finding",
    "objects.matching": "ColumnMatch",
    "objects.texts": "TextNotation",
    "objects.values": "ValueFinding",
    "protocol.pk_chunking": "PKChunking",
    "protocol.flow": "Auth",
    "protocol.bulk2": "ResultLink ResultPages",
    "protocol.info": "BatchInfo JobInfo RecordError Result",
    "protocol.info2": "IngestJobInfo QueryJobInfo",
    "protocol.retry": "RetryPolicy",
    "extract.report": "ExtractProgress ExtractReport",
    "load.checking": "CheckReport",
    "load.costs": "Cost",
    "load.first_map": "FirstMap",
    "load.mapping": "ColumnMap",
    "extract.query": "QueryResult",
    "load.report": "LoadReport Progress",
    "load.sources.sql": "SqlQuery",
    "staging": "AsyncStage Stage",
    "run.report": "ErrorGroup ErrorSample RunState",
    "transport.base": "TLS Timeouts",
    "transport.stream": "AsyncResultStream ResultStream",
    "vocabulary": ("BatchState ColumnDelimiter ConcurrencyMode ContentType Job2State JobState LineEnding Operation"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
