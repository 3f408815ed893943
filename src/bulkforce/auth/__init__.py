"""Ways to log in: small objects whose flows return `Credentials` (`bulkforce.protocol.flow.Auth`)."""

from bulkforce.auth.oauth import ClientCredentials, JWTBearer, RefreshToken
from bulkforce.auth.soap import UsernamePassword
from bulkforce.auth.token import BearerToken

__all__ = ["BearerToken", "ClientCredentials", "JWTBearer", "RefreshToken", "UsernamePassword"]
