"""Which batches a query's job holds, and which of them are chunks of the query: nothing is believed that could be cut,
old or somebody else's."""

from __future__ import annotations

import pytest
from tests.support.script import Script, said, script, xml

from bulkforce.apis.abc import JobStanding, Looked, Looks
from bulkforce.apis.query1 import Query1
from bulkforce.errors import ProtocolError
from bulkforce.protocol import soql
from bulkforce.protocol.exchange import Answer

API = Query1("query", "X", Looks(10.0, 3))
ORIGINAL = "751000000000000AAA"


def listed(*ids: str, original: str = "NotProcessed", state: str = "Queued") -> Answer:
    batches = [(ORIGINAL, original), *((batch_id, state) for batch_id in ids)]
    members = [
        f"<batchInfo><id>{batch_id}</id><jobId>750A</jobId><state>{state}</state></batchInfo>"
        for batch_id, state in batches
    ]
    return said(xml("batchInfoList", "".join(members)))


def job(total: int | None, *, queued: int | None = None, state: str = "Open") -> Answer:
    counted = "" if total is None else f"<numberBatchesTotal>{total}</numberBatchesTotal>"
    states = {"Queued": total if queued is None else queued, "InProgress": 0, "Completed": 0, "Failed": 0}
    by_state = "".join(
        f"<numberBatches{name}>{count}</numberBatches{name}>"
        for name, count in states.items()
        if queued != -1 and total is not None
    )
    return said(
        xml(
            "jobInfo",
            f"<id>750A</id><operation>query</operation><object>X</object><state>{state}</state><contentType>CSV</contentType>{by_state}{counted}",
        )
    )


def look(*lines: Answer, known: tuple[str, ...] = (ORIGINAL,), whole: bool = True) -> tuple[set[str], list[float]]:
    played = Script(list(lines))
    found: Looked = played.run(API.look("750A", ORIGINAL, known, splits=whole))
    assert played.lines == []
    return {info.id for info in found.batches.values()} - {ORIGINAL}, played.pauses


@pytest.mark.parametrize(
    ("total", "queued"),
    [
        (2, 2),  # as in the guide's sample: the original is not counted
        (3, 2),  # it is counted, but is in no state that is counted by itself
    ],
)
def test_list_that_agrees_with_the_job_is_believed_at_once(total: int, queued: int) -> None:
    assert look(listed("751B", "751C"), job(total, queued=queued)) == ({"751B", "751C"}, [])


def test_list_that_lags_behind_the_job_is_looked_at_again() -> None:
    lagging = [listed(), job(2), listed("751B"), job(2)]
    assert look(*lagging, listed("751B", "751C"), job(2)) == ({"751B", "751C"}, [10.0, 15.0])


def test_list_that_lacks_a_batch_that_was_there_is_looked_at_again() -> None:
    assert look(listed("751C"), listed("751B", "751C"), known=(ORIGINAL, "751B"), whole=False) == (
        {"751B", "751C"},
        [10.0],
    )


@pytest.mark.parametrize("job", [job(None), job(2, queued=-1), job(0)], ids=["no count", "none by state", "count lags"])
def test_list_that_may_be_whole_is_believed_when_it_stays_the_same_over_all_looks(job: Answer) -> None:
    assert look(*[listed("751B"), job] * 3) == ({"751B"}, [10.0, 15.0])


@pytest.mark.parametrize(
    "lines",
    [
        [listed("751B"), job(3)] * 3,
        [listed("751B"), job(2)] * 3,
        [listed("751B"), job(None), listed("751C"), job(None), listed("751B"), job(None)],
        [listed("751B"), job(None), listed("751B"), job(3), listed("751B"), job(None)],
    ],
)
def test_list_that_never_agrees_is_not_believed(lines: list[Answer]) -> None:
    with pytest.raises(ProtocolError, match=r"list of the batches of job 750A .*may be incomplete") as caught:
        look(*lines)
    assert caught.value.job_id == "750A"


def test_list_that_lacks_a_batch_for_good_is_not_believed() -> None:
    with pytest.raises(ProtocolError, match="lacks batch 751B, which the org has accepted"):
        look(*[listed("751C")] * 3, known=("751B",), whole=False)


def test_job_that_was_aborted_is_no_matter_of_counting() -> None:
    assert look(listed("751B"), job(9, state="Aborted")) == ({"751B"}, [])


def test_batches_that_never_run_make_the_job_be_looked_at() -> None:
    found = script(
        API.look("750A", ORIGINAL, (), splits=False), [listed("751B", state="NotProcessed"), job(1, state="Aborted")]
    )
    assert found.job.standing is JobStanding.ABORTED


