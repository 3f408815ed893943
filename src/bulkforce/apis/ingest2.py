"""Load records into the org with Bulk API 2.0: a batch is a job with one upload, which counts once it is committed.

Up to the commit (``UploadComplete``), everything may be thrown away: a job that is never committed never writes. So a
batch in doubt is settled by what may have happened to it:

- Its commit was not requested: the job is aborted, and the batch is absent once the job was seen to be ``Aborted``.
- Its commit may have been requested: the job goes on from its state. If that is ``Open``, the commit is sent again,
  which changes nothing if the first one is still under way. Aborting it instead would prove nothing: the first could
  arrive just before, and some of its records be written.

The org has no name of ours for a job, and cannot return what was uploaded: only the id that the journal keeps tells
which job is whose.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bulkforce.apis import files2, sizes
from bulkforce.apis.abc import (
    IS_NO_LOAD,
    BatchEnd,
    BatchSeen,
    ContentRefused,
    Counts,
    Found,
    JobSeen,
    JobStanding,
    Looked,
    Looks,
    Piece,
    Results,
    Sent,
    Sizes,
    Uploaded,
    Write,
)
from bulkforce.apis.results2 import Key
from bulkforce.errors import (
    Facts,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    Unsettled,
    UsageError,
)
from bulkforce.protocol import bulk2, settings2
from bulkforce.protocol.exchange import Body, Exchange, Stream
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info2 import IngestJobInfo
from bulkforce.protocol.settings2 import IngestSettings
from bulkforce.protocol.wire import short
from bulkforce.vocabulary import Job2State, LineEnding, Operation

_TRIES: Final = 5
_SPOILT: Final = "INVALIDJOB"
_ENDS: Final = {
    Job2State.JOB_COMPLETE: BatchEnd.COMPLETED,
    Job2State.FAILED: BatchEnd.FAILED,
    Job2State.ABORTED: BatchEnd.ABORTED,
}
_FILES: Final[tuple[tuple[str, Callable[[str], Exchange[Stream | None]]], ...]] = (
    ("successful", bulk2.get_successful_results),
    ("failed", bulk2.get_failed_results),
    ("unprocessed", bulk2.get_unprocessed_records),
)


@dataclass(frozen=True, slots=True)
class Ingest2:
    """See `bulkforce.apis.abc.IngestApi`.

    Attributes:
        settings: What jobs are created with.
        looks: How often a job is looked at before what it says is trusted.
    """

    settings: IngestSettings
    looks: Looks
    _reading: files2.Reading = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reading", files2.Reading(Key(self.operation, self.external_id, "Id")))

    @classmethod
    def of(
        cls,
        operation: Operation | str,
        object_name: str,
        looks: Looks,
        *,
        external_id: str | None = None,
        assignment_rule_id: str | None = None,
        line_ending: LineEnding | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Ingest2:
        """Check the settings of a load's jobs.

        Raises:
            UsageError: The protocol has no such word, or the settings contradict each other.
        """
        if operation in {Operation.QUERY, Operation.QUERY_ALL}:
            raise UsageError(IS_NO_LOAD)
        settings = settings2.settings(
            operation,
            object_name,
            external_id_field=external_id,
            assignment_rule_id=assignment_rule_id,
            line_ending=line_ending or LineEnding.LF,
            headers=headers,
        )
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
        return sizes.BULK2

    @property
    def one_batch_a_job(self) -> bool:
        """See `IngestApi`."""
        return True

    def open(self) -> Flow[JobSeen]:
        """See `IngestApi`."""
        return _job_seen((yield from ask(bulk2.create_ingest_job(self.settings))))

    def send(self, job_id: str, body: Body) -> Flow[BatchSeen | Uploaded | ContentRefused | JobSeen]:
        """See `IngestApi`."""
        try:
            yield from ask(bulk2.upload(job_id, body))
        except InvalidRequest:
            # What it says is not certain; whether the job is open is.
            info = yield from ask(bulk2.get_ingest_job(job_id))
            if info.state == Job2State.OPEN:
                raise
            return _job_seen(info)
        return Uploaded()

    def commit(self, job_id: str) -> Flow[BatchSeen | JobSeen]:
        """See `IngestApi`."""
        try:
            info = yield from ask(bulk2.complete_upload(job_id))
        except InvalidRequest:
            info = yield from ask(bulk2.get_ingest_job(job_id))
            if info.state in {Job2State.OPEN, Job2State.ABORTED}:
                return _job_seen(info)
        return _batch_seen(info)

    def settle(self, job_id: str, known: Collection[str], doubtful: Mapping[int, Sent]) -> Flow[Found]:
        """See `IngestApi`."""
        committing = any(sent.committing for sent in doubtful.values())
        try:
            state = yield from (_committed(job_id) if committing else _aborted(job_id))
        except NotFound as error:
            if not committing:
                # What was not committed counts for nothing, wherever it is.
                return Found({}, ())
            raise _gone(job_id) from error
        if state == Job2State.ABORTED and not committing:
            return Found({}, ())
        if state == _SPOILT:
            return Found({}, ())
        return Found({number: job_id for number in doubtful if short(job_id) not in set(map(short, known))}, ())

    def audit(
        self, job_id: str, known: Collection[str], *, doubts: bool, ours_to_close: bool, closed: bool
    ) -> Flow[JobSeen]:
        """See `IngestApi`."""
        info = yield from ask(bulk2.get_ingest_job(job_id))
        if ours_to_close and info.state not in {Job2State.OPEN, Job2State.ABORTED}:
            raise Unsettled(
                f"Job {job_id} was completed while this run was stopped, and not by it. If a copy of the run's folder "
                "was resumed, its rows are already in the org; nothing more is sent",
                Facts(job_id=job_id),
                why="closed",
            )
        if doubts or not closed:
            return _job_seen(info)
        if short(job_id) in set(map(short, known)):
            for pause in self.looks.pauses():
                if info.state != Job2State.OPEN:
                    return _job_seen(info)
                yield Sleep(pause)
                info = yield from ask(bulk2.get_ingest_job(job_id))
            raise _stays_open(job_id)
        if info.state == Job2State.OPEN:
            yield from _aborted(job_id)
            info = yield from ask(bulk2.get_ingest_job(job_id))
        if info.state != Job2State.ABORTED:
            raise _not_ours(job_id, info)
        return _job_seen(info)

    def look(self, job_id: str, waiting: Collection[str]) -> Flow[Looked]:
        """See `IngestApi`."""
        info = yield from ask(bulk2.get_ingest_job(job_id))
        if missing := set(waiting) - {short(job_id)}:
            raise ProtocolError(
                f"Job {job_id} lacks batch {min(missing)}: its only batch has its own id", Facts(job_id=job_id)
            )
        job, seen = _job_seen(info), _batch_seen(info)
        if job.standing is not JobStanding.ABORTED:
            return Looked({short(job_id): seen})
        if not seen.processed and (yield from self._never_ran(job_id)):
            seen = replace(seen, end=BatchEnd.NOT_PROCESSED)
        return Looked({short(job_id): seen}, job)

    def _never_ran(self, job_id: str) -> Flow[bool]:
        """Whether an aborted job did nothing with its records, as its result files say, and still say after a while."""
        for pause in (None, self.looks.seconds):
            if pause is not None:
                # It is not known whether the files of an aborted job may still grow.
                yield Sleep(pause)
            found = []
            for _, get in _FILES:
                found.append(files2.rows_in((yield from _file(get(job_id), self.looks, whole=False))))
            written, refused, not_tried = found
            if written or refused or not not_tried:
                return False
        return True

    def look_at_batch(self, job_id: str, batch_id: str) -> Flow[BatchSeen]:  # noqa: ARG002  (it is the job's)
        """See `IngestApi`."""
        return _batch_seen((yield from ask(bulk2.get_ingest_job(job_id))))

    def fetch_results(
        self,
        job_id: str,
        batch_id: str,  # noqa: ARG002  (it is the job's)
        write: Write,
        *,
        whole: bool,
        counts: Counts | None = None,
    ) -> Flow[bool]:
        """See `IngestApi`; the three files and the job's counters, as `files2` keeps them."""
        if counts is None:
            info = yield from ask(bulk2.get_ingest_job(job_id))
            counts = Counts(info.number_records_processed, info.number_records_failed)
        keeping = files2.Keeping(write)
        for name, get in _FILES:
            keeping.keep(name, (yield from _file(get(job_id), self.looks, whole=whole)))
        keeping.end(counts)
        return True

    def check_results(self, path: Path, piece: Piece, *, whole: bool, failed: int | None = None) -> str | None:
        """See `IngestApi`."""
        return self._reading.problem(path, piece, whole=whole, failed=failed)

    def read_results(self, path: Path, piece: Piece, *, whole: bool) -> Results:  # noqa: ARG002  (any may lack)
        """See `IngestApi`."""
        return self._reading.results(path, piece)

    def close(self, job_id: str) -> Flow[None]:
        """See `IngestApi`; a job without an upload, or with one that is not to count, is aborted."""
        with suppress(NotFound):
            yield from _aborted(job_id)


