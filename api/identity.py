"""Who the customer is: a signed token of the shop's identity provider, verified here."""

import logging
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

import jwt
from pydantic import BaseModel, Field, ValidationError

from commerce.domain.carts import MAX_EMAIL_CHARS, CustomerId
from commerce.domain.model import PRINTABLE, Message, first_problem

MIN_SECRET_BYTES = 32
MAX_TOKEN_CHARS = 8192

_ALGORITHMS = {
    ("RSA", ""): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""The one algorithm of each type of public key. A shared secret is not among them."""

logger = logging.getLogger("checkout.api")


class BadTokenError(Exception):
    """The token proves nothing; why is for the log, not for the client."""


class CustomerClaims(Message):
    """What a verified token says about the customer.

    Attributes:
        customer_id: The claim ``sub``.
        firstname: The claim ``given_name``.
        lastname: The claim ``family_name``.
    """

    customer_id: CustomerId
    email: Annotated[str, Field(max_length=MAX_EMAIL_CHARS, pattern=PRINTABLE)] | None = None
    firstname: Annotated[str, Field(max_length=255, pattern=PRINTABLE)] | None = None
    lastname: Annotated[str, Field(max_length=255, pattern=PRINTABLE)] | None = None


class TokenKeys(Protocol):
    """Where the key of a token comes from."""

    def find(self, token: str) -> jwt.PyJWK:
        """The key that the token must be signed with; it carries its one algorithm.

        Raises:
            BadTokenError: There is none.
        """
        ...


class SharedSecret:
    """One HS256 secret, shared with whoever issues the tokens.

    Raises:
        ValueError: The secret is shorter than 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"the token secret must have at least {MIN_SECRET_BYTES} bytes")
        encoded = urlsafe_b64encode(secret).rstrip(b"=").decode()
        self._key = jwt.PyJWK({"kty": "oct", "k": encoded}, "HS256")

    def find(self, token: str) -> jwt.PyJWK:
        """The secret."""
        return self._key


class KeyFile:
    """A JWKS file of public keys, found by ``kid``; read again when the file has changed.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no key that can verify a token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_ns = self._last_written_ns()
        self._keys = self._read()

    def find(self, token: str) -> jwt.PyJWK:
        """The key that the token names."""
        self._refresh()
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise BadTokenError("unknown key")
        return self._keys[kid]

    def _refresh(self) -> None:
        written_ns = self._last_written_ns()
        if written_ns == self._written_ns:
            return
        self._written_ns = written_ns
        try:
            self._keys = self._read()
        except (OSError, ValueError):
            logger.warning("the key file cannot be read, its last keys stay", exc_info=True)

    def _last_written_ns(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self) -> dict[str, jwt.PyJWK]:
        keys: dict[str, jwt.PyJWK] = {}
        try:
            key_set = _KeySet.model_validate_json(self._path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{self._path}: {first_problem(error)}") from None
        for jwk in key_set.keys:
            key = _signing_key(jwk)
            if key is not None:
                keys[jwk["kid"]] = key
        if not keys:
            raise ValueError(f"{self._path}: no RS256, ES256 or EdDSA key with a kid")
        return keys


class _KeySet(BaseModel):
    keys: list[dict[str, Any]]


def _signing_key(jwk: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = _ALGORITHMS.get((str(jwk.get("kty")), str(jwk.get("crv", ""))))
    usable = (
        algorithm is not None
        and isinstance(jwk.get("kid"), str)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
    )
    try:
        return jwt.PyJWK(jwk, algorithm) if usable else None
    except jwt.PyJWTError as error:
        raise ValueError(f"key {jwk['kid']}: {error}") from None


class TokenVerifier:
    """Verifies customers' tokens.

    Args:
        keys: Where the keys are.
        issuer: What ``iss`` must say.
        audience: What ``aud`` must say or list.
        leeway: By how much the issuer's clock may differ.
    """

    def __init__(
        self, keys: TokenKeys, issuer: str, audience: str, leeway: timedelta = timedelta()
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway

    def verify(self, token: str) -> CustomerClaims:
        """The claims of a token that is signed, meant for us, and not expired.

        Raises:
            BadTokenError: It is not.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise BadTokenError("too long")
        try:
            key = self._keys.find(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "enforce_minimum_key_length": True,
                },
            )
            return CustomerClaims(
                customer_id=claims["sub"],
                email=claims.get("email"),
                firstname=claims.get("given_name"),
                lastname=claims.get("family_name"),
            )
        except ValidationError as error:
            raise BadTokenError("claims of the wrong shape") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise BadTokenError(str(error)) from error


class TokenIssuer:
    """Issues tokens with a shared secret, for development: a shop has an identity provider.

    Args:
        secret: At least 32 bytes.
        issuer: What ``iss`` says.
        audience: What ``aud`` says.
    """

    def __init__(self, secret: bytes, issuer: str, audience: str) -> None:
        self._key = SharedSecret(secret).find("")
        self._issuer = issuer
        self._audience = audience

    def issue(
        self, customer_id: str, email: str, firstname: str, lastname: str, lifetime: timedelta
    ) -> str:
        """A token that ``TokenVerifier`` takes for so long."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": customer_id,
            "iat": now,
            "exp": now + lifetime,
            "email": email,
            "given_name": firstname,
            "family_name": lastname,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")
