"""What `bulkforce demo` shows: a tour through all that can be done with records."""
