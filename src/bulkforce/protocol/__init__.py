"""The dry core: what to ask, and how to read the answer. No sockets, threads, clocks, files or randomness."""
