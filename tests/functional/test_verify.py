"""`bulkforce verify` tells from an org what the emulator was set to, and leaves nothing behind."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import bulkforce as bf
from bulkforce.errors import UsageError
from bulkforce.verify import run
from bulkforce.verify.fields import FIELDS, project, schema
from bulkforce.verify.questions import OPEN, QUESTIONS, Question
from bulkforce.verify.report import page, report
from bulkforce_emulator import Emulator, Pace, Settings
from bulkforce_emulator.faults import Fault

PAGE = Path(__file__).parents[2] / "docs" / "what-we-do-not-know.md"
OBJECT = "bfv_Record__c"

OTHERWISE: dict[str, Any] = {
    "bearer_accepted": True,
    "bearer_beside_bad_session": False,
    "unknown_path_status": 404,
    "wrong_method_status": 400,
    "pretty_print": False,
    "limit_info_header": True,
    "spec_answer_type": "text/plain",
    "unknown_element": "ignore",
    "any_element_order": False,
    "get_follows_content_type": True,
    "abort_when_done": False,
    "content_type_must_fit": False,
    "count_chunked_original": True,
    "cut_chunk_size": False,
    "deletes_take_ids_alone": False,
    "short_csv_row": "fill",
    "long_csv_row": "row error",
    "lone_empty_value": "blank",
    "duplicate_csv_header": "last",
    "true_words": ("true", "1"),
    "false_words": ("false", "0"),
    "foreign_xml_root": "unreadable",
    "csv_type_error": "row error",
    "xml_type_error": "batch error",
    "json_type_error": "row error",
    "record_attributes": "ignore",
    "empty_json_text": "ignore",
    "empty_xml_text": "null",
    "lenient_dates": False,
    "duplicate_key_fails_all": True,
    "failed_rows_carry_id": True,
    "extended_error_details": False,
    "large_numbers": "plain",
    "csv_datetimes": "milliseconds",
    "json_dates": "text",
    "json_results": "compact",
    "parents": "flat",
    "empty_result": "line",
    "query_csv_ends_with_newline": False,
    "result_list_prolog": True,
    "second_upload": "at once",
    "complete_without_upload": False,
    "complete_again": "accept",
    "abort_after_upload": False,
    "counters_before_upload": True,
    "packed_uploads": False,
    "duplicate_keys_within": "batch",
    "header_only": "fail",
    "line_ends_checked": "everywhere",
    "unknown_member": "ignore",
    "unknown_filter": "nothing",
    "early_results": "no content",
    "empty_failed_results": "no content",
    "empty_other_files": "no content",
    "files_end_with_line_end": False,
    "failed_results_carry_id": True,
    "number_echo": "as sent",
    "null_echo": "as sent",
    "result_line_ends": "LF",
    "refused_rows_unprocessed": False,
    "bad_locator_status": 404,
    "locators": "opaque",
    "last_pages_url": "absent",
}
ONCE_MORE: dict[str, Any] = {
    "csv_type_error": "batch error",
    "failed_xml_id": "nil",
    "line_ends_checked": "header",
    "short_csv_row": "row error",
}


def tried(
    settings: Settings, questions: Sequence[Question] = QUESTIONS, most_calls: int = run.MOST_CALLS
) -> tuple[Emulator, list[run.Outcome], run.Left]:
    """Try questions on an org that goes on only while we wait for it."""
    with (
        Emulator(schema(OBJECT), settings=settings, pace=Pace.manual()) as org,
        bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client,
    ):

        def wait(_: float) -> None:
            org.advance()

        ground = client.driver.run(run.ground_on(OBJECT, most_calls))
        outcomes = client.driver.run(run.try_all(ground, questions, lambda _: None), sleep=wait)
        left = client.driver.run(run.clean(ground), sleep=wait)
        assert org.records(OBJECT) == []
        assert {entry.object for entry in org.ledger()} == {OBJECT}
        return org, outcomes, left


def values(outcomes: list[run.Outcome]) -> dict[str, object]:
    return {one.question.id: one.value for one in outcomes}


def test_page_is_made_from_the_questions() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make docs"


# Settings that are no question: published, recorded, or of the test's own.
NO_QUESTION = {"any_callback", "callback_urls", "chunked_answers", "hard_delete_permission", "limits", "newest_version"}
NO_QUESTION |= {"oldest_version", "retiring_version", "server_headers", "spec_answer", "texts"}


def test_every_setting_is_a_question() -> None:
    asked = {one.id for one in QUESTIONS} | {name for one in OPEN for name in one.settings}
    assert asked | NO_QUESTION == set(Settings.__dataclass_fields__)


def test_report_tells_the_settings_that_are_assumed() -> None:
    _, outcomes, left = tried(Settings())
    assert values(outcomes) == {one.id: getattr(Settings(), one.id) for one in QUESTIONS}
    assert {one.id: one.assumed for one in QUESTIONS} == values(outcomes)
    assert left == run.Left(0, 0)


def test_report_tells_settings_that_are_otherwise() -> None:
    """All at once, but for those that would hide another."""
    _, outcomes, left = tried(Settings(**OTHERWISE))
    assert values(outcomes) == {one.id: OTHERWISE.get(one.id, one.assumed) for one in QUESTIONS}
    assert left == run.Left(0, 0)
    some = [one for one in QUESTIONS if one.id in ONCE_MORE]
    _, outcomes, _ = tried(Settings(**ONCE_MORE), some)
    assert values(outcomes) == ONCE_MORE


def test_every_question_is_tried_otherwise() -> None:
    assert [one.id for one in QUESTIONS if getattr(Settings(), one.id) == (OTHERWISE | ONCE_MORE)[one.id]] == []


def test_nothing_is_called_but_what_was_agreed() -> None:
    org, outcomes, _ = tried(Settings())
    soql = {request.path for request in org.requests if "query?q=" in request.path}
    assert all(f"FROM+{OBJECT}" in path for path in soql), soql
    assert 300 < len(org.requests) < 900
    text = report(outcomes, run.Org("Developer Edition", is_sandbox=False, is_trial=False), run.Left(0, 0), "today")
    assert not re.search(r"\b[0-9a-zA-Z]{12}AAA\b|127\.0\.0\.1|00D\w{12}", text)
    assert org.session_id not in text
    assert text.count("\n| `") == len(QUESTIONS)


def test_report_says_what_was_left_behind() -> None:
    org = run.Org("Developer Edition", is_sandbox=False, is_trial=False)
    assert "Left behind" not in report([], org, run.Left(0, 0), "today")
    assert "Left behind: 3 records, 1 open jobs." in report([], org, run.Left(3, 1), "today")
    assert "Left behind: perhaps some records, 0 open jobs." in report([], org, run.Left(None, 0), "today")


def test_calls_stop_where_the_user_said_and_what_was_written_goes() -> None:
    org, outcomes, left = tried(Settings(), most_calls=60)
    assert left == run.Left(0, 0)
    assert len(org.requests) < 60 + 200
    assert outcomes[-1].seen == "not seen: All API calls that were allowed are made"


def test_session_that_expires_answers_no_question() -> None:
    with (
        Emulator(schema(OBJECT)) as org,
        bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client,
    ):
        ground = client.driver.run(run.ground_on(OBJECT, 10))
        org.expire_sessions()
        some = [one for one in QUESTIONS if one.id in {"unknown_path_status", "unknown_filter"}]
        outcomes = client.driver.run(run.try_all(ground, some, lambda _: None))
        assert client.driver.run(run.clean(ground)) == run.Left(None, 0)
    assert {one.seen for one in outcomes} == {"not seen: the session has expired; log in, and start again"}


@pytest.mark.parametrize(
    ("edition", "sandbox", "production"),
    [("Enterprise Edition", False, True), ("Unlimited Edition", True, False), ("Developer Edition", False, False)],
)
def test_org_in_production_is_known(edition: str, sandbox: bool, production: bool) -> None:
    told = {"totalSize": 1, "done": True, "records": [{"OrganizationType": edition, "IsSandbox": sandbox}]}
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        org.faults.add(
            Fault("answer replaced", path="*/query", status=200, content_type="application/json", body=json.dumps(told))
        )
        assert client.driver.run(run.look_at_org()).is_production is production


def test_object_that_lacks_fields_is_refused() -> None:
    with (
        Emulator({OBJECT: {"fields": {"Key__c": "string(80) unique external_id"}}}) as org,
        bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client,
        pytest.raises(UsageError, match=r"bfv_Record__c lacks Text__c, .*--write-object"),
    ):
        client.driver.run(run.check_object(OBJECT))


def test_definition_for_the_salesforce_cli_has_the_same_fields() -> None:
    files = project(OBJECT)
    for path, text in files.items():
        if path.endswith(".xml"):
            ET.fromstring(text)
    assert sum(".field-meta.xml" in path for path in files) == len(FIELDS)
