"""Modules that are imported when they are first used: a short run is, for the most part, its imports.

::

    if TYPE_CHECKING:
        from bulkforce.protocol import bulk2
    else:
        bulk2 = later("bulkforce.protocol.bulk2")
"""

from __future__ import annotations

from importlib import import_module


class _Later:
    """Stands for a module; safe to use from many threads, which `importlib.util.LazyLoader` is only from 3.11.9 on."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._name), name)


def later(name: str) -> _Later:
    """Return what stands for a module until it is first used."""
    return _Later(name)