def _file(exchange: Exchange[Stream | None], looks: Looks, *, whole: bool) -> Flow[Stream | None]:
    """Fetch a result file, which may come later than the end of its job."""
    for pause in looks.pauses():
        try:
            return (yield from ask(exchange))
        except InvalidRequest:
            yield Sleep(pause)
    try:
        return (yield from ask(exchange))
    except InvalidRequest:
        # Whether a job that did not end well has all three is not known.
        if whole:
            raise
        return None


def _committed(job_id: str) -> Flow[str]:
    """Commit a job whose commit may have been requested before, and return its state: anything but open.

    Raises:
        Unsettled: It is still open after several attempts.
    """
    for attempt in range(_TRIES):
        info = yield from ask(bulk2.get_ingest_job(job_id))
        if info.state != Job2State.OPEN:
            return info.state
        try:
            return (yield from ask(bulk2.complete_upload(job_id))).state
        except OutcomeUnknown:
            pass
        except InvalidRequest as error:
            if error.code == _SPOILT:
                # It holds two uploads, which the org never processes.
                state = yield from _aborted(job_id)
                return _SPOILT if state == Job2State.ABORTED else state
        yield Sleep(float(attempt), jittered=True)
    raise _stays_open(job_id)


def _aborted(job_id: str) -> Flow[str]:
    """Abort an open job, see it aborted, and return its state; a job that is not open is left as it is.

    Raises:
        Unsettled: It is still open after several attempts.
    """
    for attempt in range(_TRIES):
        info = yield from ask(bulk2.get_ingest_job(job_id))
        if info.state != Job2State.OPEN:
            return info.state
        try:
            return (yield from ask(bulk2.abort_ingest_job(job_id))).state
        except (OutcomeUnknown, InvalidRequest):
            # The answer was lost, or it is no longer open: find out which.
            pass
        yield Sleep(float(attempt), jittered=True)
    raise _stays_open(job_id)


