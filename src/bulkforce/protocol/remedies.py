"""What is likely to help when the org refuses records, batches or calls, by its status code.

The codes are those of ``StatusCode`` in the SOAP API Developer Guide ("Core Data Types Used in API Calls"), which the
results of batches use, and of the Bulk API Developer Guide ("Errors"). The guides say what a code means; what helps is
also from public threads, by code:

- ``CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY``: SalesforceFoundation/EDA#429, SalesforceFoundation/NPSP#5497
- ``DUPLICATE_VALUE``: sfb2csolutionarchitects/b2c-crm-sync#98, simple-salesforce/simple-salesforce#717
- ``DUPLICATES_DETECTED``: jetstreamapp/jetstream#482
- ``INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY``: davidmreed/amaxa#55
- ``INVALID_FIELD``: SFDO-Tooling/Snowfakery#793 (a date in a date-time field), simple-salesforce/simple-salesforce#763
- ``INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST``: MinnPost/object-sync-for-salesforce#128 (values by record type)
- ``INVALID_TYPE_ON_FIELD_IN_RECORD``: sfdx-mass-action-scheduler/sfdx-mass-action-scheduler#130
- ``MALFORMED_ID``, ``MISSING_ARGUMENT``, ``INVALID_CROSS_REFERENCE_KEY``: help.salesforce.com, article 000387915
- ``REQUEST_LIMIT_EXCEEDED``: SalesforceLabs/OrgCheck#181, django-salesforce/django-salesforce#317
- ``OPERATION_TOO_LARGE``: singer-io/tap-salesforce#98
- ``STRING_TOO_LONG``: forcedotcom/SFDX-Data-Move-Utility#138
- ``UNABLE_TO_LOCK_ROW``: hiratake55/RForcecom#67, jsforce/jsforce#1018
"""

from __future__ import annotations

import re
from typing import Final

_KINDS: Final = (
    "write dates as 2026-12-31, date-times as 2026-12-31T23:59:59Z, numbers with a point and without separators of "
    "thousands, and booleans as true or false"
)
_AGAIN: Final = "load the file of failed rows again"
_RETRY: Final = (
    "send the failed rows again with bulkforce retry; if some fail again, load its failed.csv in serial mode, in "
    "smaller batches or sorted by parent"
)
_LATER: Final = f"wait, then {_AGAIN}"

QUOTAS: Final = {
    "ExceededQuota": "the org has used up its batches for 24 hours; they become available again hour by hour",
    "REQUEST_LIMIT_EXCEEDED": (
        "the org has used up its API calls for 24 hours, all programs together; they become available again hour by "
        "hour, and Setup, System Overview shows them"
    ),
    "OPERATION_TOO_LARGE": (
        "ask for less at once: a narrower condition or PK chunking; for activities, a user with View All Data may help"
    ),
    "STORAGE_LIMIT_EXCEEDED": "the org's data storage is full: delete records, empty the recycle bin, or buy more",
    "LIMIT_EXCEEDED": "the message names the limit; load smaller batches, or raise the limit in the org",
    "LICENSE_LIMIT_EXCEEDED": "no license of this kind is left in the org: free or buy one",
    "API_DISABLED_FOR_ORG": "the org's edition, or the user's profile, has no access to the API: ask the administrator",
}
"""What is likely to help when a limit of the org is reached."""

