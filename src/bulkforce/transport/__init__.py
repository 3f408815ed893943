"""Input and output: the only room with sockets, clocks and random numbers. It does not know what a job is."""
