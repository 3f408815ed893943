"""Bulk API 2.0: jobs that take one file or one query, and are cut into batches inside."""
