"""What the emulator says when it refuses a call, a batch, a row, a query or a login, and how sure we are of the words.

One table for all of it, so that a text can be looked up, listed in the documentation and changed:
`Settings(texts=replace(Texts(), batch_unknown=Text("InvalidBatch", "No such batch: {id}")))`.
Each comment begins with a grade: `recorded` (a real server sent it), `guide` (the developer guide says so),
`client` (a released client or a vendor's list of messages has it), `ours` (never seen: the words are our own).
"""

from __future__ import annotations

from dataclasses import dataclass

from bulkforce_emulator.bulk2_texts import Bulk2Texts
from bulkforce_emulator.words import Text


@dataclass(frozen=True)
class CallTexts:
    """Why a call is refused: `exceptionCode` and `exceptionMessage`."""

    #: recorded
    session_invalid: Text = Text("InvalidSessionId", "Invalid session id")
    object_unknown: Text = Text("InvalidJob", "Unable to find object: {name}")
    object_unsupported: Text = Text("InvalidEntity", "Entity '{name}' is not supported by the Bulk API.")
    object_not_queried: Text = Text("InvalidEntity", "Entity '{name}' is not supported by the Bulk Query API.")
    batch_empty: Text = Text("ClientInputError", "Unable to find any data to create batch")
    batch_too_large: Text = Text("ClientInputError", "Failed to read request. Exceeded max size limit of {most}")
    content_type_unknown: Text = Text("UnsupportedContentType", "Unsupported content type: {given}")
    nothing_processed: Text = Text("InvalidBatch", "Records not processed")
    #: client
    quota_exceeded: Text = Text("ExceededQuota", "ApiBatchItems Limit exceeded")
    hard_delete_forbidden: Text = Text(
        "FeatureNotEnabled",
        "hardDelete operation requires special user profile permission, please contact your system administrator",
    )
    job_unknown: Text = Text("InvalidJob", "Invalid job id: {id}")
    external_id_missing: Text = Text(
        "InvalidJob", "External ID was blank for {object}. An External ID must be specified for upsert."
    )
    member_unwanted: Text = Text("InvalidJob", "{member} cannot be specified")
    #: client: the words; the code is ours
    job_not_open: Text = Text(
        "InvalidJobState", "Failed to create batch, since the Job is not Open. Current job state is '{state}'"
    )
    #: client: the pattern was seen in Bulk API 2.0; that v1 has it too is inferred
    close_refused: Text = Text("InvalidJobState", "Closing already {state} Job not allowed")
    abort_refused: Text = Text("InvalidJobState", "Aborting already {state} Job not allowed")
    open_refused: Text = Text("InvalidJobState", "Opening already {state} Job not allowed")
    #: client: weak evidence
    version_unknown: Text = Text("InvalidUrl", "unknown version: v{version}")
    #: guide: the code; the words are ours
    version_retired: Text = Text("InvalidVersion", "Api version not supported: {version}")
    path_unknown: Text = Text("InvalidUrl", "Invalid url: {path}")
    operation_unknown: Text = Text("InvalidOperation", "Invalid operation: {path}")
    batch_unknown: Text = Text("InvalidBatch", "Invalid batch id: {id}")
    #: guide: that it is an error; code and words are ours
    member_missing: Text = Text("InvalidJob", "{member} must be specified")
    external_id_unwanted: Text = Text("InvalidJob", "External ID cannot be specified for {operation}.")
    external_id_unfit: Text = Text(
        "InvalidJob",
        "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {object}",
    )
    version_of_batch: Text = Text(
        "InvalidVersion", "Version {version} of the batch differs from version {job_version} of its job"
    )
    job_too_old: Text = Text("InvalidJobState", "Failed to create batch, since the Job is older than {hours} hours")
    spec_unwanted: Text = Text("InvalidJob", "A transformation spec needs a data job of content type CSV")
    spec_too_large: Text = Text(
        "ClientInputError", "Failed to read request. Transformation spec exceeds {most} characters"
    )
    #: ours
    job_unreadable: Text = Text("InvalidJob", "Unable to parse Job")
    assignment_rule_unwanted: Text = Text("InvalidJob", "Assignment rule cannot be specified for {object}")
    method_wrong: Text = Text("InvalidOperation", "HTTP Method '{method}' not allowed")
    result_unknown: Text = Text("InvalidBatch", "Invalid result id: {id}")
    results_too_early: Text = Text("InvalidBatch", "Batch not completed")
    never_processed: Text = Text("InvalidBatch", "Records not processed")
    content_type_unfit: Text = Text("UnsupportedContentType", "Unsupported content type: {given}")
    coding_unknown: Text = Text("ClientInputError", "Failed to read request. Unsupported content encoding: {coding}")
    gzip_broken: Text = Text("ClientInputError", "Failed to read request. Not in GZIP format")
    gzip_cut: Text = Text("ClientInputError", "Failed to read request. Unexpected end of ZLIB input stream")
    chunk_size_unreadable: Text = Text("InvalidJob", "Invalid chunkSize: {given}")
    chunk_size_too_large: Text = Text("InvalidJob", "chunkSize {given} exceeds the maximum of {most}")
    chunk_start_unreadable: Text = Text("InvalidJob", "Invalid startRow: {given}")
    chunk_object_unfit: Text = Text("InvalidJob", "Entity '{name}' is not supported for PK chunking.")
    chunk_parent_unfit: Text = Text("InvalidJob", "{name} has no parent {parent}")


