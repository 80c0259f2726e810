"""Does a token prove who the customer is, and nothing forged anything?"""

import hashlib
import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from api.identity import (
    MAX_TOKEN_CHARS,
    BadTokenError,
    CustomerClaims,
    KeyFile,
    SharedSecret,
    TokenIssuer,
    TokenVerifier,
)

SECRET = bytes(range(32))
ISSUER, AUDIENCE = "https://id.shop.example", "checkout"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SIGNED_BY = {"rsa": (RSA_KEY, "RS256"), "ec": (EC_KEY, "ES256"), "ed": (ED_KEY, "EdDSA")}
PUBLIC = {
    "rsa": RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True),
    "ec": ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True),
    "ed": OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True),
}
ABSENT = "(absent)"


def verifier(secret: bytes = SECRET, leeway_s: int = 0) -> TokenVerifier:
    return TokenVerifier(SharedSecret(secret), ISSUER, AUDIENCE, timedelta(seconds=leeway_s))


def claims(**changed: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "customer-7",
        "exp": int(time()) + 60,
        "email": "ada@example.com",
        "given_name": "Ada",
        "family_name": "Lovelace",
    }
    return {name: value for name, value in (made | changed).items() if value != ABSENT}


def token(**changed: object) -> str:
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")


def encoded(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def hand_made(header: dict[str, object], payload: object, secret: bytes) -> str:
    """A token that PyJWT would not sign."""
    text = f"{encoded(header)}.{encoded(payload)}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def key_file(folder: Path, *keys: dict[str, Any]) -> Path:
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


def touch_later(path: Path) -> None:
    """As if it had been written a second later: a clock may not tell two writes apart."""
    at_ns = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(at_ns, at_ns))


# -- what a token says -------------------------------------------------------------------------


def test_a_token_says_who_the_customer_is() -> None:
    issued = TokenIssuer(SECRET, ISSUER, AUDIENCE).issue(
        "customer-7", "ada@example.com", "Ada", "Lovelace", timedelta(minutes=1)
    )
    assert verifier().verify(issued) == CustomerClaims(
        customer_id="customer-7", email="ada@example.com", firstname="Ada", lastname="Lovelace"
    )


def test_only_the_customer_must_be_named() -> None:
    bare = token(
        email=ABSENT, given_name=ABSENT, family_name=ABSENT, scope="more", aud=["x", "checkout"]
    )
    assert verifier().verify(bare) == CustomerClaims(customer_id="customer-7")


def test_a_token_of_a_negative_lifetime_has_expired() -> None:
    issued = TokenIssuer(SECRET, ISSUER, AUDIENCE).issue("7", "", "", "", timedelta(seconds=-1))
    with pytest.raises(BadTokenError):
        verifier().verify(issued)


def test_a_clock_may_differ_by_the_leeway() -> None:
    late = token(exp=int(time()) - 30)
    assert verifier(leeway_s=60).verify(late).customer_id == "customer-7"
    with pytest.raises(BadTokenError):
        verifier(leeway_s=10).verify(late)


@pytest.mark.parametrize("secret", [b"", b"x" * 31])
def test_a_short_secret_is_refused(secret: bytes) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SharedSecret(secret)
    with pytest.raises(ValueError, match="at least 32 bytes"):
        TokenIssuer(secret, ISSUER, AUDIENCE)


# -- what proves nothing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": ABSENT},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ABSENT},
        {"exp": 1},
        {"exp": ABSENT},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": 4_102_444_800},
        {"nbf": float("inf")},
        {"iat": float("inf")},
        {"iat": float("nan")},
        {"sub": ABSENT},
        {"sub": ""},
        {"sub": "x" * 65},
        {"sub": "a\nb"},
        {"sub": 7},
        {"sub": ["7"]},
        {"sub": None},
        {"email": 7},
        {"email": "a" * 255},
        {"given_name": {"a": 1}},
        {"family_name": "x\0y"},
    ],
    ids=str,
)
def test_wrong_claims_prove_nothing(changed: dict[str, object]) -> None:
    assert verifier().verify(token()).customer_id == "customer-7"
    header: dict[str, object] = {"alg": "HS256"}
    with pytest.raises(BadTokenError):
        verifier().verify(hand_made(header, claims(**changed), SECRET))


def test_a_customer_id_of_64_characters_is_one() -> None:
    assert verifier().verify(token(sub="x" * 64)).customer_id == "x" * 64


