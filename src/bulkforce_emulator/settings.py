"""Every choice where the truth about the real server is not verified, and the limits.

Section 14 of the reference lists what nobody could check. Each of its points that the emulator
had to decide is one setting here, so that a test may turn it the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

HOUR_SECONDS = 3600


@dataclass(frozen=True)
class Limits:
    """The numbers of section 8."""

    batch_records: int = 10_000
    batch_bytes: int = 10_000_000
    batch_characters: int = 10_000_000
    record_characters: int = 400_000
    record_fields: int = 5_000
    field_characters: int = 131_072
    daily_batches: int = 15_000
    job_open_seconds: int = 24 * HOUR_SECONDS
    retention_seconds: int = 7 * 24 * HOUR_SECONDS
    query_result_bytes: int = 1_000_000_000
    query_result_files: int = 15
    #: How often a batch is put back before it fails (3.4; 10 or 20 for data, see point 14).
    batch_retries: int = 10
    query_retries: int = 30
    chunk_size: int = 250_000
    spec_characters: int = 8_192
    zip_bytes: int = 10_000_000
    unzipped_bytes: int = 20_000_000
    zip_files: int = 1_000
    zip_name_bytes: int = 512
    records_per_transaction: int = 200
    daily_api_requests: int = 100_000


@dataclass(frozen=True)
class Settings:
    """How this org decides what the reference leaves open; numbers in comments are points of its section 14."""

    limits: Limits = field(default_factory=Limits)
    #: Versions outside this range answer `InvalidVersion` (1.3).
    oldest_version: float = 31.0
    newest_version: float = 66.0
    #: 1: whether `Authorization: Bearer` is taken instead of X-SFDC-Session.
    bearer_accepted: bool = False
    #: 2: statuses of unknown paths and methods; the code is InvalidUrl.
    unknown_path_status: int = 400
    wrong_method_status: int = 405
    #: 4: whether X-PrettyPrint spreads JSON over lines.
    pretty_print: bool = True
    #: 5: the code for a jobInfo that cannot be read (message: Unable to parse Job).
    unreadable_job_code: str = "InvalidJob"
    #: 5: what an unknown element of a jobInfo does.
    unknown_element: Literal["refuse", "ignore"] = "refuse"
    #: 8: whether a closed job whose batches have all ended can still be aborted.
    abort_when_done: bool = True
    #: 10: the answer for results of a batch that has none yet.
    results_too_early_message: str = "Batch not completed"
    #: 11: whether a batch whose content type does not fit its job is refused at once (else it is read as the job says).
    content_type_must_fit: bool = True
    #: 13: whether the NotProcessed original of PK chunking counts in numberBatchesTotal.
    count_chunked_original: bool = False
    #: 13: seconds between a chunked original's start and the appearance of its chunks.
    chunking_seconds: float = 0.0
    #: 14: the stateMessage of a data batch that was put back too often; inferred from that of a query.
    data_retried_message: str = "InternalServerError : Retried more than ten times"
    #: 3.4: the same of a query batch; the guide's words, without a code that anybody recorded.
    query_retried_message: str = "InternalServerError : Retried more than thirty times"
    #: 15: chunk sizes above the limit are cut to it (else the job is refused).
    cut_chunk_size: bool = True
    #: 17: a CSV row with fewer, or more, values than the header.
    short_csv_row: Literal["fill", "row error", "batch error"] = "batch error"
    long_csv_row: Literal["row error", "batch error"] = "batch error"
    #: 17: the same header twice.
    duplicate_csv_header: Literal["refuse", "last"] = "refuse"
    #: 17: accepted spellings of booleans, in any letter case.
    true_words: tuple[str, ...] = ("true", "1", "yes", "y", "t", "on")
    false_words: tuple[str, ...] = ("false", "0", "no", "n", "f", "off")
    #: 18: unreadable dates and numbers in CSV and XML are row errors; in JSON they fail the batch (5.3).
    json_type_error: Literal["row error", "batch error"] = "batch error"
    #: 5.2, 5.3: what an empty text does in an update; in CSV it is always ignored.
    empty_json_text: Literal["null", "ignore"] = "null"
    empty_xml_text: Literal["null", "ignore"] = "ignore"
    #: Whether a date-time is taken for a date field (its day counts), and a day for a date-time field.
    lenient_dates: bool = True
    #: 19: how several fields are joined in the Error column, and whether failed rows carry their Id.
    error_field_separator: str = " "
    failed_rows_carry_id: bool = False
    #: 20: XML result of a failed record: `id` absent, or nil.
    failed_xml_id: Literal["absent", "nil"] = "absent"
    #: 20: dates in JSON query results, as milliseconds or as text.
    json_dates: Literal["milliseconds", "text"] = "milliseconds"
    #: 23: trailing newline of CSV query results; prolog of a result-list.
    query_csv_ends_with_newline: bool = True
    result_list_prolog: bool = False
    #: 2.3: hardDelete needs a permission.
    hard_delete_permission: bool = True
    #: Same key twice in one upsert batch: the first row is carried out, later ones fail (or all of them fail).
    duplicate_key_fails_all: bool = False
    #: 1.3: versions up to this one are answered with a `Warning` header.
    retiring_version: float | None = None
    #: Answers go out chunked, as in the one recording that shows headers; else with their length.
    chunked_answers: bool = True
    #: Sent as `Sforce-Limit-Info`; not documented for this API, so off.
    limit_info_header: bool = False
