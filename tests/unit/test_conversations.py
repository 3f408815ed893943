"""Waiting and merging, with a clock that only the script moves."""

from __future__ import annotations

from itertools import islice
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from tests.support.script import NAMESPACE, Line, Script, batch_info, job_info, refused, said, script, xml

from bulkforce import conversations, errors
from bulkforce.conversations import Pace
from bulkforce.protocol import bulk1, wire_xml
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.flow import Sleep, ask
from bulkforce.vocabulary import BatchState, JobState

CSV_JOB, JSON_JOB, XML_JOB = (
    wire_xml.job_info(said(job_info(operation="query", content_type=each))) for each in ("CSV", "JSON", "XML")
)


def batches(*states: str) -> Answer:
    inner = "".join(
        f"<batchInfo><id>751{n}</id><jobId>750A</jobId><state>{state}</state></batchInfo>"
        for n, state in enumerate(states)
    )
    return said(xml("batchInfoList", inner))


def test_pace_grows_to_its_longest() -> None:
    assert list(islice(Pace(1, 2, 5).pauses(), 5)) == [1, 2, 4, 5, 5]
    assert list(islice(Pace(9, 2, 5).pauses(), 2)) == [5, 5]


def test_add_batch_looks_at_a_job_known_by_its_id() -> None:
    played = Script([said(job_info(content_type="CSV")), said(batch_info("Queued"), 201)])
    info = played.run(conversations.add_batch("750A", "Id\n1\n"))
    assert info.state is BatchState.QUEUED
    assert [request.method for request in played.sent] == ["GET", "POST"]


def test_add_batch_does_not_look_at_a_job_it_knows() -> None:
    played = Script([said(batch_info("Queued"), 201)])
    played.run(conversations.add_batch(wire_xml.job_info(said(job_info())), "Id\n1\n"))
    assert [request.method for request in played.sent] == ["POST"]


def test_add_batch_sends_nothing_when_the_content_does_not_fit() -> None:
    with pytest.raises(errors.FormatError):
        script(conversations.add_batch(wire_xml.job_info(said(job_info())), "Id,Name\n1\n"), [])


@pytest.mark.parametrize("state", ["Completed", "Failed"])
def test_wait_for_batch_looks_until_the_state_is_final(state: str) -> None:
    played = Script(
        [
            said(batch_info("Queued")),
            said(batch_info("InProgress")),
            said(batch_info("Queued")),
            said(batch_info(state)),
        ]
    )
    info = played.run(conversations.wait_for_batch("750A", "751B", 100, Pace(1, 2, 3)))
    assert info.state.is_final
    assert played.pauses == [1, 2, 3]
    assert not any(effect.jittered for effect in played.effects if isinstance(effect, Sleep))


@pytest.mark.parametrize("spelling", ["NotProcessed", "Not Processed"])
@pytest.mark.parametrize("job_state", ["Open", "Closed"])
def test_wait_for_batch_waits_for_the_chunks_of_a_query(spelling: str, job_state: str) -> None:
    original, job = said(batch_info(spelling, "7510")), said(job_info(job_state, operation="query"))
    played = Script(
        [
            said(batch_info("Queued", "7510")),
            *(original, batches(spelling, "InProgress", "Queued"), job),
            *(original, batches(spelling, "Completed", "Completed"), job),
        ]
    )
    info = played.run(conversations.wait_for_batch("750A", "7510", 100, Pace(1, 2, 3)))
    assert played.lines == []
    assert played.pauses == [1, 2]
    assert [chunk.id for chunk in info.chunks or ()] == ["7511", "7512"]
    assert info.raise_for_state() is info


def test_chunk_that_fails_is_told_by_the_batch_that_it_is_one_of() -> None:
    lines = [
        said(batch_info("NotProcessed", "7510")),
        batches("NotProcessed", "Completed", "Failed"),
        said(job_info(operation="query")),
    ]
    info = script(conversations.wait_for_batch("750A", "7510", 100, Pace()), lines)
    with pytest.raises(errors.BatchFailed, match="Batch 7512 is Failed"):
        info.raise_for_state()


def test_query_without_records_may_have_no_chunks() -> None:
    lines = [said(batch_info("NotProcessed", "7510")), batches("NotProcessed"), said(job_info(operation="query"))]
    assert script(conversations.wait_for_batch("750A", "7510", 100, Pace()), lines).raise_for_state().chunks == ()