def test_another_secret_proves_nothing() -> None:
    with pytest.raises(BadTokenError):
        verifier(bytes(32)).verify(token())


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS384", "RS256", None, 1, []])
def test_the_algorithm_is_not_the_tokens_to_choose(algorithm: object) -> None:
    header: dict[str, object] = {"alg": algorithm}
    unsigned = f"{encoded(header)}.{encoded(claims())}."
    for forged in (unsigned, hand_made(header, claims(), SECRET)):
        with pytest.raises(BadTokenError):
            verifier().verify(forged)


def test_no_changed_byte_goes_unnoticed() -> None:
    signed = token()
    parts = signed.split(".")
    for place, part in enumerate(parts):
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for index in range(len(raw)):
            tampered = bytes(byte ^ (n == index) for n, byte in enumerate(raw))
            forged = ".".join([*parts[:place], encoded(tampered), *parts[place + 1 :]])
            with pytest.raises(BadTokenError):
                verifier().verify(forged)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        "\ud800",
        "\0",
        "x" * (MAX_TOKEN_CHARS + 1),
        ".".join([encoded(["alg"]), encoded({}), ""]),
        ".".join([encoded(b"[" * 4_000), encoded({}), ""]),
        hand_made({"alg": "HS256"}, ["sub"], SECRET),
        hand_made({"alg": "HS256", "b64": False, "crit": ["b64"]}, claims(), SECRET),
        hand_made({"alg": "HS256", "crit": ["made-up"]}, claims(), SECRET),
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_what_is_no_token_proves_nothing(text: str) -> None:
    with pytest.raises(BadTokenError):
        verifier().verify(text)


def test_a_huge_token_is_not_looked_at() -> None:
    huge = token(more="x" * MAX_TOKEN_CHARS)
    with pytest.raises(BadTokenError, match="too long"):
        verifier().verify(huge)


# -- public keys -------------------------------------------------------------------------------


def signed(name: str, kid: str | None = None, **changed: object) -> str:
    key, algorithm = SIGNED_BY[name]
    headers = {"kid": kid or name}
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers=headers)


@pytest.fixture
def three_keys(tmp_path: Path) -> TokenVerifier:
    path = key_file(tmp_path, *({**jwk, "kid": name} for name, jwk in PUBLIC.items()))
    return TokenVerifier(KeyFile(path), ISSUER, AUDIENCE)


@pytest.mark.parametrize("name", SIGNED_BY)
def test_a_token_is_verified_with_the_key_that_it_names(
    three_keys: TokenVerifier, name: str
) -> None:
    assert three_keys.verify(signed(name)).customer_id == "customer-7"
    with pytest.raises(BadTokenError):
        three_keys.verify(signed(name, exp=int(time()) - 1))


@pytest.mark.parametrize("name", SIGNED_BY)
@pytest.mark.parametrize("kid", ["rsa", "ec", "ed", "unknown", ""])
def test_a_token_that_names_another_key_proves_nothing(
    three_keys: TokenVerifier, name: str, kid: str
) -> None:
    if name != kid:
        key, algorithm = SIGNED_BY[name]
        forged = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": kid})
        with pytest.raises(BadTokenError):
            three_keys.verify(forged)


@pytest.mark.parametrize("kid", [None, 1, ["rsa"], {"rsa": 1}])
def test_a_token_that_names_no_key_proves_nothing(three_keys: TokenVerifier, kid: object) -> None:
    header: dict[str, object] = {"alg": "HS256", "kid": kid}
    with pytest.raises(BadTokenError):
        three_keys.verify(hand_made(header, claims(), SECRET))
    with pytest.raises(BadTokenError):
        three_keys.verify(jwt.encode(claims(), RSA_KEY, algorithm="RS256"))


def public_texts(name: str) -> list[bytes]:
    public = SIGNED_BY[name][0].public_key()
    encodings = [Encoding.PEM, Encoding.DER]
    texts = [public.public_bytes(each, PublicFormat.SubjectPublicKeyInfo) for each in encodings]
    return [*texts, texts[0].strip(), json.dumps(PUBLIC[name]).encode()]


@pytest.mark.parametrize("name", SIGNED_BY)
@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS512", "PS256"])
def test_a_public_key_is_no_secret(three_keys: TokenVerifier, name: str, algorithm: str) -> None:
    for text in public_texts(name):
        with pytest.raises(BadTokenError):
            three_keys.verify(hand_made({"alg": algorithm, "kid": name}, claims(), text))


