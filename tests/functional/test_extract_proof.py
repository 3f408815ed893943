"""An extract believes only what is proven: lists that may lag, batches that may be somebody else's, files and requests
that may be cut."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.extraction import QUERY, Meddler, bring, client_of, fetched, go_on, read, seeded, stored

from bulkforce import errors
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.state.lifecycle import Pace

CHUNKS = 8
LIST, ASK = "*/job/*/batch", "*/batch"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with seeded(5 * CHUNKS) as org:
        yield org


def assert_whole(org: Emulator, folder: Path) -> None:
    assert Counter(read(folder / "out.csv")) == Counter(stored(org))
    assert {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}


# Whose batches they are


@pytest.mark.parametrize("pk_chunking", [False, 5])
def test_query_that_reaches_the_org_twice_gives_its_rows_once(org: Emulator, tmp_path: Path, pk_chunking: int) -> None:
    org.faults.add(Fault("late twin", "POST", ASK, acted=True, after_requests=0))
    report = bring(org, tmp_path, pk_chunking=pk_chunking)
    assert org.faults.struck == 1
    assert_whole(org, tmp_path)
    assert (report.rows, report.batches) == (5 * CHUNKS, CHUNKS if pk_chunking else 1)


def test_query_that_reaches_the_org_twice_each_time_is_an_error(org: Emulator, tmp_path: Path) -> None:
    def again(effect: str) -> None:
        if effect == "ask":
            org.state.jobs.add_batch(org.state.jobs.all()[-1], QUERY.encode())

    with pytest.raises(
        errors.Interrupted,
        match=r"Job 750\w+ holds batch 751\w+, whose request does not show.*Resuming runs the whole query again",
    ):
        bring(org, tmp_path, pk_chunking=5, trace=again)
    assert len(org.state.jobs.all()) == 3
    go_on(org, tmp_path)
    assert_whole(org, tmp_path)


@pytest.mark.parametrize(
    "soql", [QUERY, f"{QUERY} LIMIT 3", f"{QUERY} WHERE Code__c = 'row 1'", "SELECT Id FROM Row__c"]
)
def test_query_whose_job_has_a_batch_of_somebody_else_is_asked_anew(
    org: Emulator, tmp_path: Path, soql: str, caplog: pytest.LogCaptureFixture
) -> None:
    def intrude(effect: str) -> None:
        jobs = org.state.jobs.all()
        if effect == "ask" and len(jobs) == 1:
            org.state.jobs.add_batch(jobs[0], soql.encode())

    report = bring(org, tmp_path, pk_chunking=5, trace=intrude)
    assert_whole(org, tmp_path)
    assert (report.rows, report.batches, len(report.jobs)) == (5 * CHUNKS, CHUNKS, 2)
    assert re.search(r"Job 750\w+ holds batch 751\w+, whose request .*so the whole query is run again", caplog.text)


def test_query_whose_chunks_are_there_twice_is_asked_anew(
    org: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As if the org had split a query that reached it twice both times."""
    chunk = ""

    def change(path: str, content: bytes) -> bytes | None:
        nonlocal chunk
        if not path.endswith("/request") or len(org.state.jobs.all()) > 1:
            return None
        chunk = chunk or content.decode()
        return chunk.encode()

    with client_of(org, transport=Meddler(change)) as client:
        report = bring(org, tmp_path, pk_chunking=5, client=client)
    assert_whole(org, tmp_path)
    assert len(report.jobs) == 2
    assert "a chunk of the query that it already holds" in caplog.text


def test_batch_that_comes_when_rows_were_delivered_already_stops_the_extract(org: Emulator, tmp_path: Path) -> None:
    seen: list[str] = []

    def intrude(effect: str) -> None:
        seen.append(effect)
        if effect == "deliver" and seen.count(effect) == 1:
            org.state.jobs.add_batch(org.state.jobs.all()[0], QUERY.encode())

    org.set_pace(Pace.timed(parallel=1, batch_seconds=0.05))
    with pytest.raises(errors.Interrupted, match=r"Job 750\w+ holds batch 751\w+.*Resuming runs the whole query again"):
        bring(org, tmp_path, pk_chunking=5, trace=intrude)
    assert not (tmp_path / "out.csv").exists()
    go_on(org, tmp_path)
    assert_whole(org, tmp_path)


