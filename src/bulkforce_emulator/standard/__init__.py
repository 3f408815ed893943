"""The standard objects, as TOML in the form of `schema_files`."""
