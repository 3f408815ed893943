"""Refusals of the Bulk API, as values (section 7 of the reference)."""

from __future__ import annotations


class ApiError(Exception):
    """An answer that says no: `exceptionCode`, `exceptionMessage` and a status, 400 wherever evidence exists."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code} : {message}")
        self.code = code
        self.message = message
        self.status = status