# Lists that lag


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("newest", [1, 3, CHUNKS])
@pytest.mark.parametrize("times", [1, 4])
def test_list_that_lags_behind_never_makes_a_short_extract(
    tmp_path: Path, counted: bool, newest: int, times: int
) -> None:
    with seeded(5 * CHUNKS, Settings(count_chunked_original=counted)) as org:
        org.faults.add(Fault("lagging list", newest=newest, times=times, nth=2))
        bring(org, tmp_path, pk_chunking=5)
        assert_whole(org, tmp_path)


def test_list_that_lags_for_good_is_an_error(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("lagging list", times=10_000))
    with pytest.raises(
        errors.Interrupted, match=r"list of the batches of job 750\w+ has 8 batches while the job counts 8.*Go on with"
    ):
        bring(org, tmp_path, pk_chunking=5)
    assert not (tmp_path / "out.csv").exists()
    org.faults.clear()
    go_on(org, tmp_path)
    assert_whole(org, tmp_path)


def test_list_and_count_that_lag_together_are_noticed_when_the_job_is_closed(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("lagging list", times=10_000, newest=2), Fault("lagging job", "GET", times=10_000, newest=2))

    def catch_up(effect: str) -> None:
        if effect == "end":
            org.faults.clear()

    def before_the_end(path: str, content: bytes) -> None:
        # What closes the job tells the truth, and so does what comes behind it.
        if b"<state>Closed</state>" in content:
            org.faults.clear()

    with client_of(org, transport=Meddler(before_the_end)) as client:
        report = bring(org, tmp_path, pk_chunking=5, client=client, trace=catch_up)
    assert report.batches == CHUNKS
    assert_whole(org, tmp_path)


def test_batch_that_was_there_and_is_not_in_the_list_is_waited_for(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("late commit", "POST", ASK, after_looks=3))
    bring(org, tmp_path)
    assert_whole(org, tmp_path)


def test_batch_that_is_never_in_the_list_is_an_error(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("late commit", "POST", ASK))
    with pytest.raises(
        errors.Interrupted, match=r"list of the batches of job 750\w+ lacks batch 751\w+, which the org has accepted"
    ):
        bring(org, tmp_path)


# What is read back


def cutting(pattern: str, cut: Callable[[bytes], bytes], times: int = 1, *, framed: bool = False) -> Meddler:
    """Cut some answers to a path; they do not tell where they end."""
    left = times

    def change(path: str, content: bytes) -> bytes | None:
        nonlocal left
        if left == 0 or not re.search(pattern, path):
            return None
        left -= 1
        return cut(content)

    return Meddler(change, framed=framed)


@pytest.mark.parametrize("end", [1, 2, 17, 25, 40, 55, 60])
def test_failed_chunk_is_asked_again_whole_though_its_request_was_cut(org: Emulator, tmp_path: Path, end: int) -> None:
    org.mishaps.plan(Mishap(message="InternalServerError : later"), nth=4)
    with client_of(org, transport=cutting("/request$", lambda content: content[:-end], times=2)) as client:
        bring(org, tmp_path, client=client, pk_chunking=5)
    assert_whole(org, tmp_path)


@pytest.mark.parametrize("end", [0, 20, 50])
def test_requests_that_never_show_a_range_stop_the_extract(org: Emulator, tmp_path: Path, end: int) -> None:
    """Cut where they cannot be told from the query itself, or within the range."""

    def cut(content: bytes) -> bytes:
        return content[: len(QUERY) + end]

    transport = cutting("/request$", cut, times=10_000, framed=True)
    with (
        client_of(org, transport=transport) as client,
        pytest.raises(errors.Interrupted, match="does not show that it is a chunk"),
    ):
        bring(org, tmp_path, client=client, pk_chunking=5)
    assert not (tmp_path / "out.csv").exists()
    go_on(org, tmp_path)
    assert_whole(org, tmp_path)


def test_chunk_that_fails_is_asked_again_by_its_range_alone(org: Emulator, tmp_path: Path) -> None:
    """Whatever else the org writes into a chunk's query."""
    org.mishaps.plan(Mishap(message="InternalServerError : later"), nth=4)

    def spread(content: bytes) -> bytes:
        return content.replace(b" WHERE ", b"\n  where\t(Code__c != 'never') and ").replace(b"'", b"'")

    with client_of(org, transport=cutting("/request$", spread, times=CHUNKS, framed=True)) as client:
        bring(org, tmp_path, client=client, pk_chunking=5)
    assert_whole(org, tmp_path)
    again = org.state.jobs.all()[-1]
    (batch,) = again.batches.values()
    assert "never" not in org.state.jobs.spool.get(batch.request).decode()


# What proves that a file is whole


