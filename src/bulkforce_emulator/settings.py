"""Every choice where the truth about the real server is not known, and the limits.

What public sources leave open and the emulator had to decide is one setting here, or one text in `texts`, so that a test may turn it the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bulkforce_emulator.texts import Texts

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Limits:
    """Salesforce's published limits (edition of 2026), where nothing else is said."""

    #: Records in a batch.
    batch_records: int = 10_000
    #: Bytes of a batch, unpacked: 10 MB, which the server's own message writes as 10,000,000.
    batch_bytes: int = 10_000_000
    #: Characters of a batch.
    batch_characters: int = 10_000_000
    #: Characters of a record.
    record_characters: int = 400_000
    #: Fields of a record.
    record_fields: int = 5_000
    #: Characters of a value (32,000 up to about 2020).
    field_characters: int = 131_072
    #: Batches of the whole org in 24 rolling hours; refused batches and chunks of a query count, too.
    daily_batches: int = 15_000
    #: How old a job may be that still takes batches.
    job_open_seconds: int = 24 * HOUR_SECONDS
    #: How long a job is remembered after its youngest batch.
    retention_seconds: int = 7 * 24 * HOUR_SECONDS
    #: Bytes of one result file of a query: 1 GB. The emulator counts them before they are written out.
    query_result_bytes: int = 1_000_000_000
    #: Result files of a query; more, and its batch fails.
    query_result_files: int = 15
    #: How often a data batch is put back before it fails; sources say 10 and 20.
    batch_retries: int = 10
    #: How often a query batch is put back before it fails; older sources say 15.
    query_retries: int = 30
    #: The widest id range of a chunk.
    chunk_size: int = 250_000
    #: A transformation spec must be shorter than so many characters.
    spec_characters: int = 8_192
    #: Bytes of a zipped batch.
    zip_bytes: int = 10_000_000
    #: Bytes of its content.
    unzipped_bytes: int = 20_000_000
    #: Files in it, folders not counted.
    zip_files: int = 1_000
    #: Bytes of the name of a file in it.
    zip_name_bytes: int = 512
    #: Records of one transaction (100 up to API 20.0): counters grow by it, and a row finds parents of its own batch
    #: only in the transactions before its own.
    records_per_transaction: int = 200
    #: Calls of the whole org in a day; those of REST beyond them are refused. It differs by edition: ours.
    daily_api_requests: int = 100_000


