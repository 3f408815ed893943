"""What is not known about the Bulk API, tried on an org that its owner offers: `bulkforce verify`."""
