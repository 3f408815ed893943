"""The dry core: what to ask and how to read the answer. No socket, thread, clock, file or randomness."""
