"""Settings: the limits, and a choice wherever the real server's behaviour is not known.

Whatever public sources leave open, and the emulator had to decide, is a setting here or a text in `texts`, so that a
test can have it the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bulkforce_emulator.texts import Texts

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Limits:
    """Salesforce's limits as published in 2026, unless a comment says otherwise."""

    #: Records in a batch.
    batch_records: int = 10_000
    #: Bytes in a batch, unpacked: 10 MB, which the server's own message gives as 10,000,000.
    batch_bytes: int = 10_000_000
    #: Characters in a batch.
    batch_characters: int = 10_000_000
    #: Characters in a record.
    record_characters: int = 400_000
    #: Fields in a record.
    record_fields: int = 5_000
    #: Characters in a value (32,000 until about 2020).
    field_characters: int = 131_072
    #: Batches of the whole org in any 24 hours; refused batches and the chunks of a query count too.
    daily_batches: int = 15_000
    #: How old a job can get and still accept batches.
    job_open_seconds: int = 24 * HOUR_SECONDS
    #: How long a job is kept after its newest batch.
    retention_seconds: int = 7 * 24 * HOUR_SECONDS
    #: Bytes in one result file of a query: 1 GB. The emulator counts the data before it writes the file.
    query_result_bytes: int = 1_000_000_000
    #: Result files of a query; with more, its batch fails.
    query_result_files: int = 15
    #: How often a data batch is put back in the queue before it fails; sources say 10 or 20.
    batch_retries: int = 10
    #: How often a query batch is put back in the queue before it fails; older sources say 15.
    query_retries: int = 30
    #: The widest id range of a chunk.
    chunk_size: int = 250_000
    #: A transformation spec must have fewer characters than this.
    spec_characters: int = 8_192
    #: Bytes in a zipped batch.
    zip_bytes: int = 10_000_000
    #: Bytes in its contents, unzipped.
    unzipped_bytes: int = 20_000_000
    #: Files in it, folders not counted.
    zip_files: int = 1_000
    #: Bytes in the name of a file in it.
    zip_name_bytes: int = 512
    #: Records in a transaction (100 up to API 20.0): counters grow in steps of this size, and a row finds parents from
    #: its own batch only in earlier transactions.
    records_per_transaction: int = 200
    #: Bytes in the file of a job of Bulk API 2.0. The guide counts 150 MB after base64, which makes a file grow; a
    #: released client sends this many as they are.
    job_bytes: int = 150_000_000
    #: Characters in the file of a job that is created with its data.
    multipart_characters: int = 100_000
    #: Characters in the header of a file of Bulk API 2.0.
    header_characters: int = 32_000
    #: How often an ingest batch of Bulk API 2.0 is put back in the queue before its job fails (older sources: 10).
    ingest_retries: int = 20
    #: The same for a query of Bulk API 2.0.
    query_job_retries: int = 15
    #: Records that jobs of Bulk API 2.0 are loaded with in any 24 hours.
    daily_records: int = 150_000_000
    #: Query jobs of Bulk API 2.0 in any 24 hours.
    daily_query_jobs: int = 10_000
    #: Kilobytes of query results of Bulk API 2.0 in any 24 hours.
    daily_result_kilobytes: int = 1_000_000_000
    #: Jobs in one page of a list.
    listed_jobs: int = 1_000
    #: Links in one answer of `resultPages`.
    result_links: int = 5
    #: API calls of the whole org in a day; REST refuses more. It differs by edition, so the number is ours.
    daily_api_requests: int = 100_000