@dataclass(frozen=True)
class Settings:
    """How this org decides what public sources leave open."""

    limits: Limits = field(default_factory=Limits)
    texts: Texts = field(default_factory=Texts)

    # Calls

    #: The oldest version that is served; before it come retired ones (`version_retired`). Published.
    oldest_version: float = 31.0
    #: The newest version; later ones are unknown (`version_unknown`). Published.
    newest_version: float = 66.0
    #: Versions up to this one are answered with a `Warning` header, as those are that will be retired soon.
    retiring_version: float | None = None
    #: Whether `Authorization: Bearer` is taken instead of `X-SFDC-Session`.
    bearer_accepted: bool = False
    #: The status of an unknown path, `GET /jobs` among them.
    unknown_path_status: int = 400
    #: The status of a method that a path does not have.
    wrong_method_status: int = 405
    #: Whether `X-PrettyPrint: 1` spreads JSON over lines.
    pretty_print: bool = True
    #: Whether `Sforce-Limit-Info` is sent; it is not documented for this API.
    limit_info_header: bool = False
    #: Answers go out chunked, as in the one recording that shows headers; else with their length.
    chunked_answers: bool = True
    #: The Content-Type of the answer to a transformation spec.
    spec_answer_type: str = "application/xml"
    #: Its body.
    spec_answer: str = ""

    #: Callback URLs that a browser is sent back to besides those of http and https, word for word: of an app's own scheme (`myapp://callback`).
    callback_urls: tuple[str, ...] = ()
    #: The status of a refused token request; some were seen with 401.
    token_error_status: int = 400

    # Jobs and batches

    #: What an unknown element of a jobInfo does.
    unknown_element: Literal["refuse", "ignore"] = "refuse"
    #: Whether the elements of a jobInfo may come in another order than that of the schema.
    any_element_order: bool = True
    #: Whether the request's Content-Type, where there is one, decides how a job is shown; else the job's content type does.
    get_follows_content_type: bool = False
    #: Whether a closed job whose batches have all ended can still be aborted.
    abort_when_done: bool = True
    #: Whether a batch whose content type does not fit its job is refused at once; else it is read as the job says.
    content_type_must_fit: bool = True
    #: Whether the user has the permission that hardDelete needs. Without it the job is refused, which is documented.
    hard_delete_permission: bool = True
    #: Whether the NotProcessed original of PK chunking counts in `numberBatchesTotal`; in the guide's sample it does not.
    count_chunked_original: bool = False
    #: Seconds between a chunked original's start and the appearance of its chunks.
    chunking_seconds: float = 0.0
    #: What PK chunking does on an object that does not support it: the job is refused, or the header ignored.
    unchunkable: Literal["refuse", "ignore"] = "refuse"
    #: Whether a chunk size above the limit is cut to it; else the job is refused.
    cut_chunk_size: bool = True

    # Rows

    #: What a CSV row with fewer values than the header does.
    short_csv_row: Literal["fill", "row error", "batch error"] = "batch error"
    #: What a CSV row with more values than the header does.
    long_csv_row: Literal["row error", "batch error"] = "batch error"
    #: What the same header twice does.
    duplicate_csv_header: Literal["refuse", "last"] = "refuse"
    #: What is taken as true, in any letter case.
    true_words: tuple[str, ...] = ("true", "1", "yes", "y", "t", "on")
    #: What is taken as false, in any letter case.
    false_words: tuple[str, ...] = ("false", "0", "no", "n", "f", "off")
    #: What an unreadable number, date or boolean does in CSV.
    csv_type_error: Literal["row error", "batch error"] = "row error"
    #: The same in XML.
    xml_type_error: Literal["row error", "batch error"] = "row error"
    #: The same in JSON, where users saw it fail the batch.
    json_type_error: Literal["row error", "batch error"] = "batch error"
    #: What an empty text does in an update in JSON; in CSV it is ignored, which is documented.
    empty_json_text: Literal["null", "ignore"] = "null"
    #: The same in XML.
    empty_xml_text: Literal["null", "ignore"] = "ignore"
    #: Whether a date-time is taken for a date field (its day counts), and a day for a date-time field.
    lenient_dates: bool = True
    #: Same key twice in one upsert batch: whether all its rows fail; else the first is carried out and later ones fail.
    duplicate_key_fails_all: bool = False

    # Results

    #: How several fields are joined in the Error column.
    error_field_separator: str = " "
    #: Whether failed rows carry their Id; in recordings they do not, one user saw it from API 57.0 on.
    failed_rows_carry_id: bool = False
    #: Whether errors in JSON results have a member `extendedErrorDetails`, always null; sources differ.
    extended_error_details: bool = True
    #: The XML result of a failed record: `id` absent, or nil.
    failed_xml_id: Literal["absent", "nil"] = "absent"
    #: Dates without a time in JSON query results.
    json_dates: Literal["milliseconds", "text"] = "milliseconds"
    #: Date-times in CSV query results.
    csv_datetimes: Literal["text", "milliseconds"] = "text"
    #: Parents in JSON and XML query results: records of their own, or members named `Account.Name`.
    parents: Literal["nested", "flat"] = "nested"
    #: What a query without rows answers in XML and JSON: an empty document, or the line that CSV has.
    empty_result: Literal["document", "line"] = "document"
    #: Whether a CSV query result ends with a newline.
    query_csv_ends_with_newline: bool = True
    #: Whether a `result-list` has a prolog; both were recorded.
    result_list_prolog: bool = False
