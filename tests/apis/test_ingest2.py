"""What a load over Bulk API 2.0 does when an answer is lost: the table of the reference, by flows that are answered by
hand, so that the org can be as late as it likes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.script import Line, Script, said

from bulkforce.apis.abc import BatchEnd, BatchSeen, Counts, Found, JobSeen, JobStanding, Looks, Piece, Sent, Uploaded
from bulkforce.apis.ingest2 import Ingest2
from bulkforce.errors import InvalidRequest, NoAnswer, NotFound, OutcomeUnknown, ProtocolError, Unsettled, UsageError
from bulkforce.protocol.exchange import Answer, Body, Stream
from bulkforce.protocol.flow import Send, Sleep
from bulkforce.protocol.retry import RetryPolicy

JOB = "750000000000001AAA"
API = Ingest2.of("insert", "Contact", Looks(10.0, 3))
LOST = NoAnswer("cut")


def job(state: str, **members: object) -> Answer:
    told = {"id": JOB, "operation": "insert", "object": "Contact", "state": state, "contentType": "CSV"}
    return said(
        json.dumps({**told, "lineEnding": "LF", "columnDelimiter": "COMMA", **members}), 200, "application/json"
    )


def refused(code: str, status: int = 400) -> Answer:
    return said(json.dumps([{"errorCode": code, "message": "no"}]), status, "application/json")


GONE = refused("NOT_FOUND", 404)


@dataclass
class Told:
    """What was asked in words, and what came of it."""

    asked: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    answer: Any = None


def words(script: Script) -> Told:
    told = Told()
    for effect in script.effects:
        if isinstance(effect, Sleep):
            told.pauses.append(effect.seconds)
        if isinstance(effect, Send):
            request = effect.request
            state = ""
            if request.method == "PATCH":
                assert request.body is not None
                with request.body.open() as file:
                    state = " " + json.loads(file.read())["state"]
            told.asked.append(request.method + state)
    return told


def settled(lines: list[Line], *, committing: bool) -> Told:
    script = Script(lines, policy=RetryPolicy(attempts=1))
    found = script.run(API.settle(JOB, [], {7: Sent("digest", lambda: b"x", committing)}))
    told = words(script)
    told.answer = found
    assert not script.lines
    return told


ABSENT, ADOPTED = Found({}, ()), Found({7: JOB}, ())
TABLE: list[tuple[str, bool, list[Line], list[str], Found]] = [
    # what happened, whether the commit was intended, what the org answers; then what is asked, and what is believed
    ("PUT lost, never arrived or not", False, [job("Open"), job("Aborted")], ["GET", "PATCH Aborted"], ABSENT),
    ("PUT lost, abort lost before", False, [job("Open"), LOST, job("Open"), job("Aborted")],
     ["GET", "PATCH Aborted", "GET", "PATCH Aborted"], ABSENT),
    ("PUT lost, abort lost after", False, [job("Open"), LOST, job("Aborted")], ["GET", "PATCH Aborted", "GET"], ABSENT),
    ("PUT lost, somebody aborted", False, [job("Aborted")], ["GET"], ABSENT),
    ("PUT lost, job cleaned away", False, [GONE], ["GET"], ABSENT),
    ("PUT lost, abort comes too late for what another holder of the id committed", False,
     [job("Open"), refused("INVALIDJOBSTATE"), job("JobComplete")], ["GET", "PATCH Aborted", "GET"], ADOPTED),
    ("PATCH lost before", True, [job("Open"), job("UploadComplete")], ["GET", "PATCH UploadComplete"], ADOPTED),
    ("PATCH lost after", True, [job("UploadComplete")], ["GET"], ADOPTED),
    ("PATCH lost after, running", True, [job("InProgress")], ["GET"], ADOPTED),
    ("PATCH lost after, done", True, [job("JobComplete")], ["GET"], ADOPTED),
    ("PATCH lost after, failed", True, [job("Failed")], ["GET"], ADOPTED),
    ("PATCH lost after, in a state that is not known", True, [job("Thinking")], ["GET"], ADOPTED),
    # Its rows may have been written before that; its results tell.
    ("PATCH lost, somebody aborted", True, [job("Aborted")], ["GET"], ADOPTED),
    ("PATCH still under way while the job says Open", True,
     [job("Open"), refused("INVALIDJOBSTATE"), job("UploadComplete")], ["GET", "PATCH UploadComplete", "GET"], ADOPTED),
    ("PATCH lost, and again", True, [job("Open"), LOST, job("InProgress")], ["GET", "PATCH UploadComplete", "GET"],
     ADOPTED),
    ("PATCH lost, and again, before", True, [job("Open"), LOST, job("Open"), job("UploadComplete")],
     ["GET", "PATCH UploadComplete", "GET", "PATCH UploadComplete"], ADOPTED),
    ("two uploads, which the org never processes", True, [job("Open"), refused("INVALIDJOB"), job("Open"), job("Aborted")],
     ["GET", "PATCH UploadComplete", "GET", "PATCH Aborted"], ABSENT),
    ("two uploads, which it processed all the same", True,
     [job("Open"), refused("INVALIDJOB"), job("InProgress")], ["GET", "PATCH UploadComplete", "GET"], ADOPTED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("committing", "lines", "asked", "found"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_batch_in_doubt_is_settled_by_what_may_have_happened_to_it(
    committing: bool, lines: list[Line], asked: list[str], found: Found
) -> None:
    told = settled(list(lines), committing=committing)
    assert (told.asked, told.answer) == (asked, found)


def test_job_is_never_aborted_once_its_commit_may_be_under_way() -> None:
    """An abort may come just behind the commit, when some of the rows are written, and the job would still be Aborted."""
    for _, committing, lines, _, _ in TABLE:
        spoilt = any(isinstance(line, Answer) and b'"INVALIDJOB"' in line.body for line in lines)
        told = settled(list(lines), committing=committing)
        assert not (committing and not spoilt and "PATCH Aborted" in told.asked)


def test_job_that_is_gone_with_its_commit_intended_is_for_the_user_to_say() -> None:
    with pytest.raises(Unsettled, match="if nobody has deleted it") as caught:
        settled([GONE], committing=True)
    assert (caught.value.why, caught.value.job_id) == ("gone", JOB)


@pytest.mark.parametrize("committing", [False, True])
def test_job_that_stays_open_whatever_is_asked_is_not_settled(committing: bool) -> None:
    lines: list[Line] = [line for _ in range(5) for line in (job("Open"), refused("INVALIDJOBSTATE"))]
    with pytest.raises(Unsettled, match="still says that it is open") as caught:
        settled(lines, committing=committing)
    assert (caught.value.why, caught.value.job_id) == ("restless", JOB)


def run(flow: Any, *lines: Line) -> Any:
    script = Script(list(lines), policy=RetryPolicy(attempts=1))
    answer = script.run(flow)
    assert not script.lines
    return answer


def test_upload_is_committed_apart() -> None:
    assert run(API.send(JOB, Body.of(b"Name\na\n")), said(b"", 201, "")) == Uploaded()
    assert run(API.commit(JOB), job("UploadComplete")) == BatchSeen(JOB)


@pytest.mark.parametrize("call", [API.send(JOB, Body.of(b"x")), API.commit(JOB)], ids=["upload", "commit"])
def test_lost_answer_is_a_doubt_and_nothing_is_repeated(call: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        run(call, LOST)


def test_upload_into_a_job_that_is_no_longer_open_tells_the_job() -> None:
    seen = run(API.send(JOB, Body.of(b"x")), refused("INVALIDJOBSTATE"), job("Aborted"))
    assert seen == JobSeen(JOB, JobStanding.ABORTED)
    with pytest.raises(InvalidRequest):
        run(API.send(JOB, Body.of(b"x")), refused("API_ERROR"), job("Open"))


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("Aborted", JobSeen(JOB, JobStanding.ABORTED)),
        ("Open", JobSeen(JOB, JobStanding.OPEN)),
        ("InProgress", BatchSeen(JOB)),
        ("JobComplete", BatchSeen(JOB, BatchEnd.COMPLETED)),
    ],
)
def test_commit_that_is_refused_tells_what_the_job_is(state: str, answer: object) -> None:
    assert run(API.commit(JOB), refused("INVALIDJOBSTATE"), job(state)) == answer


CLOSING = {"doubts": False, "ours_to_close": False, "closed": True}


@pytest.mark.parametrize("state", ["JobComplete", "Failed", "Aborted", "InProgress"])
def test_job_that_was_committed_by_us_passes_the_audit(state: str) -> None:
    assert run(API.audit(JOB, {JOB[:15]}, **CLOSING), job("Open"), job(state)).id == JOB


def test_job_that_was_committed_but_stays_open_does_not_pass() -> None:
    with pytest.raises(Unsettled, match="still says that it is open"):
        run(API.audit(JOB, {JOB[:15]}, **CLOSING), job("Open"), job("Open"), job("Open"))


def test_job_that_was_never_committed_by_us_is_seen_aborted() -> None:
    seen = run(API.audit(JOB, set(), **CLOSING), job("Open"), job("Open"), job("Aborted"), job("Aborted"))
    assert seen.standing is JobStanding.ABORTED
    with pytest.raises(Unsettled, match="something else completed it") as caught:
        run(API.audit(JOB, set(), **CLOSING), job("JobComplete"))
    assert (caught.value.why, set(caught.value.strangers)) == ("strangers", {JOB})


def test_job_that_somebody_else_completed_while_the_run_was_stopped_is_told() -> None:
    left = {"doubts": True, "ours_to_close": True, "closed": False}
    assert run(API.audit(JOB, set(), **left), job("Open")).standing is JobStanding.OPEN
    with pytest.raises(Unsettled, match="completed while this run was stopped") as caught:
        run(API.audit(JOB, set(), **left), job("InProgress"))
    assert caught.value.why == "closed"


def csv(content: bytes | None, *, breaks_off: bool = False) -> Answer:
    class Blocks(Stream):
        framed = True

        def __iter__(self) -> Any:
            yield content or b""
            if breaks_off:
                raise NoAnswer("cut")

        def close(self) -> None:
            pass

    answer = said(b"", 204 if content is None else 200, "text/csv")
    return Answer(answer.request, answer.status, answer.headers, b"", Blocks())


WRITTEN = b'"sf__Id","sf__Created",Name\n"001000000000001AAA","true","a"\n'
REFUSED = b'"sf__Id","sf__Error",Name\n"","REQUIRED_FIELD_MISSING:no:Name --","b"\n'
NOT_TRIED = b'Name\n"c"\n'
SENT = Piece(3, b"Name\n", lambda: iter([b"a\nb\nc\n"]))
COUNTS = {"numberRecordsProcessed": 2, "numberRecordsFailed": 1}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "results"


def fetched(kept: Path, *files: Answer, whole: bool = True, state: str = "JobComplete", **counts: object) -> Path:
    with kept.open("wb") as file:
        told = job(state, **(counts or COUNTS))
        assert run(API.fetch_results(JOB, JOB, file.write, whole=whole), told, *files) is True
    return kept


def test_counts_that_were_seen_are_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    with path.open("wb") as file:
        flow = API.fetch_results(JOB, JOB, file.write, whole=True, counts=Counts(2, 1))
        assert run(flow, csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED)) is True
    asked = fetched(tmp_path / "asked", csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED))
    assert path.read_bytes() == asked.read_bytes()


def test_three_files_are_read_as_the_outcomes_of_the_records(kept: Path) -> None:
    content = fetched(kept, csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED), whole=False, state="Failed")
    assert API.check_results(content, SENT, whole=False) is None
    results = API.read_results(content, SENT, whole=False)
    assert results.outcomes.kinds == b"sfn"
    assert results.outcomes.errors == {1: "REQUIRED_FIELD_MISSING:no:Name --"}
    assert results.untied is not None
    assert results.untied.count == 0


def test_results_that_were_read_when_they_were_checked_are_not_read_again(kept: Path, tmp_path: Path) -> None:
    content = fetched(kept, csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED), whole=False, state="Failed")
    assert API.check_results(content, SENT, whole=False) is None
    # The same file, of the same time: only what was remembered still says "a".
    known, changed = content.stat(), content.read_bytes().replace(b'"a"', b'"z"')
    with content.open("r+b") as file:
        file.write(changed)
    os.utime(content, ns=(known.st_atime_ns, known.st_mtime_ns))
    moved = content.rename(tmp_path / "moved")
    assert API.read_results(moved, SENT, whole=False).outcomes.kinds == b"sfn"
    # What was remembered is forgotten, and the file is looked at.
    assert API.read_results(moved, SENT, whole=False).outcomes.kinds == b"-fn"


def test_results_in_another_file_than_was_checked_are_read(kept: Path) -> None:
    content = fetched(kept, csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED), whole=False, state="Failed")
    assert API.check_results(content, SENT, whole=False) is None
    content.unlink()
    content = fetched(kept, csv(WRITTEN.replace(b'"a"', b'"z"')), csv(REFUSED), csv(NOT_TRIED), whole=False)
    assert API.read_results(content, SENT, whole=False).outcomes.kinds == b"-fn"


def test_file_that_is_not_there_is_one_without_rows(kept: Path) -> None:
    content = fetched(kept, csv(WRITTEN), csv(None), csv(None), numberRecordsProcessed=1, numberRecordsFailed=0)
    assert API.check_results(content, SENT, whole=True) is None
    results = API.read_results(content, SENT, whole=True)
    assert results.outcomes.kinds == b"s--"
    assert "beyond the org's daily allocation" in results.unknown


def test_refused_rows_whose_file_is_not_there_are_unknown_and_not_told_as_anything_else(kept: Path) -> None:
    content = fetched(kept, csv(WRITTEN), csv(None), csv(None))
    assert API.check_results(content, SENT, whole=True) is None
    assert "The org counts 1 refused row" in API.read_results(content, SENT, whole=True).unknown


def test_written_rows_whose_file_is_not_there_are_unknown(kept: Path) -> None:
    content = fetched(kept, csv(None), csv(REFUSED), csv(None))
    assert API.check_results(content, SENT, whole=True) is None
    assert "no file of the rows that it wrote" in API.read_results(content, SENT, whole=True).unknown


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ((WRITTEN[:-25], REFUSED, NOT_TRIED), "quote"),
        ((WRITTEN.split(b"\n")[0] + b"\n", REFUSED, NOT_TRIED), "0 results say that their record was written"),
        ((WRITTEN, REFUSED.split(b"\n")[0] + b"\n", NOT_TRIED), "0 results say that their record failed"),
        ((b"<html></html>", REFUSED, NOT_TRIED), "columns"),
        ((WRITTEN, REFUSED, b"\xff\xfe"), ""),
    ],
)
def test_files_that_are_not_what_the_org_counts_are_told(kept: Path, files: tuple[bytes, ...], problem: str) -> None:
    found = API.check_results(fetched(kept, *map(csv, files)), SENT, whole=True)
    assert found is not None
    assert problem in found


@pytest.mark.parametrize(
    "content", [b"", b"\n{}", b"\n[]", b"x", b'x\n{"sizes":{"failed":9},"processed":1,"failed":0}']
)
def test_what_is_kept_of_results_is_checked(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    assert API.check_results(kept, SENT, whole=True) is not None


def test_files_that_come_later_than_the_end_of_the_job_are_waited_for(kept: Path) -> None:
    early = refused("INVALIDJOBSTATE")
    content = fetched(kept, early, early, csv(WRITTEN), csv(REFUSED), csv(NOT_TRIED))
    assert API.check_results(content, SENT, whole=True) is None
    with pytest.raises(InvalidRequest):
        fetched(kept, *[early] * 3)
    content = fetched(kept, *[early] * 9, whole=False, state="Failed")
    assert API.read_results(content, SENT, whole=False).outcomes.kinds == b"---"


def test_file_that_breaks_off_is_no_file(kept: Path) -> None:
    with pytest.raises(NoAnswer):
        fetched(kept, csv(WRITTEN, breaks_off=True))


HEADER_ONLY = WRITTEN.split(b"\n")[0], REFUSED.split(b"\n")[0] + b"\n"


@pytest.mark.parametrize(
    ("files", "end"),
    [
        ([*HEADER_ONLY, NOT_TRIED] * 2, BatchEnd.NOT_PROCESSED),
        ([*HEADER_ONLY, None], BatchEnd.ABORTED),
        ([WRITTEN, HEADER_ONLY[1], NOT_TRIED], BatchEnd.ABORTED),
        # It was still writing when it was first looked at.
        ([*HEADER_ONLY, NOT_TRIED, HEADER_ONLY[0], REFUSED, NOT_TRIED], BatchEnd.ABORTED),
    ],
)
def test_aborted_job_was_never_run_only_if_its_files_say_so_twice(files: list[bytes | None], end: BatchEnd) -> None:
    told = job("Aborted", numberRecordsProcessed=0, numberRecordsFailed=0)
    looked = run(API.look(JOB, [JOB[:15]]), told, *map(csv, files))
    assert looked.batches[JOB[:15]].end is end
    assert looked.job.standing is JobStanding.ABORTED


def test_aborted_job_that_processed_something_is_not_run_again() -> None:
    looked = run(API.look(JOB, [JOB[:15]]), job("Aborted", **COUNTS))
    assert looked.batches[JOB[:15]].end is BatchEnd.ABORTED


def test_job_has_no_batch_but_its_own() -> None:
    with pytest.raises(ProtocolError, match="lacks batch"):
        run(API.look(JOB, ["750000000000002"]), job("InProgress"))


def test_job_without_an_upload_is_closed_by_aborting_it() -> None:
    run(API.close(JOB), job("Open"), job("Aborted"))
    run(API.close(JOB), GONE)
    with pytest.raises(NotFound):
        run(API.look(JOB, []), GONE)


@pytest.mark.parametrize("operation", ["query", "queryAll"])
def test_a_load_is_no_query(operation: str) -> None:
    with pytest.raises(UsageError, match="to get records out, use extract"):
        Ingest2.of(operation, "Contact", Looks(1.0, 1))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("inside", [b"\n", b"\r\n", b"\r"])
def test_results_are_tied_whatever_line_ends_the_org_echoes(kept: Path, end: bytes, inside: bytes) -> None:
    sent = Piece(2, b"Name\n", lambda: iter([b'"a\nb"\nc\n']))
    lines = [b'"sf__Id","sf__Created",Name', b'"001000000000002AAA","true","c"']
    lines.append(b'"001000000000001AAA","true","a' + inside + b'b"')
    written = csv(end.join(lines) + end)
    fetched(kept, written, csv(REFUSED.split(b"\n")[0]), csv(b"Name"), numberRecordsProcessed=2, numberRecordsFailed=0)
    assert API.check_results(kept, sent, whole=True) is None
    results = API.read_results(kept, sent, whole=True)
    assert list(results.outcomes.marks) == [b"001000000000001AAA,true,", b"001000000000002AAA,true,"]
    assert results.untied is not None
    assert results.untied.count == 0
