"""Parts of the command line that need an extra to be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkforce.errors import MissingExtra

if TYPE_CHECKING:
    from bulkforce_emulator import Emulator


def emulator_class() -> type[Emulator]:
    """Import the emulator.

    Raises:
        MissingExtra: A library of the extra ``emulator`` is not installed.
    """
    try:
        from bulkforce_emulator import Emulator
    except ModuleNotFoundError as error:
        raise MissingExtra("emulator", "An emulated org") from error
    return Emulator