def ends_of(content: bytes) -> Iterator[int]:
    """Ends of whole records, with a line end behind them and without."""
    for match in re.finditer(rb'"\n"', content):
        yield from (match.start() + 1, match.start() + 2)


@pytest.mark.parametrize("cut", [1, 2, 40, 41])
def test_file_that_was_cut_between_records_without_a_word_is_fetched_again(
    org: Emulator, tmp_path: Path, cut: int
) -> None:
    def shorter(content: bytes) -> bytes:
        return content[: [*ends_of(content), len(content) - 1][-cut]]

    with client_of(org, transport=cutting("/result/", shorter)) as client:
        bring(org, tmp_path, client=client)
    assert_whole(org, tmp_path)
    assert len(fetched(org)) == 2


def test_file_that_was_cut_on_a_line_that_tells_another_end_lacks_the_line_end_of_the_others(
    org: Emulator, tmp_path: Path
) -> None:
    """The gateway between gives the length of what it has cut."""

    def change(path: str, content: bytes) -> bytes | None:
        return content[:-1] if "/result/" in path and len(fetched(org)) == 3 else None

    with client_of(org, transport=Meddler(change)) as client:
        bring(org, tmp_path, client=client, pk_chunking=5, workers=1)
    assert_whole(org, tmp_path)
    assert len(fetched(org)) == CHUNKS + 1


def quiet(told: str | None) -> Callable[[str, bytes], bytes | None]:
    """An org that does not tell how many records a query has."""
    words = b"" if told is None else b"<numberRecordsProcessed>%b</numberRecordsProcessed>" % told.encode()
    return lambda path, content: (
        re.sub(rb"<numberRecordsProcessed>\d+</numberRecordsProcessed>", words, content)
        if b"<batchInfo" in content
        else None
    )


