"""The tour that `bulkforce demo` gives: every operation on records, one scene each."""