REMEDIES: Final = {
    **QUOTAS,
    "REQUIRED_FIELD_MISSING": "fill these fields in every row, or map a column or a constant to them",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (
        "a validation rule of the org refuses these rows, in its administrator's words: correct the values, or ask for "
        "an exception for the load"
    ),
    "STRING_TOO_LONG": "shorten the values to the length that the message names, or have the field made longer",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": _KINDS,
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (
        "use the API name of an active value of the picklist, spelled exactly so; with record types, one that the "
        "row's record type allows"
    ),
    "DUPLICATE_VALUE": (
        "the field must be unique: remove rows that repeat a value in the file, or update or upsert the records that "
        "have it already"
    ),
    "DUPLICATES_DETECTED": (
        "a duplicate rule of the org blocks these rows: update the existing records, or ask the administrator to relax "
        "the rule for the load"
    ),
    "DUPLICATE_EXTERNAL_ID": "several records have this external id: merge or change them, then load again",
    "DUPLICATE_USERNAME": "user names are unique across all orgs: choose others",
    "DUPLICATE_DEVELOPER_NAME": "choose a developer name that no other record has",
    "INVALID_FIELD": "check the field's name and the value; parents are named by relationship and key: Account.Ext__c",
    "INVALID_FIELD_FOR_INSERT_UPDATE": (
        "leave the field out, or have it made writable for the user: it is read-only, hidden by field-level security, "
        "or set only in new records (audit fields need a permission of their own)"
    ),
    "INVALID_CROSS_REFERENCE_KEY": (
        "the id names no record that the user may see, or one of another object or org: use ids of this org, or name "
        "the parent by its external id"
    ),
    "INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD": "the id is of an object that this field cannot refer to",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (
        "the user may not change or relate to the record that the row refers to (parent, owner, record type): have it "
        "shared with the user, or load as another user"
    ),
    "INSUFFICIENT_ACCESS_OR_READONLY": "the user may not edit these records: have them shared, or load as another user",
    "MALFORMED_ID": (
        "an id has 15 or 18 letters and digits, and case counts in 15; Excel may have changed it, or the column is not "
        "an id"
    ),
    "MISSING_ARGUMENT": "fill the id or the external id in every row",
    "INVALID_ID_FIELD": "use the id of a record of this object",
    "ENTITY_IS_DELETED": "the record is in the recycle bin or gone: leave the row out, or restore the record first",
    "ENTITY_IS_LOCKED": "an approval process holds the record: finish or recall it, or load as an administrator",
    "ENTITY_IS_ARCHIVED": "the record is archived and cannot be changed: leave the row out",
    "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE": "the record was changed in the meantime: read it again, then decide",
    "UNABLE_TO_LOCK_ROW": f"something else was changing the same records: {_RETRY}",
    "TooManyLockFailure": f"too many rows were locked by something else: {_RETRY}",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (
        "an Apex trigger or automation failed, not the load: the message names it and the first error inside; smaller "
        "batches help against its limits, its owner against the rest"
    ),
    "CANNOT_EXECUTE_FLOW_TRIGGER": (
        "a flow or process of the org failed, not the load: its administrator finds the error id in the failed flow "
        "interviews; smaller batches help against its limits"
    ),
    "SELF_REFERENCE_FROM_TRIGGER": "a trigger changes the record that it was started by: its developer must change it",
    "TOO_MANY_APEX_REQUESTS": f"the org ran too much Apex at once: {_LATER}, in serial mode",
    "FIELD_INTEGRITY_EXCEPTION": (
        "the value does not go with another one: an id of the wrong object, a state without its country, a field that "
        "depends on another; the message says which"
    ),
    "FIELD_FILTER_VALIDATION_EXCEPTION": "a lookup filter refuses this parent: choose another, or relax the filter",
    "NUMBER_OUTSIDE_VALID_RANGE": "the number has more digits than the field holds: correct it, or widen the field",
    "INVALID_EMAIL_ADDRESS": "correct the address, or leave it empty; there is one address in a field",
    "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET": "the text holds characters that the org cannot store: remove them",
    "DELETE_FAILED": "other records depend on it: delete or reassign them first",
    "DEPENDENCY_EXISTS": "something else uses it: remove that first",
    "CIRCULAR_DEPENDENCY": "the record would be its own parent: correct the parent ids",
    "MAXIMUM_HIERARCHY_LEVELS_REACHED": "the hierarchy has too many levels: choose a parent higher up",
    "CANNOT_REPARENT_RECORD": "the field does not allow a new parent: allow reparenting, or leave the field out",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead was converted: update its account, contact or opportunity instead",
    "INACTIVE_OWNER_OR_USER": "the owner is inactive: name an active user, or let the org allow inactive owners",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "this kind of user cannot own the record: name another owner",
    "TRANSFER_REQUIRES_READ": "the new owner has no right to read the object: grant it, or name another owner",
    "UNAVAILABLE_RECORDTYPE_EXCEPTION": "the user may not use this record type: assign it, or leave RecordTypeId out",
    "STANDARD_PRICE_NOT_DEFINED": "load the prices of the standard price book first, then those of the others",
    "INVALID_CURRENCY_ISO": "use the code of a currency that is active in the org, such as EUR",
    "INVALID_STATUS": "the record cannot go to this status from the one it has: load it as a draft, then change it",
    "INVALID_PERSON_ACCOUNT_OPERATION": "load person accounts as Account, with a person record type, not as Contact",
    "INVALID_OPERATION": "the record does not allow this in its present state; the message says why",
    "ALREADY_IN_PROCESS": "the record is in an approval process already: leave it out, or wait for the decision",
    "MAXIMUM_SIZE_OF_ATTACHMENT": "make the file smaller, or load it as a file (ContentVersion)",
    "JSON_PARSER_ERROR": _KINDS,
    "UNKNOWN_EXCEPTION": f"the org failed inside: {_AGAIN}; if it fails again, give Salesforce support the error id",
    "QUERY_TIMEOUT": "a query took too long: narrow it, or use PK chunking",
    "REQUEST_RUNNING_TOO_LONG": "the org gave up on the rows after some minutes: load smaller batches",
    "SERVER_UNAVAILABLE": _LATER,
    "InvalidBatch": "the org could not read the batch; the message says what it stumbled over",
    "FeatureNotEnabled": "the org or the user lacks this feature or permission: ask the administrator",
    "InternalServerError": f"the org failed inside: {_AGAIN}",
    "Timeout": "the org gave up on the batch after some minutes: load smaller batches, or in serial mode",
    "REJECTED": "correct these rows, and load the file of rejected rows; they were not sent",
}

