"""A pytest plugin: an emulated Salesforce org in a test.

    def test_contacts_arrive(salesforce_org):
        ...  # salesforce_org.base_url, salesforce_org.session_id, salesforce_org.records("Contact")

Marks on a test, a class or a module:

    @pytest.mark.salesforce_schema({"Contact": {"fields": {"Badge__c": "string(20) unique external_id"}}})    # or a TOML or JSON file
    @pytest.mark.salesforce_pace("manual")                          # or "instant", or "timed" with the arguments of Pace.timed
    @pytest.mark.salesforce_faults({"kind": "answer lost", "method": "POST", "path": "*/batch"})    # the arguments of a Fault, or Faults
    @pytest.mark.salesforce_settings({"limits": {"batch_records": 100}})                            # or a TOML or JSON file
    @pytest.mark.salesforce_data("tests/records")                   # a folder of CSV and JSON files

Every test has an org of its own. Nothing is imported, and no time spent, until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkforce_emulator.emulator import Emulator

_MARKS = (
    "salesforce_schema(schema): objects and fields laid over the standard ones of salesforce_org: a mapping, or a TOML or JSON file",
    "salesforce_pace(kind, **how): how fast salesforce_org works: 'instant', 'manual', or 'timed' with the arguments of Pace.timed",
    "salesforce_faults(*faults): what goes wrong on the wire of salesforce_org: Faults, or mappings of their arguments",
    "salesforce_settings(settings): limits and choices of salesforce_org: a mapping, or a TOML or JSON file",
    "salesforce_data(folder): records that are in salesforce_org from the start",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


@pytest.fixture
def salesforce_org(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulated org, served on loopback while the test runs."""
    try:
        from bulkforce_emulator.emulator import Emulator
    except ModuleNotFoundError as error:
        pytest.fail(
            f"salesforce_org needs the extra 'emulator' (no module {error.name}); do: pip install 'bulkforce[emulator]'", pytrace=False
        )
    from bulkforce_emulator.faults import Fault

    schema, settings, data = (_argument(request, f"salesforce_{name}") for name in ("schema", "settings", "data"))
    with Emulator(schema=schema, settings=settings, data=data, pace=_pace(request)) as org:
        for mark in request.node.iter_markers("salesforce_faults"):
            for fault in mark.args:
                org.faults.add(fault if isinstance(fault, Fault) else Fault(**fault))
        yield org


@pytest.fixture
def salesforce_environment(salesforce_org: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The same org, and the variables `BULKFORCE_INSTANCE_URL` and `BULKFORCE_ACCESS_TOKEN` set to it, for a program that takes its org from there."""
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", salesforce_org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", salesforce_org.session_id)
    return salesforce_org


def _argument(request: pytest.FixtureRequest, name: str) -> Any:  # noqa: ANN401 - whatever the mark was given
    mark = request.node.get_closest_marker(name)
    if mark is None:
        return None
    if len(mark.args) != 1 or mark.kwargs:
        raise pytest.UsageError(f"the mark {name} takes one argument")
    return mark.args[0]


def _pace(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - a Pace, which is not imported here
    from bulkforce_emulator.lifecycle import Pace

    mark = request.node.get_closest_marker("salesforce_pace")
    if mark is None:
        return None
    kinds = {"instant": Pace.instant, "manual": Pace.manual, "timed": Pace.timed}
    if len(mark.args) != 1 or mark.args[0] not in kinds:
        raise pytest.UsageError(f"the mark salesforce_pace takes one of {', '.join(kinds)}")
    return kinds[mark.args[0]](**mark.kwargs)
