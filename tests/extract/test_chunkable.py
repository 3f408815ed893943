"""Which queries are split by record ids without being told."""

from __future__ import annotations

import pytest

from bulkforce.extract import chunkable
from bulkforce.protocol import soql


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("SELECT Id FROM Account", True),
        ("SELECT Id FROM account WHERE Name != 'x LIMIT 5'", True),
        ("SELECT Id FROM Invoice__c", True),
        ("SELECT Id FROM Account LIMIT 5", False),
        ("SELECT Id FROM Account ORDER BY Id", False),
        ("SELECT Id FROM Account USING SCOPE mine", False),
        ("SELECT COUNT(Id) FROM Account GROUP BY Name", False),
        ("SELECT Id FROM AccountShare", False),
        ("SELECT Id FROM Invoice__History", False),
        ("SELECT Id FROM Invoice__Share", False),
        ("SELECT Id FROM Invoice__x", False),
        ("SELECT Id FROM CustomPermission", False),
    ],
)
def test_query_is_split_where_the_guide_says_that_the_org_can(text: str, splits: bool) -> None:
    assert chunkable.is_chunkable(soql.read(text)) is splits


@pytest.mark.parametrize(
    ("clause", "whole"),
    [("", True), ("ORDER BY Id", True), ("LIMIT 5", False), ("LIMIT 5 OFFSET 5", False), ("OFFSET 5", False)],
)
def test_chunks_give_the_whole_unless_each_would_count_anew(clause: str, whole: bool) -> None:
    assert chunkable.is_whole(soql.read(f"SELECT Id FROM Account {clause}")) is whole


@pytest.mark.parametrize(
    ("name", "child"), [("AccountShare", True), ("Invoice__History", True), ("Account", False), ("History__c", False)]
)
def test_share_and_history_tables_are_split_by_their_parents(name: str, child: bool) -> None:
    assert chunkable.has_parent(soql.read(f"SELECT Id FROM {name}")) is child