@dataclass(frozen=True)
class BatchTexts:
    """Why a batch fails as a whole: its `stateMessage` is the code, ` : ` and the words."""

    #: recorded
    records_none: Text = Text("InvalidBatch", "Records not found")
    query_refused: Text = Text("InvalidBatch", "Failed to process query: {code}: {reason}")
    #: client: public notes that quote the server
    field_unknown: Text = Text("InvalidBatch", "Field name not found : {name}")
    quote_unescaped: Text = Text(
        "InvalidBatch", "Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
    )
    #: client: from Salesforce's own CSV parser for Java; that the server says the same is inferred
    quote_continued: Text = Text("InvalidBatch", "Failed to parse CSV. Not expecting more text after end quote")
    quote_unclosed: Text = Text("InvalidBatch", "Failed to parse CSV. EOF reached before closing an opened quote")
    csv_value_too_long: Text = Text("InvalidBatch", "Failed to parse CSV. Exceeded max field size: {given}")
    csv_row_too_wide: Text = Text(
        "InvalidBatch", "Failed to parse CSV. Exceeded max number of columns per record : {most}"
    )
    csv_row_too_long: Text = Text(
        "InvalidBatch",
        "Failed to parse CSV. Exceeded max length for one record: {given}. "
        "Max length for one record should be less than or equal to {most}",
    )
    csv_too_large: Text = Text(
        "InvalidBatch",
        "Failed to parse CSV. Exceeded max file size: {given}. "
        "Max file size in characters should be less than or equal to {most}",
    )
    csv_too_many_rows: Text = Text(
        "InvalidBatch",
        "Failed to parse CSV. Exceeded number of records : {given}. "
        "Number of records should be less than or equal to {most}",
    )
    #: client: seen by users of v1 with bare ids, and of 2.0 with further columns
    delete_not_ids: Text = Text("InvalidBatch", "The '{operation}' batch must contain only ids")
    binary_unpacked: Text = Text(
        "InvalidBatch", "Binary field {field} is only supported for content types ZIP_XML and ZIP_CSV"
    )
    #: guide: the words; the code is ours
    query_retried: Text = Text("InternalServerError", "Retried more than thirty times")
    #: guide: the code; the words are ours
    zip_unreadable: Text = Text("InvalidBatch", "Failed to read zip. {reason}")
    zip_without_request: Text = Text("InvalidBatch", "{name} not found in the zip")
    zip_too_large: Text = Text("InvalidBatch", "Zip content exceeds max size limit of {most}")
    zip_too_many_files: Text = Text("InvalidBatch", "Too many files in the zip: {given}, at most {most}")
    zip_name_too_long: Text = Text("InvalidBatch", "File name in the zip exceeds {most} bytes")
    #: ours
    data_retried: Text = Text("InternalServerError", "Retried more than ten times")
    internal: Text = Text("InternalServerError", "{what}")
    coding_unknown: Text = Text("InvalidBatch", "Unsupported content encoding: {coding}")
    encoding_unknown: Text = Text("InvalidBatch", "Unsupported encoding: {name}")
    csv_row_uneven: Text = Text(
        "InvalidBatch", "Failed to parse CSV. Row {row} has {given} values, the header has {wanted}"
    )
    json_unreadable: Text = Text("InvalidBatch", "Failed to parse JSON. {reason}")
    xml_unreadable: Text = Text("InvalidBatch", "Failed to parse XML. {reason}")
    field_twice: Text = Text("InvalidBatch", "Duplicate field name : {name}")
    value_unreadable: Text = Text("InvalidBatch", "Failed to parse input: {reason}")
    reference_unreadable: Text = Text("InvalidBatch", "Reference {name} must have exactly one field")
    too_many_records: Text = Text(
        "InvalidBatch", "Exceeded number of records : {given}. Number of records should be less than or equal to {most}"
    )
    value_too_long: Text = Text("InvalidBatch", "Exceeded max field size: {given}")
    record_too_wide: Text = Text("InvalidBatch", "Exceeded max number of fields per record : {most}")
    record_too_long: Text = Text(
        "InvalidBatch",
        "Exceeded max length for one record: {given}. Max length for one record should be less than or equal to {most}",
    )
    spec_unreadable: Text = Text("InvalidBatch", "Invalid transformation spec")
    results_too_large: Text = Text("InvalidBatch", "Failed to write query result: more than {most} result files")


