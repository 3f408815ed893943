"""What happens to records: types, required and unique fields, lookups, updates, upserts, deletes."""

from collections.abc import Iterator

import pytest
from tests.emulator.wire import Wire, rows

from bulkforce_emulator import Emulator, Settings

SCHEMA = {
    "Account": {"fields": {"Ext__c": "string(20) unique external_id", "Number__c": "double(10,0) external_id"}},
    "Contact": {
        "fields": {"Code__c": "string(10) unique external_id case_sensitive", "Level__c": "picklist(A|B) restricted"}
    },
    "Part__c": {
        "fields": {
            "Serial__c": "string(30) auto_number",
            "Account__c": "reference(Account) cascade",
            "Twice__c": {"type": "double", "formula": '"Price__c" * 2'},
            "Price__c": "currency(6,2)",
            "Tags__c": "multipicklist(x|y|z) restricted",
            "Note__c": "textarea(10)",
            "At__c": "time",
        }
    },
}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator(SCHEMA) as org:
        yield Wire(org)


def errors(wire: Wire, operation: str, sobject: str, body: str, **more: str) -> list[str]:
    return [row[3] for row in rows(wire.load(operation, sobject, body, **more))]


@pytest.mark.parametrize(
    ("sobject", "header", "value", "error"),
    [
        ("Account", "AnnualRevenue", "much", ("INVALID_TYPE_ON_FIELD_IN_RECORD:Annual Revenue: value not of required "
"type: much:AnnualRevenue --")),
        ("Account", "NumberOfEmployees", "1.5", ("INVALID_TYPE_ON_FIELD_IN_RECORD:Employees: value not of required "
"type: 1.5:NumberOfEmployees --")),
        ("Account", "AccountNumber", "x" * 41, (f"STRING_TOO_LONG:Account Number: data value too large: {'x' * 41} "
"(max "
"length=40):AccountNumber --")),
        ("Account", "ParentId", "001", "MALFORMED_ID:Parent Account ID: id value of incorrect type: 001:ParentId --"),
        ("Account", "ParentId", "003000000000001AAA", ("FIELD_INTEGRITY_EXCEPTION:Parent Account ID: id value of "
"incorrect type: 003000000000001AAA:ParentId --")),
        ("Account", "ParentId", "001000000000001", "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:ParentId --"),
        ("Account", "Parent.Ext__c", "none", ("INVALID_FIELD:Foreign key external ID: none not found for field Ext__c "
"in entity Account:--")),
        ("Account", "CreatedDate", "2020-01-01", ("INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: "
"CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or "
"permission set.:CreatedDate --")),
        ("Account", "Id", "001000000000001AAA", ("INVALID_FIELD_FOR_INSERT_UPDATE:cannot specify Id in an insert "
"call:Id --")),
        ("Part__c", "Tags__c", "x;w", ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Tags: bad value for restricted "
"picklist "
"field: x;w:Tags__c --")),
        ("Part__c", "Price__c", "10000", ("NUMBER_OUTSIDE_VALID_RANGE:Price: value outside of valid range on numeric "
"field: 10000:Price__c --")),
        ("Part__c", "At__c", "25:00:00", ("INVALID_TYPE_ON_FIELD_IN_RECORD:At: value not of required type: "
"25:00:00:At__c --")),
        ("Task", "ReminderDateTime", "2020-01-01T10:00:00", ("INVALID_TYPE_ON_FIELD_IN_RECORD:Reminder Date Time: "
"value "
"not of required type: 2020-01-01T10:00:00:ReminderDateTime --")),
        ("Task", "IsReminderSet", "maybe", ("INVALID_TYPE_ON_FIELD_IN_RECORD:Reminder Set: value not of required type: "
"maybe:IsReminderSet --")),
    ],
)  # fmt: skip
def test_value_that_does_not_fit_its_field_fails_its_row(
    wire: Wire, sobject: str, header: str, value: str, error: str
) -> None:
    assert errors(
        wire,
        "insert",
        sobject,
        f"Name,{header}\nx,{value}\n" if sobject != "Task" else f"Subject,{header}\nx,{value}\n",
    ) == [error]


