"""The wet shell: the only place with sockets, clocks and chance. It knows nothing of jobs."""