def test_ids_are_the_same_with_check_characters_and_without() -> None:
    assert look(listed("751000000000001AAA"), job(1), known=(ORIGINAL[:15], "751000000000001")) == (
        {"751000000000001AAA"},
        [],
    )


QUERY = "SELECT Id, Owner.Name FROM Account WHERE Name LIKE 'N%' OR Name = ''"
LOW, HIGH = "001300000000000", "00130000000132G"
RANGE = f"Id >= '{LOW}' AND Id < '{HIGH}'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{QUERY} AND {RANGE}", RANGE),
        (f"SELECT Id, Owner.Name FROM Account WHERE (Name LIKE 'N%' OR Name = '') AND {RANGE}", RANGE),
        (
            (
                f"select id, owner.name\nfrom account where name like 'N%' or name = '' and (Id >= {LOW} AND Id < "
                f"{HIGH})\n"
            ),
            RANGE,
        ),
        (
            f"{QUERY} AND AccountId >= '{LOW}AAA' AND AccountId < '{HIGH}AAB'",
            f"AccountId >= '{LOW}AAA' AND AccountId < '{HIGH}AAB'",
        ),
        # A closing quote that is missing takes nothing from an id.
        (f"{QUERY} AND {RANGE}"[:-1], RANGE),
    ],
)
def test_range_of_a_chunk_is_read_from_its_query(text: str, expected: str) -> None:
    query = soql.read(QUERY)
    assert query.range_in(text) == expected
    assert soql.borders(expected) == (LOW, HIGH)
    assert (
        soql.read(query.with_condition(expected)).text
        == f"SELECT Id, Owner.Name FROM Account WHERE {expected} AND (Name LIKE 'N%' OR Name = '')"
    )


def test_query_that_was_cut_anywhere_has_no_range() -> None:
    whole = f"{QUERY} AND {RANGE}"
    for end in range(len(whole) - 1):
        assert soql.read(QUERY).range_in(whole[:end]) is None, whole[:end]


@pytest.mark.parametrize(
    "text",
    [
        QUERY,
        "",
        f"SELECT Id FROM Account WHERE {RANGE}",
        f"SELECT Id, Owner.Name FROM Contact WHERE {RANGE}",
        f"{QUERY} AND Id >= '{HIGH}' AND Id < '{LOW}'",
        f"{QUERY} AND Id >= '{LOW}' AND OwnerId < '{HIGH}'",
        f"{QUERY} AND Id >= '{LOW}' AND Id < '{HIGH}' LIMIT 5",
    ],
)
def test_what_is_no_chunk_of_the_query_has_no_range_of_it(text: str) -> None:
    assert soql.read(QUERY).range_in(text) is None


def read_range(*texts: str) -> str | None:
    found: str | None = script(
        API.read_range("750A", "751B", soql.read(QUERY)), [said(text, media="text/csv") for text in texts]
    )
    return found


def test_request_is_read_again_when_it_shows_no_range() -> None:
    whole = f"{QUERY} AND {RANGE}"
    assert read_range(whole[:-30], QUERY, whole) == RANGE


@pytest.mark.parametrize(
    "text",
    [QUERY, "SELECT Id FROM Account", f"SELECT Id FROM Account WHERE {RANGE}", "hello", f"{QUERY} AND Id >= '{LOW}'"],
)
def test_what_never_shows_that_it_is_a_chunk_has_no_range(text: str) -> None:
    assert read_range(text, text, text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (QUERY, "SELECT COUNT() FROM Account WHERE Name LIKE 'N%' OR Name = ''"),
        ("SELECT Id FROM X ORDER BY Name LIMIT 5 FOR VIEW", "SELECT COUNT() FROM X LIMIT 5"),
        (
            "SELECT Id, 'FROM' FROM X USING SCOPE mine WHERE a = ' ORDER BY x' WITH y ALL ROWS",
            "SELECT COUNT() FROM X USING SCOPE mine WHERE a = ' ORDER BY x' WITH y ALL ROWS",
        ),
    ],
)
def test_records_of_a_query_are_counted_by_another(text: str, expected: str) -> None:
    assert soql.read(text).counting() == expected


def test_results_of_records_are_no_list_of_result_files() -> None:
    records = said('"Id","Success","Created","Error"\n"001A","true","true",""\n', media="text/csv")
    with pytest.raises(ProtocolError, match="record results, not result files"):
        script(API.list_results("750A", "751B"), [records])


def test_columns_have_the_order_of_the_query() -> None:
    assert API.keeps_order