def test_contact_values_are_checked(wire: Wire) -> None:
    body = "LastName,Email,Birthdate,Level__c\nA,no email,,\nB,,2020-02-30,\nC,,,D\nD,d@x.org,1940-06-07Z,A\n"
    assert errors(wire, "insert", "Contact", body) == [
        "INVALID_EMAIL_ADDRESS:Email: invalid email address: no email:Email --",
        "INVALID_TYPE_ON_FIELD_IN_RECORD:Birthdate: value not of required type: 2020-02-30:Birthdate --",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Level: bad value for restricted picklist field: D:Level__c --",
        "",
    ]
    (record,) = wire.org.records("Contact")
    assert str(record["Birthdate"]) == "1940-06-07"
    assert record["Name"] == "D"


def test_numbers_and_moments_are_read(wire: Wire) -> None:
    wire.load("insert", "Account", "Name,AnnualRevenue,NumberOfEmployees\nA,1.5e3,12.0\n")
    wire.load("insert", "Task", "Subject,ReminderDateTime,IsReminderSet\nx,2020-06-01T10:00:00.5+02:00,YES\n")
    account, task = wire.org.records("Account")[0], wire.org.records("Task")[0]
    assert (account["AnnualRevenue"], account["NumberOfEmployees"]) == (1500.0, 12)
    assert str(task["ReminderDateTime"]) == "2020-06-01 08:00:00.500000"
    assert task["IsReminderSet"] is True
    assert task["Status"] == "Not Started"


def test_all_missing_fields_are_named_together(wire: Wire) -> None:
    error = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName, Company]:LastName Company --"
    assert errors(wire, "insert", "Lead", "FirstName\nx\n") == [error]


def test_unknown_header_fails_the_batch(wire: Wire) -> None:
    assert wire.failure("insert", "Contact", "LastName,Foo__c\nx,y") == "InvalidBatch : Field name not found : Foo__c"
    assert (
        wire.failure("insert", "Contact", "LastName,Account.Phone\nx,y")
        == "InvalidBatch : Field name not found : Account.Phone"
    )
    assert "\ufeffLastName" in wire.failure("insert", "Contact", "\ufeffLastName\nx")


def test_one_bad_row_does_not_roll_back_the_others(wire: Wire) -> None:
    assert errors(wire, "insert", "Account", "Name\nA\n\nB\n") == ["", ""]
    assert errors(wire, "insert", "Account", "Name,Site\n,x\nC,y\n")[1] == ""
    assert wire.org.count("Account") == 3


def test_unique_values_are_unique_in_any_case_unless_case_counts(wire: Wire) -> None:
    assert errors(wire, "insert", "Account", "Name,Ext__c\nA,x\nB,X\n") == [
        "",
        (
            "DUPLICATE_VALUE:duplicate value found: Ext__c duplicates value on record with id: "
            f"{wire.org.records('Account')[0]['Id'][:15]}:--"
        ),
    ]
    assert "duplicate value found" in errors(wire, "insert", "Account", "Name,Ext__c\nC,x\n")[0]
    assert errors(wire, "insert", "Contact", "LastName,Code__c\nA,x\nB,X\n") == ["", ""]


def test_unique_value_is_free_again_after_a_delete(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "A", "Ext__c": "x"}])
    wire.load("delete", "Account", f"Id\n{account}\n")
    assert errors(wire, "insert", "Account", "Name,Ext__c\nB,x\n") == [""]


def test_lookups_by_id_and_by_external_id(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "A", "Ext__c": "Key", "Number__c": 7}])
    body = "LastName,account.ext__c\nA,KEY\n"
    assert errors(wire, "insert", "Contact", body) == [""]
    assert errors(wire, "insert", "Contact", f"LastName,AccountId\nB,{account[:15]}\n") == [""]
    assert errors(wire, "insert", "Contact", "LastName,Account.Number__c\nC,7.0\n") == [""]
    assert errors(wire, "insert", "Contact", f"LastName,Account.Id\nD,{account}\n") == [""]
    assert {record["AccountId"] for record in wire.org.records("Contact")} == {account}


def test_polymorphic_lookups_name_their_type(wire: Wire) -> None:
    (lead,) = wire.org.insert("Lead", [{"LastName": "L", "Company": "C", "Email": "l@x.org"}])
    assert errors(wire, "insert", "Task", "Subject,Lead:Who.Email\nx,l@x.org\n") == [""]
    assert wire.org.records("Task")[0]["WhoId"] == lead
    assert wire.failure("insert", "Task", "Subject,Who.Email\nx,y").endswith("Field name not found : Who.Email")
    assert wire.failure("insert", "Contact", "LastName,Account:Account.Ext__c\nx,y").endswith(
        ": Account:Account.Ext__c"
    )