@dataclass(frozen=True)
class Settings:
    """What this org does where public sources leave the answer open."""

    limits: Limits = field(default_factory=Limits)
    texts: Texts = field(default_factory=Texts)

    # Calls

    #: The oldest version that is served; older ones are retired (`version_retired`). Published.
    oldest_version: float = 31.0
    #: The newest version; later ones are unknown (`version_unknown`). Published.
    newest_version: float = 66.0
    #: Answers to versions up to this one carry a `Warning` header, as for versions that will be retired soon.
    retiring_version: float | None = None
    #: Whether `Authorization: Bearer` is accepted in place of `X-SFDC-Session`.
    bearer_accepted: bool = False
    #: Whether a good `Authorization: Bearer` counts beside an `X-SFDC-Session` that is no session: Data Loader writes
    #: `Bearer` into that, too, and works.
    bearer_beside_bad_session: bool = True
    #: The status for an unknown path, such as `GET /jobs`.
    unknown_path_status: int = 400
    #: The status for a method that a path does not support.
    wrong_method_status: int = 405
    #: Whether `X-PrettyPrint: 1` indents JSON.
    pretty_print: bool = True
    #: Whether `Sforce-Limit-Info` is sent; it is not documented for this API.
    limit_info_header: bool = False
    #: Whether answers carry what the servers in front of an org add, as in recordings of 2025: cookies,
    #: `Strict-Transport-Security`, `X-Robots-Tag`.
    server_headers: bool = True
    #: Whether answers are sent chunked, as in the one recording that shows headers; if not, with their length.
    chunked_answers: bool = True
    #: The Content-Type of the answer to a transformation spec.
    spec_answer_type: str = "application/xml"
    #: Its body.
    spec_answer: str = ""

    #: Exact callback URLs that are accepted besides those of http and https: for an app's own scheme
    #: (`myapp://callback`).
    callback_urls: tuple[str, ...] = ()
    #: Whether every http and https callback is accepted; if not, only those of `callback_urls`, as a real app does.
    any_callback: bool = True
    #: The status of a refused token request; 401 was seen, too.
    token_error_status: int = 400

    # Jobs and batches

    #: What happens to a jobInfo with an unknown element.
    unknown_element: Literal["refuse", "ignore"] = "refuse"
    #: Whether the elements of a jobInfo may come in another order than the schema's.
    any_element_order: bool = True
    #: Whether a request's Content-Type decides the format in which a job is shown; if not, the job's own type does.
    get_follows_content_type: bool = False
    #: Whether a closed job whose batches have all ended can still be aborted.
    abort_when_done: bool = True
    #: Whether a batch whose content type differs from its job's is refused at once; if not, it is read as the job's.
    content_type_must_fit: bool = True
    #: Whether the user has the permission that hardDelete needs. Without it the job is refused, which is documented.
    hard_delete_permission: bool = True
    #: Whether the original batch of a PK-chunked query counts in `numberBatchesTotal`; in the guide it does not.
    count_chunked_original: bool = False
    #: Seconds between the start of a PK-chunked query's original batch and the appearance of its chunks.
    chunking_seconds: float = 0.0
    #: What PK chunking does for an object that does not support it: the job is refused, or the header ignored.
    unchunkable: Literal["refuse", "ignore"] = "refuse"
    #: Whether a chunk size above the limit is reduced to it; if not, the job is refused.
    cut_chunk_size: bool = True

    #: Whether a batch of a delete or hardDelete with anything but a column of ids fails.
    deletes_take_ids_alone: bool = True

    # Rows

    #: What happens to a CSV row with fewer values than the header.
    short_csv_row: Literal["fill", "row error", "batch error"] = "batch error"
    #: What happens to a CSV row with more values than the header.
    long_csv_row: Literal["row error", "batch error"] = "batch error"
    #: What a CSV row is whose only value is `""`: a record, or blank and skipped, as Salesforce's own CSV parser for
    #: Java has it (that the server's is the same is inferred).
    lone_empty_value: Literal["record", "blank"] = "record"
    #: What happens when a header comes twice.
    duplicate_csv_header: Literal["refuse", "last"] = "refuse"
    #: What is read as true, in any letter case.
    true_words: tuple[str, ...] = ("true", "1", "yes", "y", "t", "on")
    #: What is read as false, in any letter case.
    false_words: tuple[str, ...] = ("false", "0", "no", "n", "f", "off")
    #: What an XML batch with another root than `sObjects` is: one without records, for which the evidence is weak, or
    #: unreadable.
    foreign_xml_root: Literal["no records", "unreadable"] = "no records"
    #: What an unreadable number, date or boolean in CSV leads to.
    csv_type_error: Literal["row error", "batch error"] = "row error"
    #: The same in XML.
    xml_type_error: Literal["row error", "batch error"] = "row error"
    #: The same in JSON, where users saw it fail the batch.
    json_type_error: Literal["row error", "batch error"] = "batch error"
    #: What a record in JSON with `attributes` is: the guide has them in polymorphic references alone. Refused as an
    #: unknown field, or ignored.
    record_attributes: Literal["refuse", "ignore"] = "refuse"
    #: What an empty string does in a JSON update; in CSV it is ignored, which is documented.
    empty_json_text: Literal["null", "ignore"] = "null"
    #: The same in XML.
    empty_xml_text: Literal["null", "ignore"] = "ignore"
    #: Whether a date field accepts a date-time (only its day counts), and a date-time field a day, an offset without a
    #: colon and any fraction of a second; the guide has none of these.
    lenient_dates: bool = True
    #: Whether all rows fail whose key comes twice in an upsert batch; if not, the first is written.
    duplicate_key_fails_all: bool = False

    # An org's own rules

    #: Whether a record type's picklist values bind only fields whose picklist is restricted; if not, they bind all
    #: that the record type lists.
    record_types_narrow_restricted_picklists: bool = False
    #: Whether the result of a row that a duplicate rule refused says `created`, as in the one recording.
    refused_duplicates_say_created: bool = True

    # Results

    #: How query results write doubles from 10,000,000 on, or nearer to zero than 0.001: as `1.6147805824397E13`, which
    #: users saw in CSV (in JSON and XML it is inferred), or without an exponent.
    large_numbers: Literal["scientific", "plain"] = "scientific"
    #: How JSON query results are laid out: on a line for each member, which was recorded, or on one line.
    json_results: Literal["pretty", "compact"] = "pretty"
    #: Whether a query of a JSON job may have TYPEOF: it worked in production on 62.0, but the guide says that it does
    #: not.
    typeof_in_json: bool = True
    #: How several fields are joined in the Error column.
    error_field_separator: str = " "
    #: Whether failed rows carry their Id; in recordings they do not, but one user saw it from API 57.0 on.
    failed_rows_carry_id: bool = False
    #: Whether errors in JSON results have a member `extendedErrorDetails`, always null; sources differ.
    extended_error_details: bool = True
    #: The `id` in the XML result of a failed record.
    failed_xml_id: Literal["absent", "nil"] = "absent"
    #: How JSON query results write dates without a time.
    json_dates: Literal["milliseconds", "text"] = "milliseconds"
    #: How CSV query results write date-times.
    csv_datetimes: Literal["text", "milliseconds"] = "text"
    #: How JSON and XML query results show parents: as nested records, or as members named `Account.Name`.
    parents: Literal["nested", "flat"] = "nested"
    #: What a query without rows gives in XML and JSON: an empty document, or the same line as in CSV.
    empty_result: Literal["document", "line"] = "document"
    #: Whether a CSV query result ends with a newline.
    query_csv_ends_with_newline: bool = True
    #: Whether a `result-list` begins with an XML declaration; both were recorded.
    result_list_prolog: bool = False

    # Bulk API 2.0

    #: Where a second upload to a job is refused: when the job is to be completed, which was reported in full, or at
    #: once.
    second_upload: Literal["at the commit", "at once"] = "at the commit"
    #: What is kept of an upload whose connection is cut: nothing, or what had come.
    cut_upload: Literal["nothing", "what came"] = "nothing"
    #: Whether a job can be completed that nothing was uploaded to; an empty upload is known to be accepted.
    complete_without_upload: bool = True
    #: What happens when a job is completed that is queued or runs already: refused, or answered as if for the first
    #: time.
    complete_again: Literal["refuse", "accept"] = "refuse"
    #: Whether a job can be aborted once it is complete; an open one can, which is tested by a released client.
    abort_after_upload: bool = True
    #: Whether a job counts its records, none of them, before anything was uploaded; seen without from 49.0 to 52.0.
    counters_before_upload: bool = False
    #: Whether jobs may be uploaded packed with gzip; in v1 they may.
    packed_uploads: bool = True
    #: Among which rows a key that comes twice in an upsert is refused: those of a transaction, or those of a batch; a
    #: later transaction updates what an earlier one made.
    duplicate_keys_within: Literal["transaction", "batch"] = "transaction"
    #: What becomes of a job whose file is a header without rows: it completes, or fails as a batch of v1 does.
    header_only: Literal["complete", "fail"] = "complete"
    #: The status for a file above the limit.
    too_large_status: int = 413
    #: Which line ends have to be the job's: those outside of quotes, all, or that of the header.
    line_ends_checked: Literal["outside quotes", "everywhere", "header"] = "outside quotes"
    #: What happens to a create request with an unknown member.
    unknown_member: Literal["refuse", "ignore"] = "refuse"
    #: The order of a list of jobs; the guide says that there is none to rely on.
    list_order: Literal["oldest first", "newest first"] = "oldest first"
    #: What a filter with an unknown value does to a list of jobs: it is refused, or finds nothing.
    unknown_filter: Literal["refuse", "nothing"] = "refuse"
    #: What result files that are asked for before the job has ended are answered with.
    early_results: Literal["refuse", "no content"] = "refuse"
    #: How `failedResults` without rows are answered: with a header, which is the rule, or 204, which was seen.
    empty_failed_results: Literal["header", "no content"] = "header"
    #: The same for the other two result files.
    empty_other_files: Literal["header", "no content"] = "header"
    #: Whether result files end with a line end; those of queries follow `query_csv_ends_with_newline`.
    files_end_with_line_end: bool = True
    #: Whether failed updates and deletes carry `sf__Id`: the guide says so from 53.0 on, users see none.
    failed_results_carry_id: bool = False
    #: How doubles come back in result files: as Java writes them, which was recorded for large ones, or as sent.
    number_echo: Literal["double", "as sent"] = "double"
    #: How `#N/A` comes back in result files.
    null_echo: Literal["empty", "as sent"] = "empty"
    #: The line ends of the result files of a CRLF job.
    result_line_ends: Literal["job", "LF"] = "job"
    #: Whether the rows of a file that was refused as a whole are in `unprocessedrecords`.
    refused_rows_unprocessed: bool = True
    #: Rows in one set of query results, when the client does not say: not documented.
    result_set_records: int = 50_000
    #: The most rows in one set, whatever the client says; its `maxRecords` is only a bound: not documented.
    largest_set_records: int = 1_000_000
    #: The status for a locator that is none.
    bad_locator_status: int = 400
    #: What a locator is: the number of its first row in base64, as in samples, or a number of which nothing can be
    #: told.
    locators: Literal["row number", "opaque"] = "row number"
    #: What `nextRecordsUrl` is after the last links to result pages.
    last_pages_url: Literal["null", "absent"] = "null"
    #: Whether failed query jobs have an `errorMessage`; one client notes that not all of them have.
    failed_query_message: bool = True
    #: From which version on jobs have `isPkChunkingSupported`.
    pk_chunking_shown_from: float = 61.0
    #: The newest version whose `failedResults` and query results have their columns in alphabetical order. For query
    #: results the guide says so.
    alphabetical_until: float = 49.0
