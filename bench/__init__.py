"""What bulkforce costs, beside what others cost: see README.md."""