def test_update_keeps_what_is_empty_and_clears_what_is_marked(wire: Wire) -> None:
    (contact,) = wire.org.insert("Contact", [{"LastName": "A", "FirstName": "F", "Title": "T", "Phone": "1"}])
    assert errors(wire, "update", "Contact", f"id,FirstName,Title,Phone\n{contact},,#N/A,2\n") == [""]
    record = wire.org.records("Contact")[0]
    assert (record["FirstName"], record["Title"], record["Phone"], record["Name"]) == ("F", None, "2", "F A")


def test_update_refuses_what_is_not_there(wire: Wire) -> None:
    (contact,) = wire.org.insert("Contact", [{"LastName": "A"}])
    wire.load("delete", "Contact", f"Id\n{contact}\n")
    body = f"Id,LastName\n,x\nbad,x\n003000000000001AAA,x\n{contact},x\n"
    assert errors(wire, "update", "Contact", body) == [
        "MISSING_ARGUMENT:Id not specified in an update call:--",
        "MALFORMED_ID:ID: id value of incorrect type: bad:Id --",
        "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
        "ENTITY_IS_DELETED:entity is deleted:--",
    ]
    assert errors(wire, "update", "Contact", "LastName\nx\n") == [
        "MISSING_ARGUMENT:Id not specified in an update call:--"
    ]


def test_required_field_cannot_be_cleared(wire: Wire) -> None:
    (contact,) = wire.org.insert("Contact", [{"LastName": "A"}])
    assert "REQUIRED_FIELD_MISSING" in errors(wire, "update", "Contact", f"Id,LastName\n{contact},#N/A\n")[0]


def test_record_named_twice_is_changed_twice_in_order(wire: Wire) -> None:
    (contact,) = wire.org.insert("Contact", [{"LastName": "A"}])
    wire.load("update", "Contact", f"Id,LastName,Title\n{contact},B,T\n{contact[:15]},C,\n")
    record = wire.org.records("Contact")[0]
    assert (record["LastName"], record["Title"]) == ("C", "T")


def test_upsert_inserts_and_updates_by_its_key(wire: Wire) -> None:
    wire.org.insert("Account", [{"Name": "Old", "Ext__c": "k1"}])
    outcome = rows(
        wire.load("upsert", "Account", "Ext__c,Name\nK1,New\nk2,Other\nk2,Again\n,None\n", externalIdFieldName="Ext__c")
    )
    assert [row[1:3] for row in outcome] == [
        ["true", "false"],
        ["true", "true"],
        ["false", "false"],
        ["false", "false"],
    ]
    assert outcome[2][3] == "DUPLICATE_VALUE:Duplicate external id specified: k2:Ext__c --"
    assert outcome[3][3] == "MISSING_ARGUMENT:Ext__c not specified:--"
    assert sorted(record["Name"] for record in wire.org.records("Account")) == ["New", "Other"]


def test_upsert_by_id_inserts_where_it_is_empty(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "Old"}])
    outcome = rows(
        wire.load("upsert", "Account", f'"Name","Id"\n"New",""\n"Changed","{account}"\n', externalIdFieldName="Id")
    )
    assert [row[2] for row in outcome] == ["true", "false"]


def test_upsert_with_a_key_of_two_records_is_refused(wire: Wire) -> None:
    wire.org.insert("Contact", [{"LastName": "A", "Email": "x@y.z"}, {"LastName": "B", "Email": "X@y.z"}])
    assert (
        "DUPLICATE_EXTERNAL_ID"
        in errors(wire, "upsert", "Contact", "Email,LastName\nx@y.z,C\n", externalIdFieldName="Email")[0]
    )


def test_delete_is_soft_and_takes_children_along(wire: Wire) -> None:
    account, other = wire.org.insert("Account", [{"Name": "A"}, {"Name": "B"}])
    wire.org.insert("Contact", [{"LastName": "C", "AccountId": account}, {"LastName": "D", "AccountId": other}])
    wire.org.insert("Part__c", [{"Account__c": account}])
    assert errors(wire, "delete", "Account", f"Id\n{account}\n{account}\n") == [
        "",
        "ENTITY_IS_DELETED:entity is deleted:--",
    ]
    assert [record["LastName"] for record in wire.org.records("Contact")] == ["D"]
    assert wire.org.count("Part__c") == 0
    assert wire.org.count("Account", include_deleted=True) == 2
    assert len(rows(wire.query("SELECT Id FROM Account"))) == 1
    assert len(rows(wire.query("SELECT Id FROM Account", operation="queryAll"))) == 2


