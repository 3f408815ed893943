"""How the org splits a query by ranges of record ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.protocol import limits


@dataclass(frozen=True, slots=True)
class PKChunking:
    """Ask the org to split a query by ranges of record ids.

    Attributes:
        size: Width of an id range (not a number of rows); at most 250,000, the org's default is 100,000.
        parent: Base object when a share or history table is queried, e.g. ``Account`` for ``AccountShare``.
        start_row: Lower bound of the first range, a record id of 15 or 18 characters, for going on from there.
    """

    size: int | None = None
    parent: str | None = None
    start_row: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= arguments.count(self.size, "A PK chunk size") <= limits.CHUNK_SIZE:
            raise UsageError(f"A PK chunk size is 1 to {limits.CHUNK_SIZE:,}, not {arguments.shown(self.size)}")
        for name in (self.parent, self.start_row):
            if name is not None and not re.fullmatch(r"\w*", arguments.text(name, "A parent or start_row"), re.ASCII):
                raise UsageError("The parent of a PK chunking is the name of an object, and its start_row a record id")

    def header(self) -> str:
        """Write the value of ``Sforce-Enable-PKChunking``."""
        parts = {"chunkSize": self.size, "parent": self.parent, "startRow": self.start_row}
        return "; ".join(f"{name}={value}" for name, value in parts.items() if value is not None) or "TRUE"

    @classmethod
    def of_header(cls, text: str) -> PKChunking:
        """Read back what `header` wrote, or a user wrote likewise; ``TRUE`` leaves all to the org.

        Raises:
            ValueError: The size is no number.
        """
        words = dict(part.strip().partition("=")[::2] for part in text.split(";"))
        size = words.get("chunkSize")
        return cls(int(size) if size else None, words.get("parent"), words.get("startRow"))
