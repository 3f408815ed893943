"""Which org, and how to log in to it: from variables, by name, or as other tools know it."""

from bulkforce.connection.connecting import connect, connect_async

__all__ = ["connect", "connect_async"]