def _job_seen(info: IngestJobInfo) -> JobSeen:
    standings = {Job2State.OPEN: JobStanding.OPEN, Job2State.ABORTED: JobStanding.ABORTED}
    created = info.created_date.timestamp() if info.created_date else None
    standing = (
        standings.get(info.state, JobStanding.CLOSED) if isinstance(info.state, Job2State) else JobStanding.CLOSED
    )
    return JobSeen(info.id, standing, created)


def _batch_seen(info: IngestJobInfo) -> BatchSeen:
    # A state that is not known is one that has not ended.
    end = _ENDS.get(info.state) if isinstance(info.state, Job2State) else None
    return BatchSeen(info.id, end, info.error_message, info.number_records_processed, info.number_records_failed)


def _stays_open(job_id: str) -> Unsettled:
    return Unsettled(
        f"Job {job_id} still says that it is open, so what was uploaded to it may or may not be processed later",
        Facts(job_id=job_id),
        why="restless",
    )


def _not_ours(job_id: str, info: IngestJobInfo) -> Unsettled:
    return Unsettled(
        f"Job {job_id} is {info.state}, but this run aborted it: something else completed it, or a copy of the run's "
        "folder was resumed; nothing more is sent. Compare its results with the run's rows: they may be in the org "
        "twice",
        Facts(job_id=job_id),
        why="strangers",
        strangers=[job_id],
    )


def _gone(job_id: str) -> Unsettled:
    return Unsettled(
        f"The org no longer has job {job_id}, and it is not known whether it was completed before. Jobs are removed "
        "after 24 hours if they are still open, and otherwise after 7 days: if nobody has deleted it, and it is "
        "younger than 7 days, its rows were not processed; nothing more is sent",
        Facts(job_id=job_id),
        why="gone",
    )
