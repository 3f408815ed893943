"""The org on a socket: the application, what goes wrong on the way to it, its page and its control calls."""
