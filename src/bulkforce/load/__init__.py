"""`load`: loads a source into an object, exactly once."""