def test_a_key_that_a_token_brings_along_is_not_used(three_keys: TokenVerifier) -> None:
    own = rsa.generate_private_key(65537, 2048)
    brought = RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    headers = {"kid": "rsa", "jwk": brought, "jku": "https://evil.example/jwks.json"}
    forged = jwt.encode(claims(), own, algorithm="RS256", headers=headers)
    with pytest.raises(BadTokenError):
        three_keys.verify(forged)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": encoded(SECRET), "kid": "x"},
        {"kty": "oct", "k": encoded(SECRET), "kid": "x", "alg": "HS256"},
        {**PUBLIC["rsa"], "kid": "x", "alg": "HS256"},
        {**PUBLIC["rsa"], "kid": "x", "alg": "none"},
        {**PUBLIC["rsa"], "kid": "x", "alg": "RS512"},
        {**PUBLIC["rsa"], "kid": "x", "use": "enc"},
        {**PUBLIC["rsa"], "kid": 7},
        PUBLIC["rsa"],
        {**PUBLIC["ec"], "kid": "x", "crv": "P-384"},
        {"kid": "x"},
    ],
    ids=lambda jwk: f"{jwk.get('kty')} {jwk.get('alg')} {jwk.get('use')}",
)
def test_keys_that_cannot_verify_are_passed_over(tmp_path: Path, jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no RS256, ES256 or EdDSA key"):
        KeyFile(key_file(tmp_path, jwk))
    keys = KeyFile(key_file(tmp_path, jwk, {**PUBLIC["ed"], "kid": "ed"}))
    tokens = TokenVerifier(keys, ISSUER, AUDIENCE)
    assert tokens.verify(signed("ed")).customer_id == "customer-7"
    for algorithm in ("HS256", "none"):
        with pytest.raises(BadTokenError):
            tokens.verify(hand_made({"alg": algorithm, "kid": "x"}, claims(), SECRET))


def test_a_short_rsa_key_proves_nothing(tmp_path: Path) -> None:
    short = rsa.generate_private_key(65537, 1024)
    jwk = RSAAlgorithm.to_jwk(short.public_key(), as_dict=True)
    tokens = TokenVerifier(KeyFile(key_file(tmp_path, {**jwk, "kid": "x"})), ISSUER, AUDIENCE)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        weak = jwt.encode(claims(), short, algorithm="RS256", headers={"kid": "x"})
    with pytest.raises(BadTokenError):
        tokens.verify(weak)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": {}}', "\0", '{"keys": null}'],
)
def test_a_file_without_keys_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"jwks\.json: ") as refused:
        KeyFile(path)
    assert "\n" not in str(refused.value)


def test_a_broken_key_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key x: "):
        KeyFile(key_file(tmp_path, {"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}))


def test_no_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyFile(tmp_path / "missing.json")


# -- keys that change --------------------------------------------------------------------------


def test_a_new_key_is_found_and_a_withdrawn_one_is_not(tmp_path: Path) -> None:
    path = key_file(tmp_path, {**PUBLIC["rsa"], "kid": "rsa"})
    tokens = TokenVerifier(KeyFile(path), ISSUER, AUDIENCE)
    with pytest.raises(BadTokenError):
        tokens.verify(signed("ec"))
    key_file(tmp_path, {**PUBLIC["ec"], "kid": "ec"})
    touch_later(path)
    assert tokens.verify(signed("ec")).customer_id == "customer-7"
    with pytest.raises(BadTokenError):
        tokens.verify(signed("rsa"))


def test_the_last_keys_stay_while_the_file_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = key_file(tmp_path, {**PUBLIC["rsa"], "kid": "rsa"})
    tokens = TokenVerifier(KeyFile(path), ISSUER, AUDIENCE)
    path.write_text("{")
    touch_later(path)
    for _ in range(3):
        assert tokens.verify(signed("rsa")).customer_id == "customer-7"
    assert len(caplog.records) == 1
    path.unlink()
    for _ in range(3):
        assert tokens.verify(signed("rsa")).customer_id == "customer-7"
    assert len(caplog.records) == 2
    key_file(tmp_path, {**PUBLIC["ec"], "kid": "ec"})
    touch_later(path)
    touch_later(path)
    assert tokens.verify(signed("ec")).customer_id == "customer-7"
