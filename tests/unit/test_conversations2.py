"""Conversations of Bulk API 2.0, with every answer supplied by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.script import Line, Script, job_info, refused, said, script

from bulkforce import conversations, conversations2
from bulkforce.conversations import Pace
from bulkforce.conversations2 import Csv
from bulkforce.csv_stream import CsvStream
from bulkforce.errors import (
    FormatError,
    Intercepted,
    InvalidRequest,
    JobNotDone,
    NoAnswer,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
)
from bulkforce.protocol import bulk2
from bulkforce.protocol.bulk2 import JobPage
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo

JOB = "750000000000001AAA"
LOST = NoAnswer("the connection broke")


class Wire:
    framed = True

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks
        self.closed = False

    def __iter__(self) -> Any:
        return iter(self.blocks)

    def close(self) -> None:
        self.closed = True


def told(state: str, operation: str = "insert", **more: object) -> Answer:
    named = {"id": JOB, "operation": operation, "object": "Contact", "state": state, "apiVersion": 60.0}
    form = {"lineEnding": "LF", "columnDelimiter": "PIPE"}
    return said(json.dumps(named | form | more), media="application/json")


def no(code: str = "NOT_FOUND", status: int = 404) -> Answer:
    return said(json.dumps([{"errorCode": code, "message": "no"}]), status, "application/json")


def streamed(status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    media = {} if status == 204 else {"content-type": "text/csv"}
    return Answer(Request("GET", "/x"), status, {**media, **(headers or {})}, stream=Wire(b'"a"', b'|b\n1|"x\n"\n'))


def info(**more: Any) -> IngestJobInfo:
    found: IngestJobInfo = script(conversations2.ingest_job(JOB), [told("JobComplete", **more)])
    return found


def test_file_is_read_with_the_delimiter_of_its_job() -> None:
    found: Csv = script(conversations2.result_file(JOB, bulk2.get_failed_results), [told("JobComplete"), streamed()])
    assert list(CsvStream(found).rows()) == [{"a": "1", "b": "x\n"}]
    assert script(conversations2.result_file(info(), bulk2.get_failed_results), [streamed()]).delimiter == "|"
    # The answer to complete does not say it.
    bare = replace(info(), column_delimiter=None)
    assert script(conversations2.result_file(bare, bulk2.get_failed_results), [told("Failed"), streamed()])


@pytest.mark.parametrize(
    ("asking", "processed", "failed", "fits"),
    [
        (bulk2.get_failed_results, 5, 0, True),
        (bulk2.get_failed_results, 5, 1, False),
        (bulk2.get_successful_results, 5, 5, True),
        (bulk2.get_successful_results, 5, 4, False),
        (bulk2.get_failed_results, None, None, True),
    ],
)
def test_no_content_means_no_records_only_if_the_job_says_so(
    asking: Callable[..., Any], processed: int | None, failed: int | None, fits: bool
) -> None:
    now = told("JobComplete", numberRecordsProcessed=processed, numberRecordsFailed=failed)
    lines = [streamed(204), now]
    if fits:
        found = script(conversations2.result_file(info(), asking), lines)
        assert list(CsvStream(found).rows()) == []
        found.close()
    else:
        with pytest.raises(ProtocolError, match=r"has 1 of these records.*204"):
            script(conversations2.result_file(info(), asking), lines)


def test_no_content_of_unprocessed_records_is_believed() -> None:
    found = script(conversations2.result_file(info(), bulk2.get_unprocessed_records), [streamed(204)])
    assert list(found.stream) == []


def test_part_of_a_query_has_its_place_and_count() -> None:
    headers = {"sforce-locator": "x", "sforce-numberofrecords": "2"}
    found = script(
        conversations2.query_results(JOB, None, 5), [told("JobComplete", "query"), streamed(headers=headers)]
    )
    stream = CsvStream(found)
    assert (stream.locator, stream.number_of_records, stream.delimiter) == ("x", 2, "|")
    rows = stream.rows()
    assert next(rows) == {"a": "1", "b": "x\n"}
    with pytest.raises(ProtocolError, match="says there are 2 records, but sent 1"):
        next(rows)


def test_row_with_other_columns_is_told_without_its_values() -> None:
    with pytest.raises(FormatError, match=r"3 values for 2 columns \(record 1\)") as caught:
        list(CsvStream(Csv(Wire(b"a,b\n", b"secret,2,3\n"), ",")).rows())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([said(job_info())], JobInfo),
        ([refused("InvalidJob", "Invalid job id"), told("Open")], IngestJobInfo),
        ([refused("InvalidJob", "other words"), no(), told("InProgress", "query")], QueryJobInfo),
        # 2.0 shows a query job among those that load.
        (
            [refused("InvalidEntity"), told("InProgress", "query", jobType="V2Query"), told("InProgress", "query")],
            QueryJobInfo,
        ),
        # v1 knows it, but not its state.
        ([said(job_info("UploadComplete")), told("UploadComplete")], IngestJobInfo),
        ([refused("InvalidJob", "Invalid job id"), no(), no()], NotFound),
        ([said("<html>", 400, "text/html")], Intercepted),
        ([refused("ExceededQuota")], Exception),
        ([refused("InvalidOperation")], InvalidRequest),
    ],
)
def test_job_of_either_api_is_found_by_its_id(lines: Sequence[Line], kind: type) -> None:
    job_id = "750A" if kind is JobInfo else JOB
    if issubclass(kind, Exception):
        with pytest.raises(kind):
            script(conversations2.any_job(job_id), lines)
    else:
        assert isinstance(script(conversations2.any_job(job_id), lines), kind)


def test_wait_ends_with_the_job() -> None:
    played = Script([told("UploadComplete"), told("Thinking"), told("Aborted")])
    pace = Pace(first_seconds=1.0, growth=2.0)
    assert played.run(conversations2.wait_for_ingest_job(JOB, 100.0, pace)).state == "Aborted"
    assert played.pauses == [1.0, 2.0]
    with pytest.raises(JobNotDone, match="complete_upload"):
        script(conversations2.wait_for_ingest_job(JOB, 100.0, pace), [told("Open")])
    with pytest.raises(JobNotDone, match="still InProgress after 0 s"):
        script(conversations2.wait_for_query_job(JOB, 0.0, pace), [told("InProgress", "query")])


def test_wait_for_several_has_one_time_limit() -> None:
    played = Script([told("InProgress"), told("JobComplete"), told("InProgress"), told("InProgress")])
    with pytest.raises(JobNotDone):
        played.run(conversations2.wait_for_ingest_jobs([JOB, JOB], 1.5, Pace(first_seconds=1.0, growth=1.0)))
    assert played.clock == 1.5


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([said(status=204)], None),
        ([LOST, said(status=204)], None),
        ([LOST, no()], None),
        ([no()], NotFound),
        ([LOST, LOST], OutcomeUnknown),
    ],
)
def test_delete_is_done_again_if_its_answer_is_lost(lines: Sequence[Line], outcome: type[Exception] | None) -> None:
    flow = conversations.delete(bulk2.delete_query_job(JOB))
    if outcome is None:
        assert script(flow, lines) is None
    else:
        with pytest.raises(outcome):
            script(flow, lines)


def test_list_that_goes_on_where_it_was_has_no_end() -> None:
    page: JobPage[IngestJobInfo] = JobPage((), "x")
    assert conversations2.following(page, None) == "x"
    with pytest.raises(ProtocolError, match="without end"):
        conversations2.following(page, "x")
