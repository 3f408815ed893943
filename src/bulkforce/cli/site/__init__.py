"""What `bulkforce ui` serves: the runs of a folder and their jobs, read-only, to this machine alone."""