# One code, several causes: the words that tell them apart come first.
_BY_WORDS: Final = (
    ("Foreign key external ID", "load the parents first, or correct the keys: no record has this external id"),
    ("not found for field", "load the parents first, or correct the keys: no record has this external id"),
    ("Duplicate external id specified", "the file has this key twice: keep one row of each key"),
    ("More than one record found for external id", "several records have this external id: merge or change them"),
    ("is not a valid value for the type", _KINDS),
    ("Failed to deserialize", _KINDS),
    ("No such column", "correct the field's name, or have it made visible to the user"),
    ("Field name not found", "correct the column's name or map it, or have the field made visible to the user"),
    ("Records not processed", f"the batch failed before any row: see its message in the org, then {_AGAIN}"),
)
_CODE: Final = re.compile(r"\b[A-Z][A-Za-z_]{5,}\b")


def remedy_for(status_code: str, message: str = "") -> str:
    """Return what is likely to help against a failure; empty if nothing is known.

    A message may quote another failure, inside a trigger or of a whole batch: then what helps against that comes last.

    >>> remedy_for("STORAGE_LIMIT_EXCEEDED")
    "The org's data storage is full: delete records, empty the recycle bin, or buy more."
    """
    by_words = next((remedy for words, remedy in _BY_WORDS if words in message), "")
    inner = [code for code in _CODE.findall(message) if code in REMEDIES and code != status_code]
    found = [by_words or REMEDIES.get(status_code, ""), REMEDIES[inner[-1]] if inner and not by_words else ""]
    return " ".join(f"{one[0].upper()}{one[1:]}." for one in dict.fromkeys(found) if one)
