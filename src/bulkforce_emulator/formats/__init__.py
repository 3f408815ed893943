"""Bodies in and out: uploads to columns, results to bytes. Each format is one module per direction."""
