"""What is not known about the Bulk API, as a table: what can be tried on an org, and what cannot, and why.

`docs/what-we-do-not-know.md` is made from it. Each question has the name of the emulator's setting that it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bulkforce.verify import trials1, trials2
from bulkforce.verify.trials1 import Trial

V1: Final = "Bulk API (version 1)"
V2: Final = "Bulk API 2.0"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a trial answers.

    Attributes:
        id: Its name, which is also that of the emulator's setting.
        api: Which API it is about.
        text: The question.
        assumed: What the emulator does as long as we do not know.
        trial: Tries it.
    """

    id: str
    api: str
    text: str
    assumed: object
    trial: Trial

    @property
    def tried(self) -> str:
        """How it is tried, in a line."""
        return " ".join((self.trial.__doc__ or "").split())


@dataclass(frozen=True, slots=True)
class Open:
    """A question that no trial answers, and why; with the emulator's settings that choose an answer."""

    api: str
    text: str
    because: str
    settings: tuple[str, ...] = ()


def _question(api: str, trial: Trial, assumed: object, text: str) -> Question:
    return Question(trial.__name__, api, text, assumed, trial)


QUESTIONS: Final = (
    _question(V1, trials1.bearer_accepted, False, "Is `Authorization: Bearer` accepted in place of `X-SFDC-Session`?"),
    _question(
        V1, trials1.bearer_beside_bad_session, True, "Does it count beside an `X-SFDC-Session` that is no session?"
    ),
    _question(V1, trials1.unknown_path_status, 400, "What is the status for an unknown path?"),
    _question(V1, trials1.wrong_method_status, 405, "What is the status for a method that a path does not support?"),
    _question(V1, trials1.pretty_print, True, "Does `X-PrettyPrint: 1` indent JSON?"),
    _question(V1, trials1.limit_info_header, False, "Is `Sforce-Limit-Info` sent?"),
    _question(V1, trials1.spec_answer_type, "application/xml", "What answers a transformation spec?"),
    _question(V1, trials1.unknown_element, "refuse", "What happens to a jobInfo with an unknown element?"),
    _question(V1, trials1.any_element_order, True, "May the elements of a jobInfo come in any order?"),
    _question(V1, trials1.get_follows_content_type, False, "Does a GET's Content-Type decide the form of the answer?"),
    _question(V1, trials1.abort_when_done, True, "Can a closed job be aborted whose batches have ended?"),
    _question(V1, trials1.content_type_must_fit, True, "Is a batch refused whose Content-Type is not its job's?"),
    _question(
        V1, trials1.count_chunked_original, False, "Does the original batch of a chunked query count in its job?"
    ),
    _question(V1, trials1.cut_chunk_size, True, "Is a chunk size above the limit accepted?"),
    _question(V1, trials1.deletes_take_ids_alone, True, "Does a delete fail that has more columns than ids?"),
    _question(V1, trials1.short_csv_row, "batch error", "What happens to a CSV row with too few values?"),
    _question(V1, trials1.long_csv_row, "batch error", "What happens to a CSV row with too many values?"),
    _question(V1, trials1.lone_empty_value, "record", 'Is a CSV row that is only `""` a record?'),
    _question(V1, trials1.duplicate_csv_header, "refuse", "What happens when a CSV header comes twice?"),
    _question(V1, trials1.true_words, trials1.WORDS[:6], "Which words are true?"),
    _question(V1, trials1.false_words, trials1.WORDS[6:], "Which words are false?"),
    _question(V1, trials1.foreign_xml_root, "no records", "What is an XML batch with another root than `sObjects`?"),
    _question(V1, trials1.csv_type_error, "row error", "What does an unreadable number lead to in CSV?"),
    _question(V1, trials1.xml_type_error, "row error", "The same in XML?"),
    _question(V1, trials1.json_type_error, "batch error", "The same in JSON?"),
    _question(V1, trials1.record_attributes, "refuse", "What is a record in JSON with `attributes`?"),
    _question(V1, trials1.empty_json_text, "null", "What does an empty string do in a JSON update?"),
    _question(V1, trials1.empty_xml_text, "ignore", "The same in XML?"),
    _question(V1, trials1.lenient_dates, True, "Does a date field accept a date-time?"),
    _question(V1, trials1.duplicate_key_fails_all, False, "Do all rows of an upsert fail whose key comes twice?"),
    _question(V1, trials1.failed_rows_carry_id, False, "Do rows of a failed update carry their id?"),
    _question(V1, trials1.extended_error_details, True, "Do errors in JSON have `extendedErrorDetails`?"),
    _question(V1, trials1.failed_xml_id, "absent", "How is the missing `id` of a failed record shown in XML?"),
    _question(V1, trials1.large_numbers, "scientific", "How do query results write large numbers?"),
    _question(V1, trials1.csv_datetimes, "text", "How do CSV query results write date-times?"),
    _question(V1, trials1.json_dates, "milliseconds", "How do JSON query results write dates?"),
    _question(V1, trials1.json_results, "pretty", "How are JSON query results laid out?"),
    _question(V1, trials1.parents, "nested", "How do JSON query results show parents?"),
    _question(V1, trials1.empty_result, "document", "What does a query without rows give in JSON?"),
    _question(V1, trials1.query_csv_ends_with_newline, True, "Does a CSV query result end with a line end?"),
    _question(V1, trials1.result_list_prolog, False, "Does a `result-list` begin with an XML declaration?"),
    _question(V2, trials2.second_upload, "at the commit", "Where is a second upload to a job refused?"),
    _question(V2, trials2.complete_without_upload, True, "Can a job be completed that nothing was uploaded to?"),
    _question(V2, trials2.complete_again, "refuse", "What happens when a job is completed twice?"),
    _question(V2, trials2.abort_after_upload, True, "Can a job be aborted once it is complete?"),
    _question(V2, trials2.counters_before_upload, False, "Does a job have counters before anything was uploaded?"),
    _question(V2, trials2.packed_uploads, True, "Are uploads accepted that are packed with gzip?"),
    _question(V2, trials2.duplicate_keys_within, "transaction", "Among which rows is a key refused that comes twice?"),
    _question(V2, trials2.header_only, "complete", "What becomes of a file that is a header alone?"),
    _question(V2, trials2.line_ends_checked, "outside quotes", "Which line ends have to be the job's?"),
    _question(V2, trials2.unknown_member, "refuse", "What happens to a create request with an unknown member?"),
    _question(V2, trials2.unknown_filter, "refuse", "What does a list of jobs do with an unknown type?"),
    _question(V2, trials2.early_results, "refuse", "What are results answered with before a job has ended?"),
    _question(V2, trials2.empty_failed_results, "header", "How is `failedResults` answered without rows?"),
    _question(V2, trials2.empty_other_files, "header", "The same for the other result files?"),
    _question(V2, trials2.files_end_with_line_end, True, "Do result files end with a line end?"),
    _question(V2, trials2.failed_results_carry_id, False, "Do failed updates carry `sf__Id`?"),
    _question(V2, trials2.number_echo, "double", "How do large numbers come back in result files?"),
    _question(V2, trials2.null_echo, "empty", "How does `#N/A` come back in result files?"),
    _question(V2, trials2.result_line_ends, "job", "Which line ends have the result files of a CRLF job?"),
    _question(V2, trials2.refused_rows_unprocessed, True, "Are rows of a refused file in `unprocessedrecords`?"),
    _question(V2, trials2.bad_locator_status, 400, "What is the status for a locator that is none?"),
    _question(V2, trials2.locators, "row number", "What is a locator?"),
    _question(V2, trials2.last_pages_url, "null", "What is `nextRecordsUrl` after the last links to result pages?"),
)

