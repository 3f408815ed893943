"""Which records a user may see and change: their own, and those that a share record gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bulkforce_emulator.schema import SObject


class Share(NamedTuple):
    """A share object: its name, the field that names the shared record, and the one with the access it grants."""

    name: str
    parent: str
    level: str


def share_of(sobject: str) -> Share:
    """The object whose records share those of another."""
    if sobject.endswith("__c"):
        return Share(f"{sobject[:-1]}Share", "ParentId", "AccessLevel")
    return Share(f"{sobject}Share", f"{sobject}Id", f"{sobject}AccessLevel")


def may_see(sobject: SObject, table: str, user_id: str) -> str:
    """The condition, in SQL, that the user may see a record of a table."""
    return _own_or_shared(sobject, table, user_id, "")


def may_edit(sobject: SObject, table: str, user_id: str) -> str:
    """The condition, in SQL, that the user may change a record of a table."""
    level = f""" AND g."{share_of(sobject.name).level}" IN ('Edit', 'All')"""
    return _own_or_shared(sobject, table, user_id, level)


def _own_or_shared(sobject: SObject, table: str, user_id: str, level: str) -> str:
    share = share_of(sobject.name)
    user = "'" + user_id.replace("'", "''") + "'"
    return (
        f'({table}."OwnerId" = {user} OR {table}."Id" IN (SELECT g."{share.parent}" FROM "{share.name}" g '  # noqa: S608 - names of the schema
        f'WHERE g."UserOrGroupId" = {user} AND NOT g."IsDeleted"{level}))'
    )