@pytest.mark.parametrize("told", ["0", None])
@pytest.mark.parametrize("pk_chunking", [False, 5])
def test_org_that_does_not_tell_how_many_records_there_are_is_asked_to_count_them(
    org: Emulator, tmp_path: Path, told: str | None, pk_chunking: int, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of(org, transport=Meddler(quiet(told))) as client:
        report = bring(org, tmp_path, client=client, pk_chunking=pk_chunking)
    assert_whole(org, tmp_path)
    assert (report.state, report.rows) == ("finished", 5 * CHUNKS)
    assert caplog.text.count("did not say how many records batch 751") == 1
    assert "now counts" not in caplog.text
    assert len([request for request in org.requests if request.path.endswith("/query")]) == 1


@pytest.mark.parametrize(("told", "agrees"), [("0", True), (None, False)])
def test_query_that_finds_nothing_is_only_doubted_where_the_org_does_not_say_so(
    org: Emulator, tmp_path: Path, told: str | None, agrees: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """0 told and no rows are two answers that agree; without the first there is only one."""
    soql = "SELECT Id, Code__c FROM Row__c WHERE Code__c = 'none such'"
    with client_of(org, transport=Meddler(quiet(told))) as client:
        assert bring(org, tmp_path, client=client, soql=soql).rows == 0
    assert caplog.text.count("did not say how many records batch 751") == (not agrees)
    assert len([request for request in org.requests if request.path.endswith("/query")]) == (not agrees)


def test_count_that_differs_is_told(org: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def late(effect: str) -> None:
        if effect == "fetch":
            org.insert("Row__c", [{"Code__c": "late"}])

    with client_of(org, transport=Meddler(quiet("0"))) as client:
        bring(org, tmp_path, client=client, trace=late)
    assert "The org now counts 41 records for the query, but 40 were extracted" in caplog.text


def test_count_that_cannot_be_had_is_told(org: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    org.faults.add(Fault("status", path="*/query", status=403, times=99))
    with client_of(org, transport=Meddler(quiet("0"))) as client:
        bring(org, tmp_path, client=client)
    assert_whole(org, tmp_path)
    assert "The org did not say how many records the query finds" in caplog.text


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_file_that_is_neither_counted_nor_framed_is_believed_when_it_comes_twice(
    org: Emulator, tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    silent = quiet("0")
    seen = 0

    def change(path: str, content: bytes) -> bytes | None:
        nonlocal seen
        if "/result/" not in path:
            return silent(path, content)
        seen += 1
        return content[: [*ends_of(content)][-cut]] if seen == 1 else content

    with client_of(org, transport=Meddler(change, framed=False)) as client:
        bring(org, tmp_path, client=client)
    assert_whole(org, tmp_path)
    assert seen == 3


def test_more_records_than_the_org_told_are_an_error(org: Emulator, tmp_path: Path) -> None:
    with (
        client_of(org, transport=Meddler(quiet("39"))) as client,
        pytest.raises(
            errors.Interrupted,
            match=r"Batch 751\w+ of job 750\w+ has 39 records, but its result files hold more, 40: some may be there "
            r"twice",
        ),
    ):
        bring(org, tmp_path, client=client)
    assert not (tmp_path / "out.csv").exists()


def test_list_of_results_that_lacks_some_is_asked_for_again(org: Emulator, tmp_path: Path) -> None:
    org.mishaps.plan(Mishap(result_bytes=20_000))
    lacking = cutting(
        "/result$",
        lambda content: re.sub(rb"<result>\w+</result></result-list>", b"</result-list>", content),
        framed=True,
    )
    with client_of(org, transport=lacking) as client:
        assert bring(org, tmp_path, client=client).parts > 2
    assert_whole(org, tmp_path)


def test_empty_list_of_results_is_no_answer_where_records_were_told(org: Emulator, tmp_path: Path) -> None:
    empty = cutting("/result$", lambda content: re.sub(rb"<result>.*</result>", b"", content), framed=True)
    with client_of(org, transport=empty) as client:
        bring(org, tmp_path, client=client)
    assert_whole(org, tmp_path)


# What is not what it should be

BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "not UTF-8": lambda content: content.replace(b"row 1", b"row \xff"),
    "cut within a character": lambda content: content.replace("Привет".encode(), "Привет".encode()[:-1], 1),
    "other columns": lambda content: content.replace(b'"Code__c"', b'"Other__c"', 1),
    "a column too few": lambda content: b'"Id","Code__c"\n' + b'"1","2"\n' * 5,
    "no columns": lambda content: b"OK",
    "a page": lambda content: b"<html>\n<body>maintenance</body>\n</html>",
    "JSON": lambda content: b'[{"attributes":{"type":"Row__c"},"Id":"1"}]',
    "nothing": lambda content: b"",
    "a quote too many": lambda content: content + b'"',
    "a record too short": lambda content: content + b'"1","2"\n',
    "records by carriage returns": lambda content: content + b'"1","2","3"\r"4","5","6"\r\n"7","8","9"\n',
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_fetched_again(org: Emulator, tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    with client_of(org, transport=cutting("/result/", spoil, framed=True)) as client:
        bring(org, tmp_path, client=client)
    assert_whole(org, tmp_path)
    assert len(fetched(org)) == 2


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_file_that_stays_broken_is_kept_aside_and_the_rest_is_fetched(
    org: Emulator, tmp_path: Path, spoil: Callable[[bytes], bytes], form: str
) -> None:
    spoilt: list[bytes] = []

    def change(path: str, content: bytes) -> bytes | None:
        if "/result/" not in path or b'"row 10"' not in content:
            return None
        spoilt.append(spoil(content))
        return spoilt[-1]

    with client_of(org, transport=Meddler(change)) as client, pytest.raises(errors.Error) as caught:
        bring(org, tmp_path, client=client, pk_chunking=5, workers=1, to=tmp_path / f"out.{form}")
    assert "Go on with: bulkforce resume" in str(caught.value) or isinstance(caught.value, errors.FellShort)
    assert re.search(r"atch 751\w+ of job 750\w+", str(caught.value))
    assert not (tmp_path / f"out.{form}").exists()
    # All others were fetched once, so that nothing of them is lost when the org forgets them.
    counts = Counter(fetched(org))
    assert sorted(counts.values()) == [1] * (CHUNKS - 1) + [3]
    if not isinstance(caught.value, errors.FellShort) and "hold more" not in str(caught.value):
        kept = re.search(r"kept as (\S+\.csv)", str(caught.value))
        assert kept
        assert Path(kept[1]).read_bytes() == spoilt[-1]
    go_on(org, tmp_path)
    assert len(fetched(org)) == CHUNKS + 2 + 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "extract.sqlite",
        "report.html",
        "report.json",
    ]


def test_error_of_a_broken_file_shows_no_record(org: Emulator, tmp_path: Path) -> None:
    for name, spoil in BROKEN.items():
        folder = tmp_path / name
        folder.mkdir()
        with (
            client_of(org, transport=cutting("/result/", spoil, times=99, framed=True)) as client,
            pytest.raises(errors.Error) as caught,
        ):
            bring(org, folder, client=client)
        error: BaseException | None = caught.value
        while error is not None:
            assert not re.search(r"she said|Привет|row \d|maintenance|attributes", f"{error!r} {vars(error)!r}"), name
            error = error.__cause__ or error.__context__
