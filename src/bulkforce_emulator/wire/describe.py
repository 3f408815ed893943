"""`/sobjects` and `/sobjects/{X}/describe`: the schema in the REST API's words.

Foreign clients build their types from these documents, so every attribute that describe has is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.soql.children import named_children

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field, Schema, SObject

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "long": "xsd:long",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
    "anyType": "xsd:anyType",
}
_NUMBERS = frozenset(("double", "currency", "percent"))
_NO_LENGTH = frozenset(("boolean", "int", "long", "double", "currency", "percent", "date", "datetime", "time"))
_COMPOUND = frozenset(("address", "location"))
_UNFILTERABLE = frozenset((*_COMPOUND, "base64", "encryptedstring"))
_PICKLISTS = frozenset(("picklist", "multipicklist", "combobox"))
_ALWAYS_THERE = frozenset(("Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"))
_NAME_FIELDS = {"Case": "CaseNumber", "Task": "Subject", "Event": "Subject", "ContentVersion": "Title"}
# Objects of the org itself: their records can be read through the API, but not created.
_MASTER_ID = "012000000000000AAA"
_READ_ONLY = frozenset(("Organization", "Profile", "UserRole", "RecordType", "Group"))
# Objects whose records cannot be deleted: users are only deactivated.
_UNDELETABLE = frozenset((*_READ_ONLY, "User"))


def global_description(sobject: SObject, data_path: str) -> dict[str, Any]:
    """An object's entry in the list of objects."""
    resource = f"{data_path}/sobjects/{sobject.name}"
    writable, deletable = sobject.name not in _READ_ONLY, sobject.name not in _UNDELETABLE
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": writable,
        "custom": sobject.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.key_prefix,
        "label": sobject.label,
        "labelPlural": sobject.label_plural,
        "layoutable": True,
        "mergeable": sobject.name in ("Account", "Contact", "Lead", "Case"),
        "mruEnabled": True,
        "name": sobject.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": deletable,
        "updateable": writable,
        "urls": {
            "rowTemplate": f"{resource}/{{ID}}",
            "describe": f"{resource}/describe",
            "sobject": resource,
        },
    }


def description(schema: Schema, sobject: SObject, data_path: str) -> dict[str, Any]:
    """The full description of one object."""
    names = {(r.child_sobject, r.field): name for name, r in named_children(schema, sobject).items()}
    return global_description(sobject, data_path) | {
        "actionOverrides": [],
        "childRelationships": [
            {
                "cascadeDelete": child.cascade_delete,
                "childSObject": child.child_sobject,
                "deprecatedAndHidden": False,
                "field": child.field,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": names.get((child.child_sobject, child.field)),
                "restrictedDelete": child.restricted_delete,
            }
            for child in sobject.child_relationships
        ],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [_field(sobject, field) for field in sobject.fields.values()],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(sobject, data_path),
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {sobject.label_plural.lower()}", "name": "everything"},
            {"label": f"My {sobject.label_plural.lower()}", "name": "mine"},
        ],
    }


def _record_types(sobject: SObject, data_path: str) -> list[dict[str, Any]]:
    """The record types, and Master, which every object has."""
    kinds = sobject.rules.record_types
    master = ("Master", "Master", _MASTER_ID, True, True, not any(one.default for one in kinds))
    told = [(one.label, one.developer_name, one.id, one.active, one.available, one.default) for one in kinds]
    return [
        {
            "active": active,
            "available": available,
            "defaultRecordTypeMapping": default,
            "developerName": developer_name,
            "master": record_type_id == _MASTER_ID,
            "name": label,
            "recordTypeId": record_type_id,
            "urls": {"layout": f"{data_path}/sobjects/{sobject.name}/describe/layouts/{record_type_id}"},
        }
        for label, developer_name, record_type_id, active, available, default in [*told, master]
    ]


def _field(sobject: SObject, field: Field) -> dict[str, Any]:
    long_text = field.type == "textarea" and field.length > 255
    filterable = field.type not in _UNFILTERABLE and not long_text
    calculated = field.calculated or (field.formula is not None and field.custom)
    return {
        "aggregatable": filterable and field.type not in ("boolean", "multipicklist"),
        "aiPredictionField": False,
        "autoNumber": field.auto_number,
        "byteLength": _byte_length(field),
        "calculated": calculated,
        "calculatedFormula": field.formula if calculated else None,
        "cascadeDelete": field.cascade_delete,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound_field_name,
        "controllerName": None,
        "createable": field.createable,
        "custom": field.custom,
        "defaultValue": field.default
        if field.default is not None and field.type != "reference"
        else (False if field.type == "boolean" else None),
        "defaultValueFormula": None,
        "defaultedOnCreate": field.defaulted_on_create or field.type == "boolean",
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": (field.precision or 9) if field.type == "int" else 0,
        "displayLocationInDecimal": field.type == "location",
        "encrypted": field.type == "encryptedstring",
        "externalId": field.external_id,
        "extraTypeInfo": _extra_type(field),
        "filterable": filterable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": filterable and field.type not in (*_NUMBERS, "datetime", "multipicklist") and not calculated,
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": field.indexed,
        "inlineHelpText": None,
        "label": field.label,
        "length": 0 if field.type in _NO_LENGTH else field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name == _name_field(sobject),
        "namePointing": field.polymorphic,
        "nillable": field.nillable and field.type not in ("boolean", "id"),
        "permissionable": field.nillable and field.name not in _ALWAYS_THERE and field.compound_field_name is None,
        "picklistValues": _picklist(field),
        "polymorphicForeignKey": field.polymorphic,
        "precision": field.precision if field.type in _NUMBERS else 0,
        "queryByDistance": field.type in _COMPOUND,
        "referenceTargetField": None,
        "referenceTo": list(field.reference_to),
        "relationshipName": field.relationship_name,
        "relationshipOrder": 0 if field.cascade_delete and field.custom else None,
        "restrictedDelete": field.restricted_delete,
        "restrictedPicklist": field.restricted,
        "scale": field.scale if field.type in _NUMBERS else 0,
        "searchPrefilterable": field.type == "reference",
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "sortable": filterable and field.type != "multipicklist",
        "type": field.type,
        "unique": field.unique,
        "updateable": field.updateable,
        "writeRequiresMasterRead": False,
    }


def _byte_length(field: Field) -> int:
    """Three bytes a character, which is what the platform counts."""
    if field.type in ("id", "reference"):
        return 18
    return 0 if field.type in _NO_LENGTH else field.length * 3


def _extra_type(field: Field) -> str | None:
    if field.type == "textarea":
        return "plaintextarea"
    return "personname" if field.compound_field_name == "Name" else None


def _picklist(field: Field) -> list[dict[str, Any]]:
    if field.type not in _PICKLISTS:
        return []
    return [
        {"active": True, "defaultValue": value == field.default, "label": value, "validFor": None, "value": value}
        for value in field.picklist
    ]


def _name_field(sobject: SObject) -> str | None:
    name = _NAME_FIELDS.get(sobject.name, "Name")
    return name if name in sobject.fields else None
