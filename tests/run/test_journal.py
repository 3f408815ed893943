"""What the journals of both verbs do with a run's files: they own, seal, read, remove them, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkforce.errors import FormatError, JournalMismatch, TransferError
from bulkforce.run.database import Step
from bulkforce.run.folder import PAGE, REPORT
from bulkforce.run.journal import SITTINGS, RunJournal, list_runs, own_page
from bulkforce.run.report import ErrorGroup, RunInfo, note_jobs, read_json
from bulkforce.run.seal import Seal

STEPS: list[Step] = [
    """CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE file (name TEXT PRIMARY KEY, size INTEGER, sha256 TEXT);
    CREATE TABLE job (number INTEGER PRIMARY KEY, id TEXT);""",
    (SITTINGS, own_page),
]


def nothing() -> None:
    """No fact is written down."""


def begun(folder: Path) -> RunJournal:
    folder.mkdir(exist_ok=True)
    return RunJournal(folder / "journal.sqlite", STEPS, new=nothing)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[RunJournal]:
    with closing(begun(tmp_path / "run")) as journal:
        yield journal


def put(journal: RunJournal, name: str, content: bytes = b"content", *, sealed: bool = True) -> Path:
    path = journal.folder / name
    with journal.transaction():
        journal.own([name])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    if sealed:
        with journal.transaction():
            journal.seal(name, Seal.of(content))
    return path


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("journal"))


def change(path: Path) -> None:
    path.write_bytes(b"another")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS: list[Callable[[Path], None]] = [Path.unlink, change, shorten, replace_by_folder]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_file_is_read_only_if_it_is_what_was_sealed(journal: RunJournal, harm: Callable[[Path], None]) -> None:
    path = put(journal, "feed.csv")
    assert (journal.read("feed.csv"), journal.is_whole("feed.csv")) == (b"content", True)
    harm(path)
    assert (journal.read("feed.csv"), journal.is_whole("feed.csv")) == (None, False)


def test_a_file_that_was_never_whole_is_not_read(journal: RunJournal) -> None:
    put(journal, "feed.csv", sealed=False)
    assert journal.owns("feed.csv")
    assert (journal.sealed("feed.csv"), journal.read("feed.csv"), journal.is_whole("feed.csv")) == (None, None, False)


@pytest.mark.parametrize("name", ["feed.csv", "feed.csv.part"])
@pytest.mark.parametrize("link", [False, True])
def test_what_lies_where_the_run_keeps_its_files_is_not_taken_for_its_own(
    journal: RunJournal,
    name: str,
    link: bool,
) -> None:
    path = journal.folder / name
    path.symlink_to("nowhere") if link else path.touch()
    with pytest.raises(TransferError, match=f"{name} is in the way"), journal.transaction():
        journal.own(["other.csv", "feed.csv"])
    # All or none.
    assert not journal.owns("other.csv")
    assert os.path.lexists(path)


def test_a_file_that_is_the_runs_is_owned_again_without_a_look(journal: RunJournal) -> None:
    put(journal, "feed.csv")
    with journal.transaction():
        journal.own(["feed.csv"])
    assert journal.sealed("feed.csv") == Seal.of(b"content")


def test_only_the_runs_own_files_are_removed(journal: RunJournal) -> None:
    with journal.transaction():
        journal.own(["results"])
    folder = journal.make_folder("results")
    put(journal, "results/1.csv")
    put(journal, "results/2.csv")
    (folder / "2.csv").unlink()
    (folder / "2.csv").symlink_to("nowhere")
    (folder / "1.csv.part").touch()
    put(journal, "results2")
    (folder / "notes").touch()
    journal.remove("results")
    assert names(journal.folder) == ["results", "results/notes", "results2"]
    (folder / "notes").unlink()
    journal.remove("results")
    assert names(journal.folder) == ["results2"]
    journal.remove("never was")


def test_a_folder_in_the_run_is_as_private_as_the_run(journal: RunJournal) -> None:
    journal.folder.chmod(0o700)
    assert journal.make_folder("results").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_comes_to_nothing_leaves_nothing_but_what_is_the_users(tmp_path: Path, kept: bool) -> None:
    folder = tmp_path / "made" / "run"
    folder.parent.mkdir()
    journal = begun(folder)
    with journal.transaction():
        journal._remember("made", f'["{folder}", "{folder.parent}"]')
    put(journal, "feed.csv")
    if kept:
        (folder / "notes").touch()
    journal.clear()
    assert names(tmp_path) == (["made", "made/run", "made/run/notes"] if kept else [])


def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    journal = begun(tmp_path / "run")
    journal.clear()
    assert names(tmp_path) == ["run"]
    assert list((tmp_path / "run").iterdir()) == []


def finished(journal: RunJournal, elsewhere: Path | None = None) -> None:
    with journal.transaction():
        journal.own([REPORT])
    put(journal, "success.csv", sealed=False)
    journal.finish(b'{"rows": 1, "sample": "secret"}', '{"rows": 1}', ["success.csv"], elsewhere)


def test_a_run_is_finished_once_its_report_and_outputs_are_in_place(journal: RunJournal) -> None:
    assert not journal.finished
    with pytest.raises(FileNotFoundError):
        journal.finish(b"{}", "{}", ["success.csv"])
    assert not journal.finished
    finished(journal)
    assert journal.finished
    assert journal.report() == '{"rows": 1, "sample": "secret"}'
    assert journal.changed(["success.csv"]) == []


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_what_is_not_what_a_finished_run_left_is_told(journal: RunJournal, harm: Callable[[Path], None]) -> None:
    finished(journal)
    harm(journal.folder / "success.csv")
    assert journal.changed(["success.csv", "failed.csv"]) == [journal.folder / "success.csv"]
    harm(journal.folder / REPORT)
    assert journal.changed([]) == [journal.folder / REPORT]
    # What the journal keeps holds no value of a record.
    assert journal.report() == '{"rows": 1}'


def test_a_report_that_is_gone_with_what_was_kept_of_it_is_told(journal: RunJournal) -> None:
    with pytest.raises(JournalMismatch, match=r"its report\.json was removed or changed since"):
        journal.report()


def test_a_report_of_a_version_that_did_not_seal_it_is_read(journal: RunJournal) -> None:
    (journal.folder / REPORT).write_bytes(b"old \xff")
    assert journal.report() == "old \ufffd"


@pytest.mark.parametrize("harm", [None, Path.unlink, change], ids=["as it was", "gone", "changed"])
def test_a_file_elsewhere_is_known_by_its_size_and_time(
    journal: RunJournal, tmp_path: Path, harm: Callable[[Path], None] | None
) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(b"rows")
    finished(journal, out)
    if harm:
        harm(out)
    assert journal.changed([], out) == ([out] if harm else [])
    assert journal.changed([]) == []


def test_what_a_run_was_begun_with_and_what_its_reading_found_are_told_together(journal: RunJournal) -> None:
    assert journal.known() == {}
    with journal.transaction():
        journal._remember("asked", '{"a": 1}')
        journal._remember("facts", '{"b": 2}')
    assert journal.known() == {"a": 1, "b": 2}


def test_runs_are_listed_whatever_state_they_are_in(tmp_path: Path) -> None:
    for name in ("1", "2"):
        begun(tmp_path / name).close()
    held = begun(tmp_path / "3")
    (tmp_path / "2" / "journal.sqlite").write_bytes(b"no database at all" * 100)
    (tmp_path / "no run").mkdir()

    def open_again(folder: Path) -> RunJournal:
        return RunJournal(folder / "journal.sqlite", STEPS)

    def tell(journal: RunJournal) -> RunInfo:
        return RunInfo("1", journal.folder, "insert Contact", "finished", 1.0)

    found = list_runs(tmp_path, "journal.sqlite", open_again, tell)
    assert [(run.run, run.state) for run in found] == [("1", "finished"), ("2", "unreadable"), ("3", "running")]
    assert [run.folder for run in found] == [tmp_path / name for name in "123"]
    held.close()


GROUP = '{"status_code": "X", "message": "m", "count": 2, "row": 1, "sample": "s"}'


def test_a_report_is_read_back_as_it_was_written() -> None:
    assert read_json(GROUP, ErrorGroup) == ErrorGroup("X", "m", 2, 1, "s")
    assert read_json(GROUP[:-1] + ', "more": 1}', ErrorGroup, ["more"]) == ErrorGroup("X", "m", 2, 1, "s")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        GROUP[:-1] + ', "more": 1}',
        GROUP.replace("2", '"2"'),
        GROUP.replace("2", "true"),
        GROUP.replace("2", "null"),
        GROUP.replace('"m"', "7"),
        "[" * 100_000,
    ],
    ids=["no JSON", "no object", "too little", "too much", "text", "flag", "null", "number", "too deep"],
)
def test_what_is_no_report_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(FormatError, match="This is not the ErrorGroup of a run") as caught:
        read_json(text, ErrorGroup)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(("run", "begun"), [(7, 1.0), ("x", "yesterday")])
def test_a_run_of_which_the_journal_says_nonsense_is_none(run: object, begun: object) -> None:
    with pytest.raises(TypeError):
        RunInfo(run, Path("x"), "insert", "finished", begun)  # type: ignore[arg-type]


def test_page_is_written_only_under_a_name_of_the_run(journal: RunJournal) -> None:
    journal.write_page("theirs")
    assert not (journal.folder / PAGE).exists()
    with journal.transaction():
        journal.own([PAGE])
    journal.write_page("first")
    journal.write_page("ours")
    assert (journal.folder / PAGE).read_text("utf-8") == "ours"


@pytest.mark.parametrize("taken", ["", PAGE, f"{PAGE}.part"])
def test_old_journal_owns_its_page_unless_the_name_is_taken(tmp_path: Path, taken: str) -> None:
    RunJournal(tmp_path / "journal.sqlite", STEPS[:1], new=nothing).close()
    if taken:
        (tmp_path / taken).symlink_to("nowhere")
    with closing(RunJournal(tmp_path / "journal.sqlite", STEPS)) as journal:
        assert journal.owns(PAGE) == (not taken)
        assert (journal.times(), journal.job_ids()) == ([], [])


def test_times_of_sittings(journal: RunJournal) -> None:
    clock = iter([1.0, 2.0, 3.0])
    journal.begin_time(lambda: next(clock))
    journal.end_time()
    journal.begin_time(journal.today)
    assert journal.times() == [(1.0, 2.0), (3.0, None)]


def test_files_for_the_user_are_those_that_are_there(journal: RunJournal, tmp_path: Path) -> None:
    for name in ("success.csv", "feed.csv", PAGE, "results/1.csv", "gone.csv", "link.csv", "folder"):
        put(journal, name)
    (journal.folder / "gone.csv").unlink()
    (journal.folder / "link.csv").unlink()
    (journal.folder / "link.csv").symlink_to("success.csv")
    (journal.folder / "folder").unlink()
    (journal.folder / "folder").mkdir()
    (journal.folder / "notes").touch()
    assert journal.files(journal.folder) == [("success.csv", 7)]
    assert journal.files(tmp_path) == []


def test_jobs_that_go_on_are_noted_on_what_ends_a_run_at_once() -> None:
    at_once = KeyboardInterrupt()
    note_jobs(at_once, [], Path("run"))
    assert not hasattr(at_once, "__notes__")
    note_jobs(at_once, ["750A"], Path("run"))
    note_jobs(at_once, [str(number) for number in range(7)], Path("run"))
    sent, go_on = "in the org; to abort: bulkforce job abort", "Go on with: bulkforce resume run"
    assert at_once.__notes__ == [
        f"Job 750A goes on {sent} 750A. {go_on}",
        f"Jobs 0, 1, 2, 3, 4 and 2 more go on {sent} ID. {go_on}",
    ]
