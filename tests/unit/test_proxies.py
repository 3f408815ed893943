"""Which proxy the environment names for which host."""

from __future__ import annotations

import pytest

import bulkforce as bf
from bulkforce.transport import proxies

PROXY = "http://proxy.acme.example:3128"
ACME = "https://acme.my.salesforce.com/services"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxy_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, PROXY)
    assert proxies.proxy_for(ACME, proxies.of_environment()) == PROXY


@pytest.mark.parametrize(
    ("url", "exceptions", "proxied"),
    [
        (ACME, "", True),
        (ACME, "*", False),
        (ACME, "acme.my.salesforce.com", False),
        (ACME, "ACME.my.salesforce.com:443", True),
        ("https://acme.example:8443/x", "acme.example:8443", False),
        (ACME, "salesforce.com", False),
        (ACME, ".salesforce.com, other.example", False),
        (ACME, "*.salesforce.com", False),
        (ACME, "force.com", True),
        (ACME, "esforce.com", True),
        ("https://10.1.2.3/x", "10.0.0.0/8", False),
        ("https://11.1.2.3/x", "10.0.0.0/8", True),
        (ACME, "10.0.0.0/8,,no/network", True),
        ("https://127.0.0.1:8443/x", "", False),
        ("https://localhost/x", "", False),
    ],
)
def test_host_that_is_excepted_has_none(url: str, exceptions: str, *, proxied: bool) -> None:
    found = proxies.proxy_for(url, {"https": "proxy.acme.example:3128", "no": exceptions})
    assert found == (PROXY if proxied else None)


def test_proxy_of_the_environment_that_is_none_is_named_and_its_password_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://ada:Zebrafink@proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = bf.Client("https://acme.my.salesforce.com", bf.BearerToken("x"))
    with pytest.raises(bf.UsageError, match="HTTPS_PROXY") as caught:
        client.get_job_info("750000000000001AAA")
    client.close()
    assert "Zebrafink" not in str(caught.value)
