"""What an error and everything chained to it hold, for the promise that no error holds a record's value."""

from __future__ import annotations

from collections.abc import Iterator


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Give an error, its causes and the errors it was raised amid, and those of a group."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or any(one is known for known in seen):
            continue
        seen.append(one)
        yield one
        left += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]


def held_by(error: BaseException) -> str:
    """Write down all that can be read off an error and its chain: texts, arguments, notes and attributes."""
    held = []
    for one in chain_of(error):
        # Those of built-in kinds (`UnicodeDecodeError.object`, `JSONDecodeError.doc`) stand in no __dict__.
        names = [
            name
            for name in dir(one)
            if not name.startswith("__") and name not in {"with_traceback", "add_note", "exceptions", "report"}
        ]
        values = [getattr(one, name, None) for name in names]
        held += [
            type(one).__name__,
            str(one),
            repr(one.args),
            *(repr(value) for value in values if not callable(value)),
        ]
    return "\n".join(held)
