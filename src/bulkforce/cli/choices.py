"""The values that options of the command line accept."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """The operation of a load."""

    insert = "insert"
    update = "update"
    upsert = "upsert"
    delete = "delete"
    hardDelete = "hardDelete"  # noqa: N815  (the protocol's spelling)


class AcceptAs(StrEnum):
    """How a user may settle rows in doubt."""

    sent = "sent"
    not_sent = "not-sent"


class OnUnknownColumn(StrEnum):
    """What to do about columns that cannot be sent."""

    refuse = "refuse"
    drop = "drop"


class Values(StrEnum):
    """What to do about values that the org would refuse."""

    warn = "warn"
    refuse = "refuse"
    skip = "skip"
