"""URLs as people paste them: put right, or told how; and never shown if they may be a misplaced secret."""

from __future__ import annotations

import pytest
from tests.support.chains import held_by
from tests.support.script import Script, said

import bulkforce as bf
from bulkforce import hosts

ACME = "https://acme.my.salesforce.com"
SECRET = "Zebrafink"


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        (ACME, ACME),
        (f" {ACME}/\n", ACME),
        (f"{ACME}:443/", ACME),
        (f"{ACME}/services/data/v66.0/limits?x=1", ACME),
        (f"{ACME}/one/one.app#/home", ACME),
        (f"{ACME}?un=ada@example.com", ACME),
        ("http://acme.my.salesforce.com", ACME),
        ("HTTPS://ACME.My.Salesforce.com", ACME),
        ("acme.my.salesforce.com", ACME),
        ("//acme.my.salesforce.com/", ACME),
        ("acme.my.salesforce.com/lightning/page/home", ACME),
        ("acme.my.salesforce.com.", ACME),
        ("acme.my", ACME),
        ("https://acme.lightning.force.com/lightning/o/Contact/list?filterName=Recent", ACME),
        ("acme.lightning.force.com", ACME),
        ("https://acme--uat.sandbox.lightning.force.com/", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com/", "https://acme--uat.sandbox.my.salesforce.com"),
        ("acme-dev-ed.develop.lightning.force.com", "https://acme-dev-ed.develop.my.salesforce.com"),
        ("https://acme.scratch.my.salesforce.com", "https://acme.scratch.my.salesforce.com"),
        ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", ACME),
        ("https://acme.lightning.crmforce.mil/x", "https://acme.my.salesforce.mil"),
        ("https://acme.lightning.sfcrmapps.cn/x", "https://acme.my.sfcrmproducts.cn"),
        ("login", hosts.PRODUCTION),
        ("test", hosts.SANDBOX),
        ("login.salesforce.com", hosts.PRODUCTION),
        ("https://test.salesforce.com/?locale=de", hosts.SANDBOX),
        ("na123.salesforce.com", "https://na123.salesforce.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:8080/services/async/66.0", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:8080", "http://localhost:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("https://gateway.acme.example/salesforce/", "https://gateway.acme.example/salesforce"),
        ("https://gateway.acme.example/salesforce/services/data", "https://gateway.acme.example/salesforce"),
    ],
)
def test_url_as_people_paste_it_is_put_right(pasted: str, url: str) -> None:
    assert hosts.instance_url(pasted) == url
    with bf.Client(pasted, bf.BearerToken("00D!x")) as client:
        assert client.driver.instance_url == url


@pytest.mark.parametrize(
    "pasted",
    [
        f"00D!{SECRET}",
        f"5Aep861{SECRET}.abc",
        f"{SECRET}.salesforce",
        "acme",
        "acme.example.com",
        "ftp://acme.my.salesforce.com",
        "https://",
        "//",
        "",
        "http://salesforce:8080",
        "http://10.0.0.5:8080",
        "https://gateway.acme.example/x?y=1",
        f"https://ada:{SECRET}@acme.my.salesforce.com",
        f"ada:{SECRET}@acme.my.salesforce.com",
        f"https://ada:{SECRET}@[acme",
        "https://acme.my.salesforce.com:99999",
        "https://[::1",
        "https://www.salesforce.com/products",
        "https://.my.salesforce.com",
    ],
)
def test_url_that_no_org_has_is_refused_with_what_to_do(pasted: str) -> None:
    with pytest.raises(bf.UsageError) as caught:
        hosts.instance_url(pasted)
    assert SECRET not in held_by(caught.value)
    assert any(word in str(caught.value) for word in ("https://", "My Domain", "ALLOW_HTTP", "log in with an auth"))


def test_plain_http_to_another_machine_needs_the_switch() -> None:
    with pytest.raises(bf.UsageError, match="BULKFORCE_ALLOW_HTTP=1"):
        bf.Client("http://salesforce:8080", bf.BearerToken("x"))
    for url in ("http://salesforce:8080", "http://10.0.0.5:8080/"):
        with bf.Client(url, bf.BearerToken("x"), allow_http=True) as client:
            assert client.driver.instance_url == url.rstrip("/")
    with bf.Client("http://acme.my.salesforce.com", bf.BearerToken("x"), allow_http=True) as client:
        assert client.driver.instance_url == ACME, "Salesforce itself is never spoken to in the clear"


def test_login_over_plain_http_needs_the_switch_too() -> None:
    auth = bf.JWTBearer("id", "u", "key", token_url="http://salesforce:8080/services/oauth2/token")
    assert auth.token_url is not None


@pytest.mark.parametrize("host", [hosts.PRODUCTION, hosts.SANDBOX, "login", "test"])
def test_login_host_serves_no_records(host: str) -> None:
    url = hosts.instance_url(host)
    with pytest.raises(bf.UsageError, match="My Domain"):
        Script([]).run(bf.BearerToken("x").credentials(url, None))
    with pytest.raises(bf.UsageError, match="My Domain"):
        Script([]).run(bf.ClientCredentials("id", "s").credentials(url, None))
    granted = said(f'{{"access_token":"00D!x","instance_url":"{ACME}"}}')
    found = Script([granted]).run(bf.RefreshToken("id", "s", "r").credentials(url, None))
    assert found.instance_url == ACME


@pytest.mark.parametrize(
    ("version", "number"), [("60", "60.0"), ("60.0", "60.0"), ("v60.0", "60.0"), ("V60", "60.0"), ("31.0", "31.0")]
)
def test_version_is_written_as_people_write_it(version: str, number: str) -> None:
    with bf.Client(ACME, bf.BearerToken("x"), version=version) as client:
        assert client.driver.version == number
    bf.UsernamePassword("u", "p", version=version)


@pytest.mark.parametrize("version", ["", "latest", "60.", "60.00", "v", "60.0.0", "-60", "vv60", " 60"])
def test_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(bf.UsageError, match="API version"):
        bf.Client(ACME, bf.BearerToken("x"), version=version)
