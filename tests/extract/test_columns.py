"""Columns: what describe tells is found behind each name, parents by their path."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bulkforce.extract.arrow_types import schema_of, type_of, wider
from bulkforce.extract.columns import Column, columns_of
from bulkforce.protocol.rest import FieldDescription, SObjectDescription


def field(name: str, type: str = "string", *parents: str, **more: object) -> FieldDescription:  # noqa: A002
    relationship = (name.removesuffix("Id") if name.endswith("Id") else name.replace("__c", "__r")) if parents else None
    return FieldDescription(name=name, type=type, relationship_name=relationship, reference_to=parents, **more)  # type: ignore[arg-type]


ORG = {
    "Contact": [
        field("Id", "id"),
        field("Birthdate", "date"),
        field("AccountId", "reference", "Account"),
        field("Boss__c", "reference", "Contact"),
        field("OwnerId", "reference", "Group", "User"),
        field("Hidden__c", "reference", "Hidden__c"),
    ],
    "Account": [
        field("Name"),
        field("AnnualRevenue", "currency", precision=18, scale=2),
        field("Ratio__c", "percent", precision=5, scale=1, calculated=True),
        field("ParentId", "reference", "Account"),
    ],
}


class Org:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def describe(self, name: str) -> SObjectDescription | None:
        self.asked.append(name)
        return SObjectDescription(name, tuple(ORG[name])) if name in ORG else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Id", Column("Id", "id")),
        ("birthdate", Column("birthdate", "date")),
        ("Account.AnnualRevenue", Column("Account.AnnualRevenue", "currency", 18, 2)),
        ("Account.Parent.Ratio__c", Column("Account.Parent.Ratio__c", "percent", 5, 1, calculated=True)),
        ("Boss__r.Boss__r.Account.Name", Column("Boss__r.Boss__r.Account.Name", "string")),
        ("Contact.Birthdate", Column("Contact.Birthdate", "date")),
        ("c.Birthdate", Column("c.Birthdate", "date")),
        ("c.Account.Name", Column("c.Account.Name", "string")),
        ("Owner.Name", Column("Owner.Name")),
        ("Owner.IsActive", Column("Owner.IsActive", "boolean")),
        ("Owner.Profile.Name", Column("Owner.Profile.Name")),
        ("Hidden__r.Name", Column("Hidden__r.Name")),
        ("Nothing__c", Column("Nothing__c")),
        ("Nothing__r.Nothing__r.Name", Column("Nothing__r.Nothing__r.Name")),
        ("AccountId.Name", Column("AccountId.Name")),
        ("toLabel(Status)", Column("toLabel(Status)")),
    ],
)
def test_columns_are_found(name: str, expected: Column) -> None:
    assert columns_of([name], "Contact", Org().describe) == [expected]


def test_each_object_is_asked_for_once() -> None:
    org = Org()
    columns_of(["Id", "Account.Name", "Account.Parent.Name", "Hidden__r.A", "Hidden__r.B"], "Contact", org.describe)
    assert org.asked == ["Contact", "Account", "Hidden__c"]


def test_an_object_that_cannot_be_described_is_all_text() -> None:
    assert columns_of(["Id", "Account.Name"], "Secret__c", Org().describe) == [Column("Id"), Column("Account.Name")]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("A"), pa.string()),
        (Column("A", "reference"), pa.string()),
        (Column("A", "multipicklist"), pa.string()),
        (Column("A", "long"), pa.int64()),
        (Column("A", "currency"), pa.float64()),
        (Column("A", "currency", 38, 10), pa.float64()),
        (Column("A", "percent", 16, 2), pa.decimal128(16, 2)),
    ],
)
def test_types(column: Column, expected: pa.DataType) -> None:
    assert type_of(column) == expected
    assert schema_of([column]) == pa.schema([("A", expected)])


def test_every_type_widens_to_text_in_the_end() -> None:
    for told in ("boolean", "int", "currency", "percent", "double", "date", "datetime", "time"):
        stored, steps = type_of(Column("A", told, 18, 2)), 0
        while (wide := wider(stored)) is not None:
            stored, steps = wide, steps + 1
        assert stored == pa.string()
        assert steps <= 3
