"""The org on a socket: the application, the faults on the way to it, its page and its control calls."""
