"""Which org, and how to log in to it: from variables, by name, or as other tools know it."""
