"""What Bulk API 2.0 says, and how sure we are of the words: graded as in `texts`."""

from __future__ import annotations

from dataclasses import dataclass

from bulkforce_emulator.words import Text


@dataclass(frozen=True)
class Bulk2Texts:
    """What Bulk API 2.0 says otherwise than v1: to a call, in the `errorMessage` of a job, or of a row."""

    #: recorded
    object_unknown: Text = Text("INVALIDJOB", "InvalidJob : Unable to find object: {name}")
    key_unfit: Text = Text(
        "INVALIDJOB", "InvalidJob : Field name provided, {name} does not match an External ID for {object}"
    )
    value_invalid: Text = Text("API_ERROR", "Invalid value: '{value}' supplied for property: '{name}'")
    key_missing: Text = Text(
        "INVALIDJOB",
        "InvalidJob : External ID was blank for {object}. An External ID must be specified for upsert.",
    )
    type_unfit: Text = Text("API_ERROR", "Value does not match expected type at [line:{line}, column:{column}]")
    uploaded_twice: Text = Text(
        "INVALIDJOB",
        "Found multipe contents for job: <{id}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a "
        "new Job and make sure you only do 'PUT' once on a given Job.",
    )
    abort_refused: Text = Text("INVALIDJOBSTATE", "Aborting already {state} Job not allowed")
    object_unsupported: Text = Text("INVALIDENTITY", "Entity '{name}' is not supported by the Bulk API.")
    line_ends_wrong: Text = Text(
        "ClientInputError", "LineEnding is invalid on user data. Current LineEnding setting is {name}"
    )
    compound: Text = Text("API_ERROR", "Selecting compound data not supported in Bulk Query")
    aggregate: Text = Text("API_ERROR", "Aggregate Relationships not supported in Bulk V2 Query with CSV content type.")
    #: recorded: the words, in comments and tests of public code; no conversation here holds the emulator to them
    row_uneven: Text = Text(
        "INVALID_FIELD", "Number of fields in header is different from the row. header = {wanted} row = {given}"
    )
    type_wrong: Text = Text(
        "INVALID_FIELD",
        "Failed to deserialize field at col {column}. Due to, '{value}' is not a valid value for the type xsd:{type}",
    )
    #: guide
    job_unknown: Text = Text("NOT_FOUND", "The requested resource does not exist")
    delete_running: Text = Text(
        "API_ERROR", "Error encountered when deleting the job because the job is not terminated"
    )
    #: client
    complete_refused: Text = Text("INVALIDJOBSTATE", "Closing already {state} Job not allowed")
    content_type_unfit: Text = Text(
        "UNSUPPORTEDCONTENTTYPE", "UnsupportedContentType : {name} is not a valid Content-Type"
    )
    query_jobs_used_up: Text = Text(
        "LIMIT_EXCEEDED", "Max bulk v2 query jobs ({most}) per 24 hrs has been reached ({given})"
    )
    query_results_used_up: Text = Text(
        "LIMIT_EXCEEDED", "Max bulk v2 query result size stored ({most}) kb per 24 hrs has been exceeded"
    )
    id_malformed: Text = Text("MALFORMED_ID", "malformed id {value}")
    #: client: the code; that the words are those of v1 is inferred
    hard_delete_forbidden: Text = Text(
        "FEATURENOTENABLED",
        "hardDelete operation requires special user profile permission, please contact your system administrator",
    )
    #: guide: that it is an error; code and words are ours
    version_differs: Text = Text("API_ERROR", "The results of this job are read with version {version}")
    query_refused: Text = Text("API_ERROR", "{what} not supported in Bulk Query")
    rule_unwanted: Text = Text("INVALIDJOB", "InvalidJob : Assignment rule cannot be specified for {object}")
    multipart_too_large: Text = Text("API_ERROR", "The content has more than {most} characters")
    records_used_up: Text = Text("ExceededQuota", "Records Limit exceeded")
    retried: Text = Text("TooManyLockFailure", "Retried more than {most} times")
    header_too_long: Text = Text("InvalidBatch", "The header has more than {most} characters")
    #: ours
    packed: Text = Text("UNSUPPORTED_MEDIA_TYPE", "Content-Encoding is not supported for this resource")
    member_unknown: Text = Text("API_ERROR", "Unrecognized property: '{name}'")
    not_open: Text = Text("INVALIDJOBSTATE", "InvalidJobState : Data cannot be uploaded to a job that is {state}")
    results_too_early: Text = Text("INVALIDJOBSTATE", "InvalidJobState : The job has no results yet: {state}")
    too_large: Text = Text("API_ERROR", "The data has more than {most} bytes")
    nothing_uploaded: Text = Text("INVALIDJOB", "InvalidJob : Nothing was uploaded to this job")
    locator_unknown: Text = Text("API_ERROR", "Invalid locator: {given}")
    records_unfit: Text = Text("API_ERROR", "Invalid value for maxRecords: {given}")
    multipart_unreadable: Text = Text("API_ERROR", "The request needs a part named job and one named content")
