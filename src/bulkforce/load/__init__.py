"""`load`: a source into an object, exactly once."""