@pytest.mark.parametrize(
    ("operation", "job_state"), [("query", "Aborted"), ("query", "Failed"), ("insert", "Aborted"), ("insert", "Open")]
)
def test_batch_that_never_ran_has_no_chunks_and_is_a_failure(operation: str, job_state: str) -> None:
    lines = [
        said(batch_info("NotProcessed", "7510")),
        batches("NotProcessed", "Completed"),
        said(job_info(job_state, operation=operation)),
    ]
    info = script(conversations.wait_for_batch("750A", "7510", 100, Pace()), lines)
    assert info.chunks is None
    with pytest.raises(errors.BatchFailed, match="its job was aborted"):
        info.raise_for_state()


def test_wait_for_chunks_ends_when_its_time_is_over() -> None:
    lines = [
        said(batch_info("NotProcessed", "7510")),
        batches("NotProcessed", "Queued"),
        said(job_info(operation="query")),
    ]
    with pytest.raises(errors.JobNotDone, match="1 of 1 chunks of batch 7510 are not done after 0 s"):
        script(conversations.wait_for_batch("750A", "7510", 0, Pace()), lines)


def test_wait_for_batch_gives_up_at_the_deadline_with_one_last_look() -> None:
    played = Script([said(batch_info("InProgress"))] * 4)
    with pytest.raises(errors.JobNotDone, match=r"still InProgress after 4 s") as caught:
        played.run(conversations.wait_for_batch("750A", "751B", 4, Pace(1, 2, 10)))
    assert played.pauses == [1, 2, 1]
    assert (caught.value.job_id, caught.value.batch_id) == ("750A", "751B")


def test_wait_for_batch_looks_once_when_there_is_no_time() -> None:
    assert script(conversations.wait_for_batch("750A", "751B", 0, Pace()), [said(batch_info("Completed"))]).id == "751B"
    with pytest.raises(errors.JobNotDone):
        script(conversations.wait_for_batch("750A", "751B", 0, Pace()), [said(batch_info("Queued"))])


def test_wait_for_job_waits_for_every_batch() -> None:
    played = Script([batches("Queued", "Completed"), batches("Completed", "Failed"), said(job_info("Closed"))])
    assert played.run(conversations.wait_for_job("750A", 100, Pace())).state is JobState.CLOSED
    assert len(played.pauses) == 1


def test_wait_for_job_waits_for_the_chunks_of_a_query() -> None:
    """The original is NotProcessed only when all chunks are there."""
    played = Script(
        [
            batches("Queued"),
            batches("NotProcessed", "InProgress", "Queued"),
            batches("NotProcessed", "Completed", "Completed"),
            said(job_info(operation="query")),
        ]
    )
    played.run(conversations.wait_for_job(CSV_JOB, 100, Pace()))
    assert len(played.pauses) == 2


def test_wait_for_job_gives_up_at_the_deadline() -> None:
    with pytest.raises(errors.JobNotDone, match="2 of 3 batches of job 750A are not done after 1 s") as caught:
        script(conversations.wait_for_job("750A", 1, Pace(1)), [batches("Queued", "Completed", "InProgress")] * 2)
    assert caught.value.job_id == "750A"


def test_wait_for_job_without_batches_is_over_at_once() -> None:
    assert script(conversations.wait_for_job("750A", 1, Pace()), [batches(), said(job_info())]).id == "750A"


def result_list(*ids: str) -> Answer:
    return said(xml("result-list", "".join(f"<result>{each}</result>" for each in ids)))


def file(text: str | bytes, media: str = "text/csv") -> Answer:
    return said(text, media=media)


def merged(*files: Answer, job: Any = CSV_JOB) -> Any:
    return script(
        conversations.get_batch_result(job, "751B"), [result_list(*(f"752{n}" for n in range(len(files)))), *files]
    )


NOTHING = "Records not found for this query"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (['"Id"\n"1"\n'], '"Id"\n"1"\n'),
        (['"Id"\n"1"\n', '"Id"\n"2"\n'], '"Id"\n"1"\n"2"\n'),
        (['"Id"\n"1"', '"Id"\n"2"'], '"Id"\n"1"\n"2"\n'),
        (['"Id"\n', '"Id"\n"2"\n'], '"Id"\n"2"\n'),
        (['"Id"\n"1"\n', "Id\n2\n"], '"Id"\n"1"\n2\n'),
        ([NOTHING], ""),
        ([NOTHING + "\n", NOTHING], ""),
        ([NOTHING, '"Id"\n"1"\n', NOTHING], '"Id"\n"1"\n'),
        (['"Id","N"\n"1","a\n""b"""\n', '"Id","N"\n"2","ü"\n'], '"Id","N"\n"1","a\n""b"""\n"2","ü"\n'),
    ],
)
def test_csv_files_are_merged_under_one_header(files: list[str], expected: str) -> None:
    assert expected == merged(*map(file, files))


