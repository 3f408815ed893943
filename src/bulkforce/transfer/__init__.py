"""Loads and extracts: the two verbs that do a whole job."""