_OTHER_OBJECTS: Final = "it needs an object other than yours"
_OTHERS_JOBS: Final = "it would read the jobs of others"
_LARGE: Final = "it needs more data than a scratch org holds, or a long time"

OPEN: Final = (
    Open(
        V1,
        "Do a record type's picklist values bind fields that are not restricted?",
        "your object has no record types",
        ("record_types_narrow_restricted_picklists",),
    ),
    Open(
        V1,
        "Does the result of a row that a duplicate rule refused say `created`?",
        "your object has no duplicate rule",
        ("refused_duplicates_say_created",),
    ),
    Open(
        V2,
        "From which version on are columns in the query's order, and is `isPkChunkingSupported` shown?",
        "it would take a query in each version",
        ("alphabetical_until", "pk_chunking_shown_from"),
    ),
    Open(V1, "What does PK chunking do for an object that does not support it?", _OTHER_OBJECTS, ("unchunkable",)),
    Open(V1, "May a query of a JSON job have TYPEOF?", _OTHER_OBJECTS, ("typeof_in_json",)),
    Open(V1, "How do `ContentVersion` and `Document` behave in zip batches?", _OTHER_OBJECTS),
    Open(
        V1,
        "How are several fields joined in the `Error` column?",
        "your object has no rule that names two fields",
        ("error_field_separator",),
    ),
    Open(
        V1,
        "What does a job in state `Failed` look like, and when does the org set it?",
        "we do not know how to cause it",
    ),
    Open(
        V1,
        "How often does the org try a batch again, and when does `numberRetries` grow?",
        "locks cannot be caused safely",
    ),
    Open(V1, "How many jobs may be open, and how many batches run at a time?", _LARGE),
    Open(
        V1,
        "How long after a chunked query do its chunks appear?",
        "one org at one time says little",
        ("chunking_seconds",),
    ),
    Open(V1, "What does the org answer for the job of another user?", "it needs a second user"),
    Open(
        V1,
        "What do refused logins answer, and how do refresh tokens rotate?",
        "failed logins can lock a user",
        ("token_error_status",),
    ),
    Open(
        V2, "What is kept of an upload whose connection is cut?", "it needs a connection that breaks", ("cut_upload",)
    ),
    Open(V2, "What is the status for a file above the limit?", _LARGE, ("too_large_status",)),
    Open(
        V2,
        "How many rows has a set of query results by default, and at most?",
        _LARGE,
        (
            "result_set_records",
            "largest_set_records",
        ),
    ),
    Open(V2, "In which order are jobs listed, and how soon are new ones in the list?", _OTHERS_JOBS, ("list_order",)),
    Open(
        V2,
        "When has a failed query job an `errorMessage`?",
        "we do not know how to make one fail after it was created",
        ("failed_query_message",),
    ),
    Open(V2, "What do the org's daily limits answer when they are used up?", "it would use up your org's limits"),
    Open(V2, "May result files of an aborted job still grow?", _LARGE),
    Open(V2, "Can rows be written twice when the org tries an insert again?", "locks cannot be caused safely"),
)
