"""Refusals of the Bulk API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from bulkforce_emulator.words import Text


class ApiError(Exception):
    """A refusal: `exceptionCode`, `exceptionMessage` and a status, which is 400 wherever there is evidence."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code} : {message}")
        self.code = code
        self.message = message
        self.status = status

    @classmethod
    def of(cls, text: Text, *, status: int = 400, **facts: object) -> Self:
        """The refusal with this text."""
        return cls(text.code, text.said(**facts), status)
