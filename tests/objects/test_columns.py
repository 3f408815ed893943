"""Columns against an object: all that is wrong with them, at once, each with what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.objects.contacts import CONTACT, PARENTS, field

from bulkforce.objects.columns import Finding, Fit, Kind, Severity, fit, parents_twice
from bulkforce.objects.matching import match
from bulkforce.objects.names import field_of, meant, parent_path
from bulkforce.protocol.rest import FieldDescription, SObjectDescription, description_of
from bulkforce.vocabulary import Operation
from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.state.rows.columns import resolve
from bulkforce_emulator.uploads import BatchError
from bulkforce_emulator.wire.describe import description

INSERT, UPDATE, UPSERT, DELETE = Operation.INSERT, Operation.UPDATE, Operation.UPSERT, Operation.DELETE
REFUSE, WARN, DROP = Severity.REFUSE, Severity.WARN, Severity.DROP


def found(
    *names: str, operation: Operation = UPDATE, external_id: str | None = None, drop: bool = False, known: bool = True
) -> Fit:
    """Check columns; a column of keys is put behind those that are given, unless one of them has that name."""
    key = {UPDATE: "Id", DELETE: "Id", UPSERT: external_id, INSERT: "LastName"}[operation]
    if key and key.lower() not in [name.lower() for name in names]:
        names = (*names, key)
    describe = PARENTS.get if known else None
    return fit(names, CONTACT, operation, external_id=external_id, describe=describe, drop=drop)


def only(fitted: Fit) -> Finding:
    (finding,) = fitted.findings
    return finding


def sent(fitted: Fit) -> dict[str, str]:
    return {target.column: target.name for target in fitted.targets}


def test_columns_that_fit_in_any_letter_case_are_found_nothing_wrong_with() -> None:
    fitted = found("EMAIL", "birthdate", "AccountId")
    assert fitted.findings == ()
    assert sent(fitted) == {"EMAIL": "Email", "birthdate": "Birthdate", "AccountId": "AccountId", "Id": "Id"}


@pytest.mark.parametrize(
    ("name", "kind", "remedy"),
    [
        ("Emial", Kind.UNKNOWN, "Did you mean Email?"),
        ("first_name", Kind.LABEL, "FirstName"),
        ("Last Name", Kind.LABEL, "LastName"),
        ("account id", Kind.LABEL, "AccountId"),
        ("Region", Kind.UNKNOWN, "Did you mean acme__Region__c?"),
        ("Level", Kind.UNKNOWN, "Did you mean Level__c?"),
        ("Shoe size", Kind.UNKNOWN, "Leave the column out, or map it"),
        ("Id;LastName;Email", Kind.UNKNOWN, "The file seems to have ';' between its columns"),
        ("Id\tLastName", Kind.UNKNOWN, r"The file seems to have '\t' between its columns"),
        ("", Kind.NAMELESS, "Give column 1 a name, or leave it out"),
        (" \u00a0", Kind.NAMELESS, "Give column 1 a name, or leave it out"),
        ("Acount.Ext__c", Kind.UNKNOWN_PARENT, "Did you mean Account.Ext__c?"),
        ("AccountId.Ext__c", Kind.UNKNOWN_PARENT, "the parent is Account: Account.Ext__c"),
        ("Mentor__c.Email", Kind.UNKNOWN_PARENT, "the parent is Mentor__r: Mentor__r.Email"),
        ("Zebra.Ext__c", Kind.UNKNOWN_PARENT, "Its parents are Account, Mentor__r, Who, Owner."),
        ("Account.Owner.Username", Kind.PARENT_TOO_FAR, "a field of the parent itself"),
        ("Account.Name", Kind.NO_KEY, "Records of Account are found by Id, Ext__c"),
        ("Account.Ext_c", Kind.NO_KEY, "Did you mean Account.Ext__c?"),
        ("Who.Email", Kind.PARENT_TYPE, "Give one of Contact:Who.Email, Lead:Who.Email"),
        ("Account:Who.Ext__c", Kind.PARENT_TYPE, "Call the column Contact:Who.Ext__c"),
        ("Account:Account.Ext__c", Kind.PARENT_TYPE, "Call the column Account.Ext__c"),
        ("Robot:Owner.Username", Kind.PARENT_TYPE, "Call the column User:Owner.Username"),
        ("Name", Kind.UNWRITABLE, "Give FirstName, LastName"),
        ("MailingAddress", Kind.UNWRITABLE, "Give MailingCity"),
        ("Score__c", Kind.UNWRITABLE, "Leave the column out"),
        ("Number__c", Kind.UNWRITABLE, "Leave the column out"),
        ("CreatedDate", Kind.UNWRITABLE, "permission to set audit fields"),
        ("Secret__c", Kind.UNWRITABLE, "the right to edit Secret__c"),
        ("Master__c", Kind.UNWRITABLE, "Leave the column out"),
        ("Master__r.Ext__c", Kind.UNWRITABLE, "Leave the column out"),
    ],
)
@pytest.mark.parametrize("drop", [False, True])
def test_column_that_cannot_be_sent_is_refused_or_dropped(name: str, kind: Kind, remedy: str, drop: bool) -> None:
    fitted = found(name, drop=drop)
    finding = only(fitted)
    assert (finding.kind, finding.severity, finding.column) == (kind, DROP if drop else REFUSE, name)
    assert remedy in finding.remedy
    assert sent(fitted) == {"Id": "Id"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Name", "put together from other fields"),
        ("Score__c", "a formula"),
        ("Number__c", "numbers Number__c itself"),
        ("CreatedDate", "keeps CreatedDate itself"),
        ("Master__c", "stays as it was when the record was made"),
        ("Secret__c", "the user may not write it, or nobody may"),
    ],
)
def test_finding_says_why_a_field_cannot_be_written(name: str, why: str) -> None:
    assert why in only(found(name)).text


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        (" Email\u00a0", "Email"),
        ("\ufeffEmail", "Email"),
        ("\u200bemail ", "Email"),
        ("Region__c", "acme__Region__c"),
        ("sf__Id", "Id"),
        (r"Account\:Ext__c", "Account.Ext__c"),
        ("Account:ext__c", "Account.Ext__c"),
        ("Account:Account-Ext__c", "Account.Ext__c"),
        (r"Owner\:User-Username", "User:Owner.Username"),
        ("Who:Lead-Email", "Lead:Who.Email"),
    ],
)
def test_name_that_other_tools_write_is_read_with_a_warning(name: str, becomes: str) -> None:
    fitted = fit([name] if becomes == "Id" else [name, "Id"], CONTACT, UPDATE, describe=PARENTS.get)
    finding = only(fitted)
    assert (finding.kind, finding.severity, finding.column, finding.remedy) == (
        Kind.SPELLING,
        WARN,
        name,
        f"Call the column {becomes}.",
    )
    assert sent(fitted)[name] == becomes


@pytest.mark.parametrize(
    ("name", "writes", "type"),
    [
        ("Account.Ext__c", "AccountId", "string"),
        ("account.id", "AccountId", "id"),
        ("Mentor__r.Email", "Mentor__c", "email"),
        ("Lead:Who.Email", "WhoId", "email"),
        ("lead:who.email", "WhoId", "email"),
        ("Owner.Username", "OwnerId", "string"),
        ("User:Owner.Username", "OwnerId", "string"),
        ("Group:Owner.Id", "OwnerId", "id"),
    ],
)
def test_parent_is_found_by_a_key_of_its_own(name: str, writes: str, type: str) -> None:  # noqa: A002
    fitted = found(name)
    assert fitted.findings == ()
    target = fitted.targets[0]
    assert target.field is not None
    assert (target.writes.name, target.field.type) == (writes, type)


@pytest.mark.parametrize("name", ["Account.Anything__c", "Lead:Who.Anything__c", "Owner.Anything__c"])
def test_field_of_a_parent_that_nobody_can_describe_is_left_to_the_org(name: str) -> None:
    fitted = found(name, known=False)
    assert (fitted.findings, fitted.targets[0].field) == ((), None)


def test_parent_as_a_column_has_a_place_for_null_alone() -> None:
    fitted = found("account")
    assert (only(fitted).kind, only(fitted).severity, only(fitted).column) == (Kind.PARENT_NULL, WARN, "account")
    assert [(target.name, target.null_only) for target in fitted.targets] == [("AccountId", True), ("Id", False)]


@pytest.mark.parametrize(
    "name", ["sf__Id", "sf__Created", "SF__Error", "sf__Row", "sf__anything", "attributes.type", "attributes"]
)
def test_column_that_is_no_data_is_left_out(name: str) -> None:
    fitted = found(name)
    assert (only(fitted).kind, only(fitted).severity) == (Kind.NOT_SENT, DROP)
    assert sent(fitted) == {"Id": "Id"}


@pytest.mark.parametrize("operation", [UPDATE, DELETE, Operation.HARD_DELETE])
def test_id_of_a_report_is_the_id_of_the_record(operation: Operation) -> None:
    assert sent(fit(["sf__Id"], CONTACT, operation)) == {"sf__Id": "Id"}
    assert sent(fit(["sf__Id"], CONTACT, INSERT)) == {}
    assert sent(fit(["sf__Id"], CONTACT, UPSERT, external_id="Ext__c")) == {}
    assert sent(fit(["sf__Id"], CONTACT, UPSERT, external_id="id")) == {"sf__Id": "Id"}


@pytest.mark.parametrize("operation", [DELETE, Operation.HARD_DELETE])
def test_delete_sends_ids_alone(operation: Operation) -> None:
    fitted = fit(["Email", "id", "Nothing"], CONTACT, operation)
    assert sent(fitted) == {"id": "Id"}
    assert [(one.kind, one.severity, one.column) for one in fitted.findings] == [
        (Kind.NOT_SENT, DROP, "Email"),
        (Kind.NOT_SENT, DROP, "Nothing"),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("Email", "EMAIL"),
        ("AccountId", "Account.Ext__c"),
        ("AccountId", "Account"),
        ("Account", "Account.Ext__c"),
        ("Account.Ext__c", "Account.Id"),
        ("Email", " Email"),
    ],
)
def test_two_columns_for_one_field_are_refused(names: tuple[str, str]) -> None:
    findings = [one for one in found(*names).findings if one.kind not in {Kind.SPELLING, Kind.PARENT_NULL}]
    assert [(one.kind, one.severity, one.column) for one in findings] == [(Kind.TWICE, REFUSE, names[1])]


@pytest.mark.parametrize("operation", [INSERT, UPDATE, UPSERT])
@pytest.mark.parametrize(
    "names", [("AccountId", "Account.Ext__c", "Account"), ("Account.Ext__c", "AccountId", "Account")]
)
def test_id_of_a_parent_is_sent_alone_where_columns_may_be_dropped(
    names: tuple[str, ...], operation: Operation
) -> None:
    fitted = found(*names, operation=operation, external_id="Ext__c" if operation is UPSERT else None, drop=True)
    assert "AccountId" in sent(fitted)
    assert not {"Account", "Account.Ext__c"} & sent(fitted).keys()
    assert [one.severity for one in fitted.findings if one.kind is Kind.TWICE] == [DROP, DROP]


@pytest.mark.parametrize("names", [("Email", "EMAIL"), ("Account.Ext__c", "Account.Id"), ("Account", "Account.Ext__c")])
def test_two_columns_of_which_none_is_the_field_itself_are_refused_even_so(names: tuple[str, str]) -> None:
    assert (Kind.TWICE, REFUSE) in {(one.kind, one.severity) for one in found(*names, drop=True).findings}


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["AccountId", "Account.Ext__c"], 1),
        (["accountid", "ACCOUNT.Ext__c"], 1),
        (["Plant__c", "Plant__r.Ext__c"], 1),
        (["WhoId", "Lead:Who.Email"], 1),
        (["AccountId", "Owner.Username", "Plant__r.Ext__c", "Id"], 0),
    ],
)
def test_parent_beside_its_id_is_found_by_names_alone(names: list[str], twice: int) -> None:
    assert [one.severity for one in parents_twice(names)] == [REFUSE] * twice


@pytest.mark.parametrize("operation", [UPDATE, DELETE, Operation.HARD_DELETE])
def test_missing_id_is_refused(operation: Operation) -> None:
    finding = fit(["Email"], CONTACT, operation).findings[-1]
    assert (finding.kind, finding.severity, finding.column) == (Kind.MISSING_KEY, REFUSE, None)


def test_missing_key_of_an_upsert_is_refused() -> None:
    finding = fit(["LastName"], CONTACT, UPSERT, external_id="ext__C").findings[-1]
    assert (finding.kind, finding.severity, finding.text) == (
        Kind.MISSING_KEY,
        REFUSE,
        "No column holds Ext__c, by which this upsert finds its records.",
    )


@pytest.mark.parametrize("external_id", ["Ext__c", "EXT__C", "Email", "Id", "Number__c"])
def test_upsert_by_a_key_is_found_nothing_wrong_with(external_id: str) -> None:
    assert found("LastName", operation=UPSERT, external_id=external_id).findings == ()


@pytest.mark.parametrize(
    ("external_id", "remedy"),
    [
        (None, "Give one of Id, Email, Ext__c"),
        ("FirstName", "Give one of Id"),
        ("Exd__c", "Did you mean Ext__c?"),
        ("Key", "Give one of Id"),
    ],
)
def test_upsert_by_what_is_no_key_is_refused(external_id: str | None, remedy: str) -> None:
    finding = fit(["LastName", "FirstName"], CONTACT, UPSERT, external_id=external_id).findings[0]
    assert (finding.kind, finding.severity, finding.column) == (Kind.NO_KEY, REFUSE, None)
    assert remedy in finding.remedy


def test_required_field_that_no_column_fills_is_refused_where_all_records_are_new() -> None:
    (finding,) = fit(["Email"], CONTACT, INSERT).findings
    assert (finding.kind, finding.severity, finding.column) == (Kind.REQUIRED, REFUSE, None)
    assert "LastName" in finding.text
    (finding,) = fit(["Ext__c"], CONTACT, UPSERT, external_id="Ext__c").findings
    assert (finding.kind, finding.severity) == (Kind.REQUIRED, WARN)
    assert fit(["Id"], CONTACT, UPDATE).findings == ()


def test_parent_fills_a_required_field() -> None:
    required = FieldDescription(
        name="AccountId", type="reference", nillable=False, relationship_name="Account", reference_to=("Account",)
    )
    described = SObjectDescription("Thing__c", (required,))
    assert fit(["Account.Ext__c"], described, INSERT).findings == ()
    assert [one.kind for one in fit(["Account"], described, INSERT).findings] == [Kind.PARENT_NULL, Kind.REQUIRED]


def test_required_field_whose_column_is_misspelt_is_not_missed_besides() -> None:
    assert [one.kind for one in fit(["Last Name"], CONTACT, INSERT).findings] == [Kind.LABEL]
    assert [one.kind for one in fit(["LastNam"], CONTACT, INSERT).findings] == [Kind.UNKNOWN]
    assert [one.kind for one in fit(["Last Name", "Ext"], CONTACT, UPSERT, external_id="Ext__c").findings] == [
        Kind.LABEL,
        Kind.UNKNOWN,
    ]


@pytest.mark.parametrize("name", ["LastNam", "Last Name"])
def test_dropped_column_fills_no_required_field(name: str) -> None:
    findings = fit(["Email", name], CONTACT, INSERT, drop=True).findings
    assert [(one.kind, one.severity) for one in findings[1:]] == [(Kind.REQUIRED, REFUSE)]
    findings = fit(["Ext__c", name], CONTACT, UPSERT, external_id="Ext__c", drop=True).findings
    assert [(one.kind, one.severity) for one in findings[1:]] == [(Kind.REQUIRED, WARN)]


@pytest.mark.parametrize(
    ("name", "operation", "external_id"),
    [
        ("Ext", UPSERT, "Ext__c"),
        ("Emial", UPSERT, "Email"),
        ("Idd", UPDATE, None),
        ("Account Id", UPSERT, "Id"),
        ("Id__c", UPSERT, "Id"),
    ],
)
def test_dropped_column_holds_no_key(name: str, operation: Operation, external_id: str | None) -> None:
    fitted = fit([name, "LastName"], CONTACT, operation, external_id=external_id, drop=True)
    assert [(one.kind, one.severity) for one in fitted.findings] == [
        (fitted.findings[0].kind, DROP),
        (Kind.MISSING_KEY, REFUSE),
    ]


@pytest.mark.parametrize(("operation", "external_id"), [(INSERT, None), (UPSERT, "Ext__c")])
def test_id_cannot_be_given_to_a_new_record(operation: Operation, external_id: str | None) -> None:
    finding = found("Id", "LastName", operation=operation, external_id=external_id).findings[0]
    assert (finding.kind, finding.severity, finding.column) == (Kind.UNWRITABLE, REFUSE, "Id")


@pytest.mark.parametrize(("name", "records"), [("Master__c", "old"), ("LateOnly__c", "new")])
def test_field_that_only_some_rows_of_an_upsert_may_have_is_warned_of(name: str, records: str) -> None:
    fitted = found(name, "LastName", operation=UPSERT, external_id="Ext__c")
    assert (only(fitted).kind, only(fitted).severity) == (Kind.UNWRITABLE, WARN)
    assert f"cannot be given for {records} records" in only(fitted).text
    assert sent(fitted)[name] == name


@pytest.mark.parametrize(("name", "operation"), [("Master__c", INSERT), ("LateOnly__c", UPDATE)])
def test_field_is_written_where_it_may_be(name: str, operation: Operation) -> None:
    assert found(name, operation=operation).findings == ()


def test_everything_is_found_at_once() -> None:
    names = ["Last Name", "Emial", "Name", "Account.Name", "", "sf__Error", "Birthdate", "birthdate "]
    fitted = fit(names, CONTACT, UPDATE, describe=PARENTS.get)
    assert [(one.kind, one.column) for one in fitted.findings] == [
        (Kind.LABEL, "Last Name"),
        (Kind.UNKNOWN, "Emial"),
        (Kind.UNWRITABLE, "Name"),
        (Kind.NO_KEY, "Account.Name"),
        (Kind.NAMELESS, ""),
        (Kind.NOT_SENT, "sf__Error"),
        (Kind.SPELLING, "birthdate "),
        (Kind.TWICE, "birthdate "),
        (Kind.MISSING_KEY, None),
    ]


@pytest.mark.parametrize(
    ("name", "operation", "external_id", "no_suggestion"),
    [
        ("Nachname", INSERT, None, "Name"),
        ("Nachname", UPSERT, "Ext__c", "Name"),
        ("Created_Date__c", UPDATE, None, "CreatedDate"),
        ("Secrets", INSERT, None, "Secret__c"),
        ("Masters", UPDATE, None, "Master__c"),
        ("LateOnly", INSERT, None, "LateOnly__c"),
        ("Masters.Ext__c", UPDATE, None, "Master__r"),
    ],
)
def test_field_that_cannot_be_written_is_no_suggestion(
    name: str, operation: Operation, external_id: str | None, no_suggestion: str
) -> None:
    finding = found(name, operation=operation, external_id=external_id).findings[0]
    assert finding.column == name
    assert no_suggestion not in finding.remedy.replace(".", " ").replace("?", " ").split()
    matches, _ = match([name], CONTACT, operation, external_id=external_id, describe=PARENTS.get)
    assert no_suggestion not in matches[0].suggestions


def test_label_of_a_field_that_cannot_be_written_says_so() -> None:
    finding = only(found("Full Name", operation=INSERT))
    assert (finding.kind, finding.remedy) == (Kind.UNWRITABLE, "Give FirstName, LastName.")
    (one,), _ = match(["Full Name"], CONTACT, INSERT)
    assert (one.field, one.suggestions) == (None, ())
    assert "Name is put together from other fields" in one.why
    twins = replace(CONTACT, fields=(*CONTACT.fields, field("Whole__c", label="Full Name")))
    assert "Call the column Whole__c," in fit(["Full Name"], twins, UPDATE).findings[0].remedy
    assert match(["Full Name"], twins, UPDATE)[0][0].field == "Whole__c"


def test_long_name_is_cut_in_what_is_said() -> None:
    assert len(only(found("x" * 10_000)).text) < 200


def test_namespace_may_be_left_out_unless_two_packages_have_the_field() -> None:
    twins = SObjectDescription(
        "A", tuple(FieldDescription(name=name, type="string") for name in ("a__X__c", "b__X__c"))
    )
    assert field_of(twins, "X__c") is None
    assert meant("X__c", [field.name for field in twins.fields]) == ["a__X__c", "b__X__c"]


@pytest.mark.parametrize(
    "name", ["", "Account", "Account.", ".Ext__c", "A:B:C", "A.B.C", "Account Ext__c", "a b:c", "Type:Rel.A.B"]
)
def test_what_is_no_path_is_none(name: str) -> None:
    assert parent_path(name) is None


names = st.sampled_from([field.name for field in CONTACT.fields]) | st.sampled_from(
    ["Account.Ext__c", "Who:Lead-Email", "Owner.Username", "Account", "sf__Id", "", "Emial", "A.B", "A:B", "A.B.C"]
)


@given(
    st.lists(names | st.text(max_size=8), max_size=6),
    st.sampled_from([INSERT, UPDATE, UPSERT, DELETE, Operation.HARD_DELETE]),
    st.sampled_from(["Ext__c", "Id", "Email", "Nothing", None]),
    st.booleans(),
)
def test_every_column_goes_somewhere_or_something_is_said(
    columns: list[str], operation: Operation, key: str | None, drop: bool
) -> None:
    fitted = fit(columns, CONTACT, operation, external_id=key, describe=PARENTS.get, drop=drop)
    assert [target.column for target in fitted.targets] == [columns[target.place] for target in fitted.targets]
    said = {one.column for one in fitted.findings}
    for place, name in enumerate(columns):
        assert any(target.place == place for target in fitted.targets) or name in said
    again = fit([target.name for target in fitted.targets], CONTACT, operation, external_id=key, describe=PARENTS.get)
    assert [target.name for target in again.targets] == [target.name for target in fitted.targets]
    assert not [one for one in again.findings if one.kind is Kind.SPELLING]


SCHEMA = load_schema()
ORG = {
    name: description_of(json.dumps(description(SCHEMA, sobject, "/services/data/v66.0")))
    for name, sobject in SCHEMA.sobjects.items()
}
SOME = [
    "Email",
    "lastname",
    "Account.Name",
    "AccountId.Name",
    "Owner.Username",
    "User:Owner.Username",
    "Who.Email",
    "Lead:Who.Email",
]
FIELDS = sorted({field.name for one in ORG.values() for field in one.fields})


@given(st.sampled_from(["Contact", "Account", "Task", "Case"]), st.sampled_from([*SOME, *FIELDS]) | st.text(max_size=6))
def test_emulated_org_knows_every_column_that_is_sent_and_none_that_is_unknown(object_name: str, column: str) -> None:
    def takes(header: str) -> bool:
        try:
            return bool(resolve(SCHEMA, SCHEMA.sobjects[object_name], [header], Settings()))
        except BatchError:
            return False

    fitted = fit([column], ORG[object_name], UPDATE, describe=ORG.get)
    assert all(target.null_only or takes(target.name) for target in fitted.targets)
    strange = {Kind.UNKNOWN, Kind.LABEL, Kind.UNKNOWN_PARENT, Kind.NO_KEY, Kind.PARENT_TYPE, Kind.PARENT_TOO_FAR}
    assert not (takes(column) and any(one.kind in strange for one in fitted.findings))
