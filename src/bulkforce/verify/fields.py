"""The object that questions are tried on: its fields, and its definition for the Salesforce CLI and the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_METADATA: Final = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
_PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "Key__c": (
        "<type>Text</type><length>80</length><externalId>true</externalId><unique>true</unique>",
        "string(80) unique external_id",
    ),
    "Text__c": ("<type>Text</type><length>255</length>", "string(255)"),
    "Number__c": ("<type>Number</type><precision>18</precision><scale>4</scale>", "double(18,4)"),
    "Day__c": ("<type>Date</type>", "date"),
    "Moment__c": ("<type>DateTime</type>", "datetime"),
    "Flag__c": ("<type>Checkbox</type><defaultValue>false</defaultValue>", "boolean"),
    "Parent__c": (
        "<type>Lookup</type><referenceTo>{object}</referenceTo><relationshipName>Children</relationshipName>",
        "reference({object}) relationship=Parent__r",
    ),
}
"""By name: what it is in metadata, and in a schema of the emulator."""


def schema(name: str) -> dict[str, object]:
    """Describe the object for the emulator."""
    fields = {"Name": "string(80)"} | {field: text.format(object=name) for field, (_, text) in FIELDS.items()}
    return {name: {"fields": fields}}


def project(name: str) -> dict[str, str]:
    """Write the object, and a permission set for it, as files of a project of the Salesforce CLI, by path."""
    folder = f"force-app/main/default/objects/{name}"
    label = name.removesuffix("__c").replace("_", " ")
    files = {
        "sfdx-project.json": '{"packageDirectories": [{"path": "force-app", "default": true}]}\n',
        f"{folder}/{name}.object-meta.xml": (
            f"{_PROLOG}<CustomObject {_METADATA}><label>{label}</label><pluralLabel>{label}s</pluralLabel>"
            "<nameField><label>Name</label><type>Text</type></nameField><deploymentStatus>Deployed</deploymentStatus>"
            "<sharingModel>ReadWrite</sharingModel></CustomObject>\n"
        ),
    }
    for field, (definition, _) in FIELDS.items():
        text = definition.format(object=name)
        files[f"{folder}/fields/{field}.field-meta.xml"] = (
            f"{_PROLOG}<CustomField {_METADATA}><fullName>{field}</fullName><label>{field[:-3]}</label>{text}"
            "</CustomField>\n"
        )
    permissions = "".join(
        f"<fieldPermissions><field>{name}.{field}</field><readable>true</readable><editable>true</editable>"
        "</fieldPermissions>"
        for field in FIELDS
    )
    files["force-app/main/default/permissionsets/bulkforce_verify.permissionset-meta.xml"] = (
        f"{_PROLOG}<PermissionSet {_METADATA}><label>bulkforce verify</label>{permissions}<objectPermissions>"
        f"<object>{name}</object><allowRead>true</allowRead><allowCreate>true</allowCreate><allowEdit>true</allowEdit>"
        "<allowDelete>true</allowDelete></objectPermissions></PermissionSet>\n"
    )
    return files
