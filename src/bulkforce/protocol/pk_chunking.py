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
        size: Width of an id range (not a number of records); at most 250,000, by default the org's 100,000.
        parent: Parent object for a query of a share or history table, e.g. ``Account`` for ``AccountShare``.
        start_row: Lower bound of the first range, a record id of 15 or 18 characters; use it to continue from there.
    """

    size: int | None = None
    parent: str | None = None
    start_row: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= arguments.count(self.size, "A PK chunk size") <= limits.CHUNK_SIZE:
            raise UsageError(f"A PK chunk size must be 1 to {limits.CHUNK_SIZE:,}, not {arguments.shown(self.size)}")
        for name in (self.parent, self.start_row):
            if name is not None and not re.fullmatch(r"\w*", arguments.text(name, "A parent or start_row"), re.ASCII):
                raise UsageError("The parent of a PKChunking must be the name of an object, its start_row a record id")

    def header(self) -> str:
        """Write the value of ``Sforce-Enable-PKChunking``."""
        parts = {"chunkSize": self.size, "parent": self.parent, "startRow": self.start_row}
        return "; ".join(f"{name}={value}" for name, value in parts.items() if value is not None) or "TRUE"

    @classmethod
    def of_header(cls, text: str) -> PKChunking:
        """Read back what `header` or a user wrote; ``TRUE`` leaves everything to the org.

        Raises:
            ValueError: The size is not a number.
        """
        words = dict(part.strip().partition("=")[::2] for part in text.split(";"))
        size = words.get("chunkSize")
        return cls(int(size) if size else None, words.get("parent"), words.get("startRow"))