@dataclass(frozen=True)
class RowTexts:
    """Why one row fails. `{value}` is what was sent, `{label}` the field's label, `{field}` its name."""

    #: recorded
    deleted: Text = Text("ENTITY_IS_DELETED", "entity is deleted")
    locked: Text = Text("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
    trigger_failed: Text = Text(
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "{trigger}: execution of {event}\n\ncaused by: {kind}: {reason}\n\nTrigger.{trigger}: line {line}, column 1",
    )
    duplicate_found: Text = Text("DUPLICATES_DETECTED", "{message}")
    record_type_unfit: Text = Text(
        "INVALID_CROSS_REFERENCE_KEY", "Record Type ID: this ID value isn't valid for the user: {value}"
    )
    access_missing: Text = Text(
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id: {id}"
    )
    #: recorded: in an update over REST; that an insert says the other is seen in a flow
    field_unfit: Text = Text(
        "INVALID_FIELD_FOR_INSERT_UPDATE", "{object}: bad field names on insert/update call: {field}"
    )
    #: guide
    required_missing: Text = Text("REQUIRED_FIELD_MISSING", "Required fields are missing: [{fields}]")
    #: client
    rule_broken: Text = Text("FIELD_CUSTOM_VALIDATION_EXCEPTION", "{message}")
    access_read_only: Text = Text("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
    parent_unknown: Text = Text(
        "INVALID_FIELD", "Foreign key external ID: {value} not found for field {field} in entity {object}"
    )
    key_twice: Text = Text("DUPLICATE_VALUE", "Duplicate external id specified: {value}")
    #: guide: the code; the words are ours
    file_unnamed: Text = Text("INVALID_FIELD", "Value of a binary field must start with #: {value}")
    file_missing: Text = Text("INVALID_FIELD", "File not found in the zip: {value}")
    #: ours, after the habits of the platform's other APIs
    record_unknown: Text = Text("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    reference_unknown: Text = Text("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    reference_unfit: Text = Text("FIELD_INTEGRITY_EXCEPTION", "{label}: id value of incorrect type: {value}")
    reference_malformed: Text = Text("MALFORMED_ID", "{label}: id value of incorrect type: {value}")
    id_malformed: Text = Text("MALFORMED_ID", "{label}: id value of incorrect type: {value}")
    id_malformed_in_delete: Text = Text("MALFORMED_ID", "bad id {value}")
    id_missing: Text = Text("MISSING_ARGUMENT", "Id not specified in {call} call")
    id_unwanted: Text = Text("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call")
    id_beside_key: Text = Text("INVALID_FIELD", "cannot specify both an external ID reference and a salesforce id, Id")
    key_missing: Text = Text("MISSING_ARGUMENT", "{field} not specified")
    key_ambiguous: Text = Text("DUPLICATE_EXTERNAL_ID", "{field}: more than one record found for external id field")
    parent_ambiguous: Text = Text("INVALID_FIELD", "More than one record found for external id field: {value}")
    value_taken: Text = Text(
        "DUPLICATE_VALUE", "duplicate value found: {field} duplicates value on record with id: {id}"
    )
    type_wrong: Text = Text("INVALID_TYPE_ON_FIELD_IN_RECORD", "{label}: value not of required type: {value}")
    number_too_large: Text = Text(
        "NUMBER_OUTSIDE_VALID_RANGE", "{label}: value outside of valid range on numeric field: {value}"
    )
    email_invalid: Text = Text("INVALID_EMAIL_ADDRESS", "{label}: invalid email address: {value}")
    picklist_unfit: Text = Text(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "{label}: bad value for restricted picklist field: {value}"
    )
    text_too_long: Text = Text("STRING_TOO_LONG", "{label}: data value too large: {value} (max length={most})")
    delete_held: Text = Text(
        "DELETE_FAILED",
        "Your attempt to delete this record could not be completed because it is associated with "
        "the following {objects}: {id}",
    )
    not_writable: Text = Text(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "Unable to create/update fields: {field}. Please check the security settings of this field and verify "
        "that it is read/write for your profile or permission set.",
    )
    row_uneven: Text = Text("MALFORMED_ROW", "Row {row} has {given} values, the header has {wanted}")


@dataclass(frozen=True)
class QueryTexts:
    """What a bulk query refuses beyond the rules of SOQL.

    A code in capitals comes as `InvalidBatch : Failed to process query: ...`; any other stands alone.
    """

    #: recorded
    entity: Text = Text(
        "INVALID_TYPE_FOR_OPERATION",
        "The root entity of the requested query ({query}) does not match "
        "the entity of the requested Bulk API Job ({job}).",
    )
    compound: Text = Text("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query")
    #: client
    base64: Text = Text("FeatureNotEnabled", "Binary field not supported")
    #: guide: that it is an error in CSV; the words are remembered, that it is one in XML and JSON is ours
    nested: Text = Text("FeatureNotEnabled", "Cannot serialize value for '{name}' in {format} format")
    #: guide: that it is an error; code and words are ours
    aggregate: Text = Text("FUNCTIONALITY_NOT_ENABLED", "Aggregate functions not supported in Bulk Query")
    group: Text = Text("FUNCTIONALITY_NOT_ENABLED", "GROUP BY not supported in Bulk Query")
    offset: Text = Text("FUNCTIONALITY_NOT_ENABLED", "OFFSET not supported in Bulk Query")
    typeof: Text = Text("FUNCTIONALITY_NOT_ENABLED", "TYPEOF not supported in Bulk Query")
    #: ours
    fields: Text = Text("FUNCTIONALITY_NOT_ENABLED", "The SOQL FIELDS function is not supported in Bulk Query")


@dataclass(frozen=True)
class LoginTexts:
    """Why a token is refused: `error` and `error_description`. The status is `Settings.token_error_status`."""

    #: guide
    token_expired: Text = Text("invalid_grant", "expired access/refresh token")
    audience_wrong: Text = Text("invalid_grant", "Audience validation failed")
    #: client
    password_wrong: Text = Text("invalid_grant", "authentication failure")
    not_approved: Text = Text("invalid_grant", "user hasn't approved this consumer")
    not_installed: Text = Text("invalid_client", "app must be installed into org")
    denied: Text = Text("access_denied", "end-user denied authorization")
    no_run_as_user: Text = Text("invalid_grant", "no client credentials user enabled")
    soap_login_off: Text = Text("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
    #: client: the code; the words are ours
    device_pending: Text = Text("authorization_pending", "user has not yet approved")
    device_expired: Text = Text("expired_token", "the device code has expired")
    #: client: the code; the words are ours
    client_unknown: Text = Text("invalid_client_id", "client identifier invalid")
    flow_unknown: Text = Text("unsupported_grant_type", "grant type not supported")
    secret_wrong: Text = Text("invalid_client", "invalid client credentials")
    #: guide: the code; the words are ours
    verifier_wrong: Text = Text("invalid_request", "invalid code verifier")
    verifier_missing: Text = Text("invalid_grant", "missing code verifier")
    #: ours
    challenge_missing: Text = Text("invalid_request", "missing required code challenge")
    device_off: Text = Text("invalid_client", "device flow is not enabled for this app")
    response_unknown: Text = Text("unsupported_response_type", "response type not supported")
    method_wrong: Text = Text("invalid_request", "must use HTTP POST")
    code_wrong: Text = Text("invalid_grant", "invalid authorization code")
    challenge_unknown: Text = Text("invalid_request", "code_challenge_method must be S256")
    redirect_missing: Text = Text("redirect_uri_missing", "missing redirect_uri")
    redirect_wrong: Text = Text("redirect_uri_mismatch", "redirect_uri must match configuration")
    assertion_invalid: Text = Text("invalid_grant", "invalid assertion")
    assertion_expired: Text = Text("invalid_grant", "token validity expired")
    token_unknown: Text = Text("unsupported_token_type", "this token type is not supported")


@dataclass(frozen=True)
class Texts:
    """All texts."""

    calls: CallTexts = CallTexts()
    batches: BatchTexts = BatchTexts()
    rows: RowTexts = RowTexts()
    queries: QueryTexts = QueryTexts()
    bulk2: Bulk2Texts = Bulk2Texts()
    logins: LoginTexts = LoginTexts()
