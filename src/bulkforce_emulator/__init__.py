"""A Salesforce org for tests: the Bulk API and what clients need around it, on loopback.

    with Emulator() as org:
        ...  # org.base_url, org.session_id, org.records("Contact")

Imports nothing of `bulkforce`; both answer to the reference alone.
"""

from bulkforce_emulator.emulator import Emulator, SeedError
from bulkforce_emulator.faults import Fault
from bulkforce_emulator.ledger import LedgerRow
from bulkforce_emulator.lifecycle import Pace
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.schema_files import SchemaError, load_schema
from bulkforce_emulator.settings import Limits, Settings

__all__ = [
    "Emulator", "Fault", "LedgerRow", "Limits", "Mishap", "Pace", "SchemaError", "SeedError", "Settings", "load_schema",
]  # fmt: skip
