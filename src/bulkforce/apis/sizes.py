"""How large batches may be, by API: apart from the APIs, so that what compares both need not import both."""

from __future__ import annotations

from typing import Final

from bulkforce.apis.abc import Sizes
from bulkforce.protocol import limits

BULK1: Final = Sizes(limits.BATCH_RECORDS, limits.BATCH_BYTES, limits.BATCH_RECORDS, limits.BATCH_BYTES)
BULK2: Final = Sizes(most_records=1_000_000, most_bytes=limits.JOB2_BYTES, records=50_000, bytes=10_000_000)
"""By default, a piece has as many bytes as a batch of v1, since results are tied to its records in memory, and takes no
more calls. The org works in batches of 10,000 records anyway, and counts those: larger pieces gain next to nothing.
"""
