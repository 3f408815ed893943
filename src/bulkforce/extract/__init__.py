"""`extract`: save every record that a query finds to a file, and prove that none is missing."""
