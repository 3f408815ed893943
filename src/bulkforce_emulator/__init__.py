"""A Salesforce org for tests: the Bulk API and what clients need around it, on loopback.

    with Emulator() as org:
        ...  # org.base_url, org.session_id, org.records("Contact")

It imports nothing from `bulkforce`; both are held to `conformance/`. Names are imported when they are first used:
pytest loads the plugin in this package at every start, and must not wait for a database.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkforce_emulator.emulator import Emulator, SeedError
    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.mishaps import Mishap
    from bulkforce_emulator.rules import Record
    from bulkforce_emulator.schema_files import SchemaError, load_schema
    from bulkforce_emulator.server.strangers import HostError
    from bulkforce_emulator.settings import Limits, Settings
    from bulkforce_emulator.settings_files import SettingsError
    from bulkforce_emulator.state.ledger import LedgerRow
    from bulkforce_emulator.state.lifecycle import Pace
    from bulkforce_emulator.state.store import StoreError

_HOMES = {
    "Emulator": "emulator",
    "Fault": "faults",
    "HostError": "server.strangers",
    "LedgerRow": "state.ledger",
    "Limits": "settings",
    "Mishap": "mishaps",
    "Pace": "state.lifecycle",
    "Record": "rules",
    "SchemaError": "schema_files",
    "SeedError": "emulator",
    "Settings": "settings",
    "SettingsError": "settings_files",
    "StoreError": "state.store",
    "load_schema": "schema_files",
}

__all__ = [
    "Emulator", "Fault", "HostError", "LedgerRow", "Limits", "Mishap", "Pace", "Record", "SchemaError", "SeedError",
    "Settings", "SettingsError", "StoreError", "load_schema",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
