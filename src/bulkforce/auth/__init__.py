"""Ways to log in: small objects whose flows return `Credentials` (`bulkforce.protocol.flow.Auth`)."""
