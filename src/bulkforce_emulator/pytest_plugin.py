"""A pytest plugin: an emulated Salesforce org in a test.

    def test_contacts_arrive(salesforce_org):
        ...  # salesforce_org.base_url, salesforce_org.session_id, salesforce_org.records("Contact")

Marks on a test, a class or a module:

    @pytest.mark.salesforce_schema({"Contact": {"fields": {"Badge__c": "string(20) unique external_id"}}})
    @pytest.mark.salesforce_pace("manual")    # or "instant", or "timed" with the arguments of Pace.timed
    @pytest.mark.salesforce_faults({"kind": "answer lost", "method": "POST", "path": "*/batch"})    # or Faults
    @pytest.mark.salesforce_settings({"limits": {"batch_records": 100}})
    @pytest.mark.salesforce_tls               # https, for clients that insist on it
    @pytest.mark.salesforce_data("tests/records")    # a folder of CSV and JSON files
    @pytest.mark.salesforce_describe("tests/my-org") # objects of your own org: bulkforce describe --save tests/my-org

The ini option `salesforce_describe` does the last for all tests. Schema and settings can also be TOML or JSON files.
Every test has an org of its own. Nothing is imported, and no time spent, until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkforce_emulator.emulator import Emulator
    from bulkforce_emulator.faults import Fault

#: Where bulkforce, requests, OpenSSL and Node look for certificates to trust.
_CA_VARIABLES = ("BULKFORCE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_MARKS = (
    "salesforce_schema(schema): objects and fields to add to salesforce_org: a mapping, or a TOML or JSON file",
    "salesforce_pace(kind, **how): salesforce_org's pace: 'instant', 'manual', or 'timed' with Pace.timed's arguments",
    "salesforce_faults(*faults): what goes wrong on the wire of salesforce_org: Faults, or mappings of their arguments",
    "salesforce_settings(settings): settings of salesforce_org: a mapping, or a TOML or JSON file",
    "salesforce_tls: salesforce_org is served over https, and environment variables name its certificate",
    "salesforce_data(folder): a folder with records to begin with",
    "salesforce_describe(folder): a folder with your own org's objects, saved by bulkforce describe --save",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the ini option."""
    parser.addini(
        "salesforce_describe", "Folder of descriptions of your own org's objects, for salesforce_org", "paths"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


@pytest.fixture
def salesforce_org(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulated org, served on loopback while the test runs."""
    try:
        from bulkforce_emulator.emulator import Emulator
    except ModuleNotFoundError as error:
        _refuse(
            f"salesforce_org needs the extra 'emulator' (no module {error.name}); do: pip install 'bulkforce[emulator]'"
        )
    tls = request.node.get_closest_marker("salesforce_tls") is not None
    schema, settings, data = (_argument(request, f"salesforce_{name}") for name in ("schema", "settings", "data"))
    describe = _argument(request, "salesforce_describe") or next(
        iter(request.config.getini("salesforce_describe")), None
    )
    try:
        faults = _faults(request)
        made = Emulator(schema=schema, settings=settings, data=data, describe=describe, pace=_pace(request), tls=tls)
    except (ValueError, TypeError, OSError) as error:
        _refuse(f"salesforce_org cannot be made with these marks: {error}")
    with made as org:
        org.faults.add(*faults)
        for name in _CA_VARIABLES if tls else ():
            monkeypatch.setenv(name, str(org.ca_bundle))
        yield org


@pytest.fixture
def salesforce_environment(salesforce_org: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The same org, with `BULKFORCE_INSTANCE_URL` and `BULKFORCE_ACCESS_TOKEN` set, for programs that read them."""
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", salesforce_org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", salesforce_org.session_id)
    return salesforce_org


def _refuse(why: str) -> NoReturn:
    raise pytest.fail.Exception(why, pytrace=False) from None


def _faults(request: pytest.FixtureRequest) -> list[Fault]:
    from bulkforce_emulator.faults import Fault

    given = [one for mark in request.node.iter_markers("salesforce_faults") for one in mark.args]
    return [one if isinstance(one, Fault) else Fault(**one) for one in given]


def _argument(request: pytest.FixtureRequest, name: str) -> Any:  # noqa: ANN401 - whatever the mark has
    mark = request.node.get_closest_marker(name)
    if mark is None:
        return None
    if len(mark.args) != 1 or mark.kwargs:
        _refuse(f"the mark {name} takes one argument")
    return mark.args[0]


def _pace(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - a Pace, which is not imported here
    from bulkforce_emulator.state.lifecycle import Pace

    mark = request.node.get_closest_marker("salesforce_pace")
    if mark is None:
        return None
    kinds = {"instant": Pace.instant, "manual": Pace.manual, "timed": Pace.timed}
    if len(mark.args) != 1 or mark.args[0] not in kinds:
        _refuse(f"the mark salesforce_pace takes one of {', '.join(kinds)}")
    return kinds[mark.args[0]](**mark.kwargs)
