"""Names of child relationships: `Contacts` of an Account, `Lines__r` of a custom parent.

Where a field does not give a name, it follows the platform's custom: the child's plural label without spaces, with
`__r` after it for custom references, and `Child` before it for a reference to the same object. A second reference from
the same child has no name unless it is given one.
"""

from bulkforce_emulator.schema import ChildRelationship, Schema, SObject

# References that every object has; the platform gives them no name on the parent's side.
_UNNAMED = frozenset(("CreatedById", "LastModifiedById", "OwnerId", "MasterRecordId", "ManagerId"))


def named_children(schema: Schema, parent: SObject) -> dict[str, ChildRelationship]:
    """The child relationships of an object by their names."""
    found: dict[str, ChildRelationship] = {}
    for relationship in parent.child_relationships:
        child = schema.sobjects[relationship.child_sobject]
        reference = child.fields[relationship.field]
        if reference.child_relationship_name:
            found[reference.child_relationship_name] = relationship
            continue
        if relationship.field in _UNNAMED or not reference.createable:
            continue
        name = child.label_plural.replace(" ", "")
        if child.name == parent.name and not reference.custom:
            name = f"Child{name}"
        found.setdefault(f"{name}__r" if reference.custom else name, relationship)
    return found


def find_child(schema: Schema, parent: SObject, name: str) -> tuple[str, SObject, str] | None:
    """The proper name, the child and its reference field of a child relationship, in any letter case."""
    for proper, relationship in named_children(schema, parent).items():
        if proper.lower() == name.lower():
            return proper, schema.sobjects[relationship.child_sobject], relationship.field
    return None
