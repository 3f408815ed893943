"""All limits and defaults of the org, in one place.

Sources: "Limits and Allocations Quick Reference", edition 67.0, and the Bulk API chapters of the developer guide
(edition of 2026), unless said otherwise. Looked up 2026-11.
"""

from __future__ import annotations

from typing import Final

BATCH_RECORDS: Final = 10_000
# Documented as 10 MB; the server's refusal says "Exceeded max size limit of 10000000" (seen in public issues).
BATCH_BYTES: Final = 10_000_000
BATCH_CHARACTERS: Final = 10_000_000
RECORD_CHARACTERS: Final = 400_000
RECORD_FIELDS: Final = 5_000
FIELD_CHARACTERS: Final = 131_072
JOB_OPEN_HOURS: Final = 24
# How long to wait by default: no job stays open longer.
DAY_SECONDS: Final = 86_400.0
RETENTION_DAYS: Final = 7
CHUNK_SIZE: Final = 250_000
CHUNK_SIZE_DEFAULT: Final = 100_000
# 2.0: a job holds 150 MB after base64, which makes data about a half larger; the guide's advice is 100 MB.
JOB2_BYTES: Final = 100_000_000
JOB2_MULTIPART_CHARACTERS: Final = 100_000
JOB2_BATCH_RECORDS: Final = 10_000
JOB2_LIST_JOBS: Final = 1_000
SPEC_CHARACTERS: Final = 8_192
ZIP_BYTES: Final = 10_000_000
ZIP_UNPACKED_BYTES: Final = 20_000_000
ZIP_FILES: Final = 1_000
ZIP_NAME_BYTES: Final = 512

LOGIN_URL: Final = "https://login.salesforce.com"
# The newest version whose Bulk API chapters this library follows.
API_VERSION: Final = "66.0"
# SOAP login() is not available from 65.0 on (help: SOAP login() retirement, April 2026).
SOAP_LOGIN_VERSION: Final = "64.0"