def test_hard_delete_leaves_nothing(wire: Wire) -> None:
    (account,) = wire.org.insert("Account", [{"Name": "A"}])
    assert errors(wire, "hardDelete", "Account", f"Id\n{account}\n") == [""]
    assert wire.org.count("Account", include_deleted=True) == 0


def test_defaults_numbers_and_formulas_fill_themselves(wire: Wire) -> None:
    wire.load("insert", "Part__c", "Name,Price__c\nA,1.234\n,2\n")
    first, second = wire.org.records("Part__c")
    assert (first["Serial__c"], second["Serial__c"]) == ("00001001", "00001002")
    assert (first["Price__c"], first["Twice__c"]) == (1.23, 2.46)
    assert second["Name"] == second["Id"][:15]
    assert first["OwnerId"] == first["CreatedById"] == wire.org.state.sessions.user_id


def test_json_value_of_a_wrong_type_fails_the_batch_unless_told_otherwise() -> None:
    body = '[{"LastName":"A","Birthdate":"2020-01-01T10:00:00"},{"LastName":"B"}]'
    for settings, state in ((Settings(), "Failed"), (Settings(json_type_error="row error"), "Completed")):
        with Emulator(settings=settings) as org:
            wire = Wire(org)
            batch = wire.run(wire.create("insert", "Contact", "JSON"), body, "application/json")
            assert batch.json["state"] == state
            assert org.count("Contact") == (0 if state == "Failed" else 1)


def test_json_and_xml_references_and_nulls(wire: Wire) -> None:
    wire.org.insert("Account", [{"Name": "A", "Ext__c": "k"}])
    (contact,) = wire.org.insert("Contact", [{"LastName": "C", "Title": "T", "Phone": "1"}])
    job = wire.create("update", "Contact", "JSON")
    wire.run(
        job, f'[{{"Id":"{contact}","Title":null,"DoNotCall":true,"Account":{{"Ext__c":"k"}}}}]', "application/json"
    )
    record = wire.org.records("Contact")[0]
    assert (record["Title"], record["Phone"], record["DoNotCall"]) == (None, "1", True)
    assert record["AccountId"] is not None
    job = wire.create("insert", "Task", "XML")
    wire.org.insert("Lead", [{"LastName": "L", "Company": "C", "Email": "l@x.org"}])
    body = (
        '<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<sObject><Subject>S</Subject><Description xsi:nil="true"/>'
        "<Who><sObject><type>Lead</type><Email>l@x.org</Email></sObject></Who></sObject></sObjects>"
    )
    assert wire.run(job, body, "application/xml").element("numberRecordsFailed") == "0"
    assert wire.org.records("Task")[0]["WhoId"].startswith("00Q")


@pytest.mark.parametrize(
    ("content_type", "media", "body"),
    [
        ("JSON", "application/json", "{}"),
        ("JSON", "application/json", "[1]"),
        ("JSON", "application/json", "[]"),
        ("JSON", "application/json", '[{"LastName":'),
        ("XML", "application/xml", "<sObjects><sObject></sObjects>"),
        ("XML", "application/xml", "<other/>"),
        (
            "XML",
            "application/xml",
            '<!DOCTYPE a [<!ENTITY x "y">]><sObjects><sObject><LastName>&x;</LastName></sObject></sObjects>',
        ),
        ("XML", "application/xml", "<sObjects/>"),
    ],
)
def test_unreadable_documents_fail_their_batch(wire: Wire, content_type: str, media: str, body: str) -> None:
    batch = wire.run(wire.create("insert", "Contact", content_type), body, media)
    assert batch.element("state") == "Failed"
    assert batch.element("stateMessage").startswith("InvalidBatch : ")


def test_too_many_records_fail_the_batch_in_every_format(wire: Wire) -> None:
    job = wire.create("insert", "Contact", "JSON")
    many = "[" + ",".join(['{"LastName":"x"}'] * 10_001) + "]"
    assert wire.run(job, many, "application/json").json["state"] == "Failed"
    job = wire.create("insert", "Contact", "XML")
    many = "<sObjects>" + "<sObject><LastName>x</LastName></sObject>" * 10_001 + "</sObjects>"
    assert wire.run(job, many, "application/xml").element("state") == "Failed"


