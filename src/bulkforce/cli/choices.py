"""Words that options take, as the command line knows them."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What a load may do."""

    insert = "insert"
    update = "update"
    upsert = "upsert"
    delete = "delete"
    hardDelete = "hardDelete"  # noqa: N815  (the protocol's spelling)


class AcceptAs(StrEnum):
    """What a user may say of rows in doubt."""

    sent = "sent"
    not_sent = "not-sent"


class OnUnknownColumn(StrEnum):
    """What becomes of columns that cannot be sent."""

    refuse = "refuse"
    drop = "drop"


class Values(StrEnum):
    """What becomes of values that the org would refuse."""

    warn = "warn"
    refuse = "refuse"
    skip = "skip"
