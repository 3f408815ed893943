"""What an error tells to whoever looks closely."""

from __future__ import annotations

import traceback


def everything_of(error: BaseException | None) -> str:
    """All that an error and those that it came from hold, but not the frames they went through."""
    told, known = "", set()
    while error is not None:
        assert error not in known, "an error is its own cause"
        known.add(error)
        told += (
            "".join(traceback.format_exception_only(error)) + repr(error.args) + repr(vars(error)) + repr(getattr(error, "__notes__", ""))
        )
        told += repr([getattr(error, name, None) for name in ("object", "doc", "partial", "line", "length")])
        error = error.__cause__ or error.__context__
    return told