def test_parent_that_is_null_everywhere_tells_nothing(wire: Wire) -> None:
    job = wire.create("insert", "Account", "JSON")
    assert wire.run(job, '[{"Name":"x","Parent":null}]', "application/json").json["numberRecordsFailed"] == 0
    assert wire.run(job, '[{"Name":["x"]}]', "application/json").json["state"] == "Failed"


def test_nul_is_data_and_never_spoils_a_document(wire: Wire) -> None:
    assert errors(wire, "insert", "Account", "Name\na\0b\n") == [""]
    assert wire.query("SELECT Name FROM Account").body == b'"Name"\n"a\0b"\n'
    assert wire.query("SELECT Name FROM Account", "JSON").json[0]["Name"] == "a\0b"
    assert "<Name>ab</Name>" in wire.query("SELECT Name FROM Account", "XML").text
    assert wire.failure("insert", "Account", "Na\0me\nx\n") == "InvalidBatch : Field name not found : Name"


def test_record_that_others_hold_is_not_deleted(wire: Wire) -> None:
    org = wire.org
    held, free, above = org.insert("Account", [{"Name": "held"}, {"Name": "free"}, {"Name": "above"}])
    (contact,) = org.insert("Contact", [{"LastName": "x", "AccountId": above}])
    first, second = org.insert("Case", [{"Subject": "a", "AccountId": held}, {"Subject": "b", "ContactId": contact}])
    text = (
        "DELETE_FAILED:Your attempt to delete this record could not be completed because it is associated with the "
        "following cases: {}:--"
    )
    # The account above goes with its contact, and that is held: nothing of it goes.
    assert errors(wire, "delete", "Account", f"Id\n{held}\n{free}\n{above}\n") == [
        text.format(first),
        "",
        text.format(second),
    ]
    assert [record["Name"] for record in org.records("Account")] == ["held", "above"]
    assert org.count("Contact") == 1
    org.state.delete("Case", [first, second])
    assert errors(wire, "delete", "Account", f"Id\n{held}\n{above}\n") == ["", ""]
    assert org.count("Contact") == 0


CALCULATED = [
    ("Contact", "Name", "LastName,Name\na,b\nc,\n", "LastName"),
    ("Case", "IsClosed", "Subject,IsClosed\na,true\nc,\n", "Subject"),
    ("Opportunity", "ExpectedRevenue", ("Name,StageName,CloseDate,ExpectedRevenue\na,Closed Won,2026-01-01,5\nc,Closed "
"Won,2026-01-01,\n"), "Name"),
    ("Opportunity", "IsWon", "Name,StageName,CloseDate,IsWon\na,Closed Won,2026-01-01,1\nc,Closed Won,2026-01-01,\n", "Name"),
    ("Account", "SystemModstamp", "Name,SystemModstamp\na,2020-01-01T00:00:00Z\nc,\n", "Name"),
    ("Case", "CaseNumber", "Subject,CaseNumber\na,00000001\nc,\n", "Subject"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sobject", "field", "body", "kept"), CALCULATED, ids=lambda value: value if value.isalnum() else ""
)
def test_field_that_the_org_fills_in_is_an_error_of_the_row_that_has_a_value_for_it(
    wire: Wire, sobject: str, field: str, body: str, kept: str
) -> None:
    inserted = rows(wire.load("insert", sobject, body))
    assert [row[3].partition(":")[0] for row in inserted] == ["INVALID_FIELD_FOR_INSERT_UPDATE", ""]
    assert inserted[0][3].endswith(f":{field} --")
    (record,) = wire.org.records(sobject)
    assert (record["LastName"] if sobject == "Contact" else record[kept]) == "c"
    assert record[field] is not None or field == "ExpectedRevenue"
    header, first, second = body.splitlines()
    changes = f"Id,{header}\n{record['Id']},{first}\n{record['Id']},{second}\n"
    for operation, more in (("update", {}), ("upsert", {"externalIdFieldName": "Id"})):
        changed = rows(wire.load(operation, sobject, changes, **more))
        assert [row[3].partition(":")[0] for row in changed] == ["INVALID_FIELD_FOR_INSERT_UPDATE", ""]


def test_number_of_a_record_goes_on_where_its_column_is_empty(wire: Wire) -> None:
    for _ in range(2):
        wire.load("insert", "Case", "Subject,CaseNumber\na,\nb,\n")
    numbers = [record["CaseNumber"] for record in wire.org.records("Case")]
    assert numbers == ["00001001", "00001002", "00001003", "00001004"]
