"""Records to bytes and back: CSV, JSON, XML, zip. Dry: bytes and values only, no sockets, clocks or databases."""
