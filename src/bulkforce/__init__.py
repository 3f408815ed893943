"""bulkforce: any amount of data into and out of Salesforce, exactly once, at wire speed, in constant memory."""

from bulkforce.async_client import AsyncClient
from bulkforce.auth import BearerToken, ClientCredentials, JWTBearer, RefreshToken, UsernamePassword
from bulkforce.client import Client
from bulkforce.conversations import Pace
from bulkforce.errors import (
    BatchFailed,
    Error,
    FormatError,
    InvalidRequest,
    JobAborted,
    JobError,
    JobFailed,
    JobNotDone,
    LimitReached,
    MissingExtra,
    NoAnswer,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    TransferError,
    TransportError,
    Unavailable,
    UsageError,
)
from bulkforce.formats.zip import Attachments
from bulkforce.protocol.bulk1 import PKChunking
from bulkforce.protocol.flow import Auth
from bulkforce.protocol.info import BatchInfo, JobInfo, RecordError, Result
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.transport.base import TLS, Timeouts
from bulkforce.transport.stream import ResultStream
from bulkforce.vocabulary import BatchState, ConcurrencyMode, ContentType, JobState, LineEnding, Operation

__all__ = [
    "TLS",
    "AsyncClient",
    "Attachments",
    "Auth",
    "BatchFailed",
    "BatchInfo",
    "BatchState",
    "BearerToken",
    "Client",
    "ClientCredentials",
    "ConcurrencyMode",
    "ContentType",
    "Error",
    "FormatError",
    "InvalidRequest",
    "JWTBearer",
    "JobAborted",
    "JobError",
    "JobFailed",
    "JobInfo",
    "JobNotDone",
    "JobState",
    "LimitReached",
    "LineEnding",
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
    "ProtocolError",
    "RecordError",
    "RefreshToken",
    "RefusedError",
    "Result",
    "ResultStream",
    "RetryPolicy",
    "Timeouts",
    "TransferError",
    "TransportError",
    "Unavailable",
    "UsageError",
    "UsernamePassword",
]
