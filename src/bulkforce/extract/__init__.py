"""`extract`: every record that a query finds into a file, proven complete."""