@pytest.mark.parametrize("lost", ['"Morkel","Morkel"\n', '"Morkel\xff"\n', '"Morkel", \n', "Morkel" + "," * 6_000])
def test_file_whose_header_is_lost_is_told_without_showing_a_record(lost: str) -> None:
    with pytest.raises(errors.ProtocolError) as caught:
        merged(file(lost.encode("latin-1")))
    assert "Morkel" not in f"{caught.value!r}"
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "files",
    [
        [file('"Id"\n"1"\n'), file('"Name"\n"1"\n')],
        [file('"Id"\n"1"\n'), file("<html></html>", "text/html")],
        [file(NOTHING), file("<html></html>", "text/html")],
        [file("")],
        [file('"Id"\n"1"\n'), file("")],
        [file('"Id"\n"1"\n'), file(b'"Id"\n"\xff"\n')],
        [file(b'"\xff"\n')],
        [file("[1]", "application/json"), file("{}", "application/json")],
        [file("[{}]", "application/json"), file('"Id"\n')],
        [file("<html/>", "application/xml")],
        [file("", "application/json")],
        [file(xml("queryResult", ""), "application/xml"), file("[]", "application/json")],
    ],
)
def test_files_that_do_not_fit_are_refused(files: list[Answer]) -> None:
    with pytest.raises(errors.ProtocolError) as caught:
        merged(*files, job="750A")
    assert caught.value.batch_id == "751B"


def test_json_files_are_merged_in_order() -> None:
    files = [file(text, "application/json") for text in ('[{"Id":"1"}]', " []", '[{"Id":"2"}]')]
    assert merged(*files, job=JSON_JOB) == [{"Id": "1"}, {"Id": "2"}]


def test_xml_files_are_merged_in_order() -> None:
    first = xml("queryResult", "<records><Id>1</Id></records>")
    second = xml("queryResult", "<records><Id>2</Id></records><records><Id>3</Id></records>")
    root = merged(file(first, "application/xml"), file(second, "application/xml"), job=XML_JOB)
    assert root.tag == f"{{{NAMESPACE}}}queryResult"
    assert [record[0].text for record in root] == ["1", "2", "3"]


@pytest.mark.parametrize(("content_type", "expected"), [("CSV", ""), ("JSON", [])])
def test_no_files_are_an_empty_result_of_the_jobs_kind(content_type: str, expected: object) -> None:
    lines: list[Line] = [result_list(), said(job_info(operation="query", content_type=content_type))]
    assert expected == script(conversations.get_batch_result("750A", "751B"), lines)


def test_no_files_of_an_xml_job_are_an_empty_element() -> None:
    root = script(conversations.get_batch_result(XML_JOB, "751B"), [result_list()])
    assert isinstance(root, Element)
    assert (root.tag, len(root)) == ("queryResult", 0)


def test_results_of_a_data_batch_are_given_as_they_are() -> None:
    answer = said('"Id","Success","Created","Error"\n"003A","true","true",""\n', media="text/csv")
    assert [result.id for result in script(conversations.get_batch_result("750A", "751B"), [answer])] == ["003A"]


def test_query_result_ids_are_listed_in_order() -> None:
    assert script(conversations.get_query_result_ids("750A", "751B"), [result_list("752B", "752A")]) == ["752B", "752A"]
    assert script(conversations.get_query_result_ids("750A", "751B"), [file("[]", "application/json")]) == []


def test_query_result_ids_of_a_data_batch_are_refused() -> None:
    with pytest.raises(errors.ProtocolError, match="not a query batch") as caught:
        script(conversations.get_query_result_ids("750A", "751B"), [file('[{"success":true}]', "application/json")])
    assert (caught.value.job_id, caught.value.batch_id) == ("750A", "751B")


def test_refusal_of_results_names_the_batch() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        script(conversations.get_batch_result("750A", "751B"), [refused("InvalidBatch", "Records not processed")])
    assert (caught.value.job_id, caught.value.batch_id, caught.value.message) == (
        "750A",
        "751B",
        "Records not processed",
    )


def test_set_state_closes_and_aborts() -> None:
    assert script(ask(bulk1.set_state("750A", JobState.CLOSED)), [said(job_info("Closed"))]).state is JobState.CLOSED
