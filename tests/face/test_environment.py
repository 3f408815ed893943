"""What a client is made of by `connect`: each variable that cannot be used is named, and no secret is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.chains import held_by

import bulkforce as bf

MARKER: Final = "Zebrafink"
URL, TOKEN = "BULKFORCE_INSTANCE_URL", "BULKFORCE_ACCESS_TOKEN"
ID, SECRET, REFRESH = "BULKFORCE_CLIENT_ID", "BULKFORCE_CLIENT_SECRET", "BULKFORCE_REFRESH_TOKEN"
VERSION, CA_BUNDLE = "BULKFORCE_API_VERSION", "BULKFORCE_CA_BUNDLE"
HOST: Final = "https://acme.my.salesforce.com"
WITH_TOKEN: Final = {URL: HOST, TOKEN: "00D!x"}
WITH_REFRESH: Final = {URL: HOST, ID: "id", SECRET: "secret", REFRESH: "refresh"}
WITH_SECRET: Final = {URL: HOST, ID: "id", SECRET: "secret"}

# No name, no secret, no path and no URL has any of these in it.
NO_TEXT: Final[dict[str, object]] = {
    "bytes that are no UTF-8": MARKER + "\udce9",
    "a line end": f"{MARKER}\n{MARKER}",
    "an escape sequence": f"\x1b[31m{MARKER}",
    "NUL": f"{MARKER}\0",
    "direction": f"\u202e{MARKER}",
    "bytes": MARKER.encode(),
    "a number": 5,
}
NO_URL: Final = {
    "a token": f"00D!{MARKER}",
    "a word": MARKER,
    "another scheme": "ftp://acme.my.salesforce.com",
    "no host": "https://",
    "no TLS": "http://acme.example.com",
    "a password": f"https://ada:{MARKER}@acme.my.salesforce.com",
    "a password and no host": f"https://ada:{MARKER}@[acme",
    "a password and no scheme": f"ada:{MARKER}@acme.my.salesforce.com",
    "a query": "https://acme.example.com?x=1",
    "a blank": "https://acme.example.com/ x",
    "a port that is none": f"{HOST}:99999",
    "brackets": "https://[::1",
    "very long": "https:// " + "x" * 100_000,
}
NO_VERSION: Final = {
    "a word": "latest",
    "a letter alone": "v",
    "two letters": "vv66.0",
    "two digits behind the point": "66.00",
    "very long": "6" * 100_000 + ".0",
    "negative": "-66.0",
}
NO_TOKEN: Final = {
    "a blank": f"{MARKER} {MARKER}",
    "a letter of no token": f"{MARKER}é",
    "a tab": f"{MARKER}\t{MARKER}",
}
NO_BUNDLE: Final = {
    "a folder": ".",
    "nothing there": "no/such.pem",
    "no bundle": "a.csv",
    "empty": "/dev/null",
    "very long": "x" * 5_000,
}


def spoilt() -> Iterator[Any]:
    """Each variable with each value that it cannot have."""
    for base, names in (
        (WITH_TOKEN, (URL, TOKEN, VERSION, CA_BUNDLE)),
        (WITH_REFRESH, (ID, SECRET, REFRESH)),
        (WITH_SECRET, (ID, SECRET)),
    ):
        for name in names:
            own = {URL: NO_URL, VERSION: NO_VERSION, TOKEN: NO_TOKEN, CA_BUNDLE: NO_BUNDLE}.get(name, {})
            for what, value in {**NO_TEXT, **own}.items():
                yield pytest.param({**base, name: value}, name, id=f"{name} is {what}")


@pytest.mark.parametrize(("environment", "name"), list(spoilt()))
def test_variable_that_cannot_be_used_is_named_and_no_secret_shown(
    environment: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"LastName\nx\n")
    with pytest.raises(bf.UsageError) as caught:
        bf.connect(environment)
    told = str(caught.value)
    assert told.startswith(f"{name} is invalid: ")
    assert told.endswith("Correct it, or unset it")
    assert len(told) < 5_500
    assert told.isprintable()
    assert MARKER not in held_by(caught.value)


@pytest.mark.parametrize(
    "base", [WITH_TOKEN, WITH_REFRESH, WITH_SECRET], ids=["token", "refresh token", "client credentials"]
)
@pytest.mark.parametrize("blank", ["", " ", "\n", None])
def test_variable_that_is_blank_is_as_good_as_none(base: dict[str, str], blank: Any) -> None:
    others = {name: blank for name in (TOKEN, ID, SECRET, REFRESH, VERSION, CA_BUNDLE) if name not in base}
    bf.connect({**base, **others, "OTHER": blank}).close()
    for name in base:
        if (base, name) == (WITH_REFRESH, SECRET):
            continue  # some apps have none
        if (base, name) == (WITH_REFRESH, REFRESH):
            continue  # then it is client credentials
        with pytest.raises(bf.UsageError, match=f"set .*{name}"):
            bf.connect({**base, name: blank})


@pytest.mark.parametrize("environment", [5, ["x"], b"x"])
def test_environment_that_is_none_is_refused(environment: Any) -> None:
    with pytest.raises(bf.UsageError, match="mapping"):
        bf.connect(environment)
    with pytest.raises(bf.UsageError, match="mapping"):
        bf.connect("prod", environment=environment)
    with pytest.raises(bf.UsageError, match="twice"):
        bf.connect({}, environment={})


def test_log_of_keys_that_cannot_be_written_is_not_taken_for_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    bundle = tmp_path / "ca.pem"
    bundle.write_text(
        "".join(
            ssl.DER_cert_to_PEM_cert(one) for one in ssl.create_default_context().get_ca_certs(binary_form=True)[:1]
        )
    )
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no" / "keys"))
    with pytest.raises(bf.UsageError, match="SSLKEYLOGFILE"):
        bf.connect({**WITH_TOKEN, CA_BUNDLE: str(bundle)})


# The same for what is handed to the auths themselves.

AUTHS: Final[list[Callable[..., Any]]] = [
    bf.BearerToken,
    bf.RefreshToken,
    bf.ClientCredentials,
    bf.UsernamePassword,
    bf.JWTBearer,
]
ODD: Final = {"half a pair": MARKER + "\ud800", "bytes": b"x", "a number": 5, "a list": ["x"], "nothing": None}


@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("kind", AUTHS)
def test_auth_of_what_is_no_text_is_refused(kind: Callable[..., Any], odd: object) -> None:
    names = [
        one.name
        for one in inspect.signature(kind).parameters.values()
        if one.name not in {"on_rotation", "private_key"}
    ]
    needed = [one.name for one in inspect.signature(kind).parameters.values() if one.default is one.empty]
    for name in names:
        if odd is None and name not in needed:
            continue
        with pytest.raises(bf.UsageError) as caught:
            kind(**{**dict.fromkeys(needed, "x"), name: odd})
        assert MARKER not in held_by(caught.value)
