"""The pytest plugin, as a project of somebody else's uses it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import urllib.error
import urllib.request

import pytest
from bulkforce_emulator import Fault

pytestmark = pytest.mark.salesforce_schema({"Contact": {"fields": {"Badge__c": "string(20) unique external_id"}}})


def versions(org):
    with urllib.request.urlopen(org.base_url + "/services/data/") as answer:
        return answer.status


def test_org_is_there(salesforce_org):
    salesforce_org.insert("Contact", [{"LastName": "Hopper", "Badge__c": "B-1"}])
    assert salesforce_org.count("Contact") == 1
    assert versions(salesforce_org) == 200


def test_org_is_another_one(salesforce_org):
    assert salesforce_org.count("Contact") == 0


@pytest.mark.salesforce_pace("timed", parallel=2)
def test_pace(salesforce_org):
    assert salesforce_org.state.workers.pace.parallel == 2


@pytest.mark.salesforce_faults({"kind": "status", "status": 503}, Fault("status", status=500, nth=2))
def test_faults(salesforce_org):
    for status in (503, 500):
        with pytest.raises(urllib.error.HTTPError) as caught:
            versions(salesforce_org)
        caught.value.close()
        assert caught.value.code == status
    assert versions(salesforce_org) == 200


@pytest.mark.salesforce_data("records")
def test_data(salesforce_org):
    assert [record["Badge__c"] for record in salesforce_org.records("Contact")] == ["B-7"]


@pytest.mark.salesforce_settings({"limits": {"batch_records": 7}})
def test_settings(salesforce_org):
    assert salesforce_org.state.limits.batch_records == 7


@pytest.mark.salesforce_tls
def test_tls(salesforce_org):
    assert salesforce_org.base_url.startswith("https:")
    assert versions(salesforce_org) == 200


def test_environment(salesforce_environment, monkeypatch):
    import os
    assert os.environ["BULKFORCE_INSTANCE_URL"] == salesforce_environment.base_url
    assert os.environ["BULKFORCE_ACCESS_TOKEN"] == salesforce_environment.session_id
"""


def test_marks_shape_the_org_of_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    records = pytester.mkdir("records")
    (records / "Contact.csv").write_text("LastName,Badge__c\nLovelace,B-7\n", "utf-8")
    pytester.runpytest_subprocess("--strict-markers", "-W", "error", "-n", "2").assert_outcomes(passed=8)


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ("salesforce_pace('quick')", "the mark salesforce_pace takes one of instant, manual, timed"),
        ("salesforce_schema()", "the mark salesforce_schema takes one argument"),
        ("salesforce_schema({'A': 1})", "cannot be made with these marks: A must be a table, not 1"),
        ("salesforce_data('nowhere')", "No such file or directory: 'nowhere'"),
        ("salesforce_settings({'limts': 1})", "limts is not a setting; did you mean limits?"),
        ("salesforce_faults({'kind': 'nonsense'})", "'nonsense' is not a kind of fault"),
        ("salesforce_faults({'nonsense': 1})", "unexpected keyword argument 'nonsense'"),
        ("salesforce_pace('timed', nonsense=1)", "unexpected keyword argument 'nonsense'"),
    ],
)
def test_wrong_marks_are_told(pytester: pytest.Pytester, mark: str, says: str) -> None:
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{mark}\ndef test(salesforce_org): pass\n")
    result = pytester.runpytest_inprocess("-p", "no:randomly")
    result.assert_outcomes(errors=1)
    assert says in result.stdout.str()


def test_org_of_ones_own_by_mark_and_by_ini_option(pytester: pytest.Pytester) -> None:
    field = '{"name": "Badge__c", "type": "string", "length": 20, "createable": true, "updateable": true}'
    for name in ("marked", "all"):
        folder = pytester.mkdir(name)
        (folder / "Badge__c.json").write_text(f'{{"name": "Badge_of_{name}__c", "fields": [{field}]}}')
    pytester.makeini("[pytest]\nsalesforce_describe = all\n")
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.salesforce_describe('marked')\ndef test_mark(salesforce_org):\n"
        "    salesforce_org.insert('Badge_of_marked__c', [{'Badge__c': 'x'}])\n\n"
        "def test_ini(salesforce_org):\n    salesforce_org.insert('Badge_of_all__c', [{'Badge__c': 'x'}])\n"
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=2)


def test_nothing_is_imported_until_a_test_asks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n\ndef test():\n    assert 'bulkforce_emulator.pytest_plugin' in sys.modules\n    assert not "
        "{'duckdb', 'pyarrow', 'starlette'} & sys.modules.keys()\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_missing_extra_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\nsys.modules['duckdb'] = None\n\ndef test(salesforce_org): pass\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    assert "salesforce_org needs the extra 'emulator'" in result.stdout.str()
