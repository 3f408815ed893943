"""Load records into the org with Bulk API v1. To find out what one of our jobs really holds: fence, look, adopt; never
guess.

A job with doubtful batches is closed first: the org accepts no more batches, so a late duplicate can no longer arrive.
Then its batches are listed until two looks in a row, some seconds apart, agree with each other and with the job's own
count: a request may have passed the org's check just before the close, and a list may lag behind. Unknown batches are
read back and compared with what was sent: by digest and, if that fails, by their records, since the org may not return
the exact bytes. Equal batches are counted, not merged: two equal batches in doubt need two in the org.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkforce.apis import results1, sizes
from bulkforce.apis.abc import (
    IS_NO_LOAD,
    BatchSeen,
    ContentRefused,
    Counts,
    Found,
    JobSeen,
    JobStanding,
    Looked,
    Looks,
    Outcomes,
    Piece,
    Results,
    Sent,
    Sizes,
    Write,
    strangers_in,
)
from bulkforce.apis.jobs1 import batch_seen, close_for_good, job_seen, stays_open
from bulkforce.errors import (
    Facts,
    FormatError,
    InvalidRequest,
    NotFound,
    ProtocolError,
    RefusedError,
    Unsettled,
    UsageError,
)
from bulkforce.later import later
from bulkforce.protocol import bulk1
from bulkforce.protocol.bulk1 import JobSettings
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.wire import short
from bulkforce.protocol.wire_csv import rows
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

if TYPE_CHECKING:
    from bulkforce.formats import zip as zipped
else:
    zipped = later("bulkforce.formats.zip")

_CONTENT_IS_WRONG: Final = frozenset({"InvalidBatch", "ClientInputError", "UnsupportedContentType"})


@dataclass(frozen=True, slots=True)
class Ingest1:
    """See `bulkforce.apis.abc.IngestApi`.

    Attributes:
        settings: What jobs are created with.
        looks: How often a closed job is looked at before its list of batches is trusted.
    """

    settings: JobSettings
    looks: Looks

    @classmethod
    def of(
        cls,
        operation: Operation | str,
        object_name: str,
        looks: Looks,
        *,
        external_id: str | None = None,
        concurrency_mode: ConcurrencyMode | str | None = None,
        assignment_rule_id: str | None = None,
        line_ending: LineEnding | str | None = None,
        disable_batch_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
        with_files: bool = False,
    ) -> Ingest1:
        """Check the settings of a load's jobs; ``with_files`` says that batches are zips with files that records name.

        Raises:
            UsageError: The protocol has no such word, or the settings contradict each other.
        """
        settings = bulk1.settings(
            operation,
            object_name,
            ContentType.ZIP_CSV if with_files else ContentType.CSV,
            external_id_field=external_id,
            concurrency_mode=concurrency_mode,
            assignment_rule_id=assignment_rule_id,
            line_ending=line_ending,
            disable_batch_retry=disable_batch_retry,
            headers=headers,
        )
        if settings.operation.is_query:
            raise UsageError(IS_NO_LOAD)
        return cls(settings, looks)

    @property
    def operation(self) -> Operation:
        """See `IngestApi`."""
        return self.settings.operation

    @property
    def object(self) -> str:
        """See `IngestApi`."""
        return self.settings.object

    @property
    def external_id(self) -> str | None:
        """See `IngestApi`."""
        return self.settings.external_id_field

    @property
    def sizes(self) -> Sizes:
        """See `IngestApi`."""
        return sizes.BULK1

    @property
    def one_batch_a_job(self) -> bool:
        """See `IngestApi`."""
        return False

    def open(self) -> Flow[JobSeen]:
        """See `IngestApi`."""
        return job_seen((yield from ask(bulk1.create_job(self.settings))))

    def send(self, job_id: str, body: Body) -> Flow[BatchSeen | ContentRefused | JobSeen]:
        """See `IngestApi`."""
        try:
            info = yield from ask(bulk1.add_batch(job_id, self.settings.content_type, body))
        except RefusedError as error:
            if error.code == "InvalidJobState" or "not Open" in str(error.message):
                return job_seen((yield from ask(bulk1.get_job_info(job_id))))
            if error.code in _CONTENT_IS_WRONG:
                return ContentRefused(f"{error.code}: {error.message or 'no reason given'}")
            raise
        return batch_seen(info)

    def commit(self, job_id: str) -> Flow[BatchSeen | JobSeen]:
        """See `IngestApi`; a batch of v1 counts once it is accepted, so there is nothing to commit."""
        return job_seen((yield from ask(bulk1.get_job_info(job_id))))

    def settle(self, job_id: str, known: Collection[str], doubtful: Mapping[int, Sent]) -> Flow[Found]:
        """See `IngestApi`."""
        yield from close_for_good(job_id)
        listed = yield from _list_at_rest(job_id, self.looks, closed=True)
        known = frozenset(map(short, known))
        left = dict(doubtful)
        adopted: dict[int, str] = {}
        strangers: list[str] = []
        for batch_id in (batch_id for batch_id in listed if short(batch_id) not in known):
            asked = bulk1.get_batch_request(job_id, batch_id, self.settings.content_type)
            number = _match((yield from ask(asked)), left)
            if number is None:
                strangers.append(batch_id)
            else:
                adopted[number] = batch_id
                del left[number]
        return Found(adopted, tuple(strangers))

    def audit(
        self, job_id: str, known: Collection[str], *, doubts: bool, ours_to_close: bool, closed: bool = False
    ) -> Flow[JobSeen]:
        """See `IngestApi`."""
        return job_seen(
            (yield from self._audit(job_id, known, doubts=doubts, ours_to_close=ours_to_close, closed=closed))
        )

    def _audit(
        self, job_id: str, known: Collection[str], *, doubts: bool, ours_to_close: bool, closed: bool
    ) -> Flow[JobInfo]:
        info = yield from ask(bulk1.get_job_info(job_id))
        if ours_to_close and info.state is JobState.CLOSED:
            raise Unsettled(
                f"Job {job_id} was closed while this run was stopped, and not by it. If a copy of the run's folder was "
                "resumed, the remaining rows are already in the org; nothing more is sent",
                Facts(job_id=job_id),
                why="closed",
            )
        if doubts:
            return info
        if closed and info.state is JobState.OPEN:
            yield from close_for_good(job_id)
            info = yield from ask(bulk1.get_job_info(job_id))
            if info.state is JobState.OPEN:
                raise stays_open(job_id)
        known = frozenset(map(short, known))
        listed = yield from _list(job_id)
        _check_strangers(job_id, listed, known)
        if len(listed) == len(known) and info.number_batches_total in {None, len(listed)}:
            return info
        listed = yield from _list_at_rest(job_id, self.looks, closed=closed)
        _check_strangers(job_id, listed, known)
        if missing := known - set(map(short, listed)):
            raise _lacks(job_id, min(missing))
        return (yield from ask(bulk1.get_job_info(job_id)))

    def look(self, job_id: str, waiting: Collection[str]) -> Flow[Looked]:
        """See `IngestApi`."""
        listed = yield from ask(bulk1.batches_by_id(job_id, batch_seen))
        if missing := next((batch_id for batch_id in waiting if batch_id not in listed), None):
            raise _lacks(job_id, missing)
        if not any(listed[batch_id].never_run for batch_id in waiting):
            return Looked(listed)
        info = yield from ask(bulk1.get_job_info(job_id))
        job = job_seen(info)
        if job.standing is not JobStanding.ABORTED:
            raise ProtocolError(
                "The org says that a batch was not processed, as happens when a job is aborted, "
                f"but also that the job is {info.state}",
                Facts(job_id=job_id),
            )
        return Looked(listed, job)

    def look_at_batch(self, job_id: str, batch_id: str) -> Flow[BatchSeen]:
        """See `IngestApi`."""
        return batch_seen((yield from ask(bulk1.get_batch_info(job_id, batch_id))))

    def fetch_results(
        self,
        job_id: str,
        batch_id: str,
        write: Write,
        *,
        whole: bool,
        counts: Counts | None = None,  # noqa: ARG002  (the results have their own)
    ) -> Flow[bool]:
        """See `IngestApi`."""
        try:
            write((yield from ask(bulk1.get_raw_result(job_id, batch_id, self.settings.content_type))).body)
        except InvalidRequest:
            if whole:
                raise
            # A batch that failed halfway may have results for what it did, or none. The org itself says so: a 400 from
            # anything else is `Intercepted`.
            return False
        return True

    def check_results(self, path: Path, piece: Piece, *, whole: bool, failed: int | None = None) -> str | None:
        """See `IngestApi`."""
        inserted = self.settings.operation is Operation.INSERT
        return results1.check(
            path.read_bytes(), piece.records, whole=whole, failed=failed, inserted=inserted, ids=piece.ids()
        )

    def read_results(self, path: Path, piece: Piece, *, whole: bool) -> Results:
        """See `IngestApi`."""
        content = path.read_bytes()
        # Without content, the org said that there are no results.
        empty = Outcomes(()) if not (content or whole) else None
        return Results(empty or results1.read(content, piece.records, whole=whole))

    def close(self, job_id: str) -> Flow[None]:
        """See `IngestApi`."""
        # A purged job accepts no more batches either.
        with suppress(NotFound):
            yield from close_for_good(job_id)


def _lacks(job_id: str, batch_id: str) -> ProtocolError:
    return ProtocolError(
        f"The org's list lacks batch {batch_id}, which the org has accepted", Facts(job_id=job_id, batch_id=batch_id)
    )


def _check_strangers(job_id: str, listed: Iterable[str], known: Collection[str]) -> None:
    if strangers := [batch_id for batch_id in listed if short(batch_id) not in known]:
        raise strangers_in(job_id, strangers)


def _list(job_id: str) -> Flow[list[str]]:
    return [*(yield from ask(bulk1.batches_by_id(job_id, lambda info: info.id))).values()]


def _list_at_rest(job_id: str, looks: Looks, *, closed: bool) -> Flow[list[str]]:
    """List the batches of a job until two looks in a row agree with each other and with the job's own count.

    If the job was closed, it must say so.
    """
    before: set[str] | None = None
    info: JobInfo
    for pause in (None, *looks.pauses()):
        if pause is not None:
            yield Sleep(pause)
        listed = sorted((yield from _list(job_id)))
        info = yield from ask(bulk1.get_job_info(job_id))
        agrees = info.number_batches_total in {None, len(listed)} and not (closed and info.state is JobState.OPEN)
        now = set(map(short, listed))
        if agrees and now == before:
            return listed
        before = now if agrees else None
    if closed and info.state is JobState.OPEN:
        raise stays_open(job_id)
    raise Unsettled(
        f"The batches of job {job_id} keep changing: after {looks.most} looks, its list and its count of batches still "
        "differ or change; nothing more is sent. Resume the run later",
        Facts(job_id=job_id),
    )


def _match(content: bytes, left: Mapping[int, Sent]) -> int | None:
    content = _request_of(content)
    digest = hashlib.sha256(content).hexdigest()
    for number, sent in left.items():
        if digest == sent.sha256:
            return number
    records = _records(content)
    for number, sent in left.items():
        if records is not None and records == _records(_request_of(sent.content())):
            return number
    return None


def _request_of(content: bytes) -> bytes:
    """Return the request in a zip, which names its files by their digests; anything else unchanged."""
    if not content.startswith(b"PK"):
        return content
    try:
        return zipped.request_of(io.BytesIO(content), len(content))
    except FormatError:
        return content


def _records(content: bytes) -> Sequence[Sequence[str]] | None:
    """Read the records, with line ends inside values as LF, the way the org returns them."""
    try:
        text = content.decode().replace("\r\n", "\n").replace("\r", "\n")
        return list(rows(text))
    except (UnicodeDecodeError, FormatError):
        return None
