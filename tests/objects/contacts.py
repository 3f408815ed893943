"""A small org: what describe says of contacts and their parents."""

from __future__ import annotations

from typing import Any

from bulkforce.protocol.rest import FieldDescription, PicklistValue, SObjectDescription


def field(name: str, type: str = "string", **more: Any) -> FieldDescription:  # noqa: A002
    label = more.pop("label", name)
    return FieldDescription(name=name, type=type, label=label, **more)


def reference(name: str, *parents: str, **more: Any) -> FieldDescription:
    relationship = name.removesuffix("Id") if name.endswith("Id") else name.replace("__c", "__r")
    return field(name, "reference", reference_to=parents, relationship_name=relationship, length=18, **more)


def fixed(name: str, type: str = "string", **more: Any) -> FieldDescription:  # noqa: A002
    return field(name, type, createable=False, updateable=False, **more)


def picklist(name: str, *values: str, type: str = "picklist", **more: Any) -> FieldDescription:  # noqa: A002
    listed = tuple(PicklistValue(value, value) for value in values)
    return field(name, type, picklist_values=listed, restricted_picklist=True, **more)


CONTACT = SObjectDescription(
    "Contact",
    (
        fixed("Id", "id", nillable=False, defaulted_on_create=True, id_lookup=True, length=18),
        fixed("Name", label="Full Name"),
        field("FirstName", label="First Name", compound_field_name="Name", length=40),
        field("LastName", label="Last Name", compound_field_name="Name", nillable=False, length=80),
        field("Email", "email", length=80, id_lookup=True),
        field("Birthdate", "date"),
        field("Seen__c", "datetime", label="Last seen"),
        field("Wakes__c", "time"),
        field("Amount__c", "currency", precision=18, scale=2),
        field("Count__c", "int", digits=8),
        field("Big__c", "long"),
        field("Active__c", "boolean", nillable=False),
        picklist("Level__c", "Primary", "Secondary", "Tertiary", "Gold, old"),
        picklist("Tags__c", "red", "green", "blue", type="multipicklist", length=4099),
        field("Ext__c", label="Key", external_id=True, id_lookup=True, length=20),
        field("acme__Region__c", label="Sales Region", length=20),
        field("Notes__c", "textarea", length=32_768),
        reference("AccountId", "Account", label="Account ID"),
        reference("Mentor__c", "Contact"),
        reference("WhoId", "Contact", "Lead", polymorphic_foreign_key=True),
        reference("OwnerId", "User", nillable=False, defaulted_on_create=True),
        reference("Master__c", "Account", updateable=False),
        fixed("CreatedDate", "datetime", label="Created Date", nillable=False, defaulted_on_create=True),
        fixed("Score__c", "double", calculated=True),
        fixed("Number__c", auto_number=True, external_id=True),
        fixed("MailingAddress", "address"),
        field("MailingCity", compound_field_name="MailingAddress", length=40),
        fixed("Secret__c"),
        field("LateOnly__c", createable=False),
    ),
    "Contact",
    "003",
)
PARENTS = {
    "Contact": CONTACT,
    "Account": SObjectDescription(
        "Account", (fixed("Id", "id"), field("Name"), field("Ext__c", external_id=True, length=12)), "Account", "001"
    ),
    "Lead": SObjectDescription("Lead", (fixed("Id", "id"), field("Email", "email", id_lookup=True)), "Lead", "00Q"),
    "User": SObjectDescription("User", (fixed("Id", "id"), field("Username", id_lookup=True)), "User", "005"),
    "Group": SObjectDescription("Group", (fixed("Id", "id"), field("Name")), "Group", "00G"),
}
