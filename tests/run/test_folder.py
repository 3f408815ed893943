"""Where a run may lie: in a folder of its own, apart from other runs and from the user's files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkforce.errors import TransferError, UsageError
from bulkforce.run.folder import EXTRACT, LOAD, RUNS, THEIRS, disk_told, find, holds, new_run
from bulkforce.run.journal import job_ids


def begin(run: str, folder: Path, made: list[Path]) -> tuple[str, Path, list[Path]]:
    assert folder.is_dir()
    return run, folder, made


def begun(
    run_dir: Path | None,
    *,
    inputs: list[Path] | None = None,
    outputs: list[Path] | None = None,
) -> tuple[str, Path, list[Path]]:
    return new_run(
        run_dir,
        "insert",
        "Contact",
        begin,
        journal=LOAD,
        private=True,
        inputs=inputs or [],
        outputs=outputs or [],
    )


def a_run(folder: Path, *, finished: bool, journal: str = LOAD) -> Path:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / journal)) as database, database:
        database.execute("CREATE TABLE fact (name, value)")
        if finished:
            database.execute("INSERT INTO fact VALUES ('finished', 'yes')")
    return folder


def refused(run_dir: Path, *, inputs: list[Path] | None = None, outputs: list[Path] | None = None) -> str:
    before = sorted(run_dir.parent.rglob("*"))
    with pytest.raises(UsageError) as caught:
        begun(run_dir, inputs=inputs, outputs=outputs)
    assert sorted(run_dir.parent.rglob("*")) == before
    return caught.value.text


def test_a_run_without_a_folder_gets_one_that_tells_what_it_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    run, folder, made = begun(None)
    assert "-insert-Contact-" in run
    assert (folder, made) == (RUNS / run, [RUNS / run, RUNS])
    assert find(run, LOAD) is None
    (folder / LOAD).touch()
    assert find(run, LOAD) == find(folder, LOAD) == folder
    assert find(run, EXTRACT) is None


def test_a_run_has_the_name_of_the_folder_that_the_user_gave(tmp_path: Path) -> None:
    assert begun(tmp_path / "a" / "b") == ("b", tmp_path / "a" / "b", [tmp_path / "a" / "b", tmp_path / "a"])
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_run_that_does_not_come_about_takes_back_the_folders_that_were_made_for_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()

    def dies(_run: str, _folder: Path, _made: list[Path]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        new_run(tmp_path / "there" / "a" / "b", "insert", "Contact", dies, journal=LOAD, private=False)
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_a_folder_that_holds_what_somebody_put_in_meanwhile_stays(tmp_path: Path) -> None:
    def dies(_run: str, folder: Path, _made: list[Path]) -> None:
        (folder / "notes").touch()
        raise KeyError

    with pytest.raises(KeyError):
        new_run(tmp_path / "a", "insert", "Contact", dies, journal=LOAD, private=False)
    assert (tmp_path / "a" / "notes").exists()


def test_a_folder_that_cannot_be_made_or_looked_into_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be used" in refused(tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "cannot be created" in refused(tmp_path / "link" / "run")


@pytest.mark.parametrize("journal", [LOAD, EXTRACT])
def test_a_folder_holds_one_run(tmp_path: Path, journal: str) -> None:
    folder = a_run(tmp_path / "run", finished=True, journal=journal)
    if journal == LOAD:
        # It is the journal itself that says whether anything stands in it.
        assert begun(folder)[2] == []
    else:
        assert "already holds a run; resume it with `bulkforce resume" in refused(folder)


def test_a_folder_in_which_anything_else_lies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "b").touch()
    (tmp_path / "run" / "a").touch()
    assert "is not empty (it contains a)" in refused(tmp_path / "run")


@pytest.mark.parametrize("finished", [True, False])
def test_no_run_lies_in_another(tmp_path: Path, finished: bool) -> None:
    outer = a_run(tmp_path / "outer", finished=finished)
    assert "is inside the folder of another run" in refused(outer / "a" / "b")


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
@pytest.mark.parametrize("where", ["run", "run/file", "."])
def test_a_file_of_the_user_and_the_runs_folder_are_apart(tmp_path: Path, kind: str, where: str) -> None:
    inputs, outputs = ([tmp_path / where], []) if kind == "inputs" else ([], [tmp_path / where])
    assert "overlap" in refused(tmp_path / "run", inputs=inputs, outputs=outputs)


@pytest.mark.parametrize("journal", [LOAD, EXTRACT])
@pytest.mark.parametrize(
    ("kind", "finished", "complaint"),
    [
        ("inputs", True, None),
        ("inputs", False, "of a run that is not finished"),
        ("outputs", True, "where it might be mistaken for one of the run's files"),
        ("outputs", False, "where it might be mistaken for one of the run's files"),
    ],
)
def test_a_file_in_the_folder_of_another_run(
    tmp_path: Path,
    journal: str,
    kind: str,
    finished: bool,
    complaint: str | None,
) -> None:
    file = a_run(tmp_path / "other", finished=finished, journal=journal) / "sub" / "failed.csv"
    inputs, outputs = ([file], []) if kind == "inputs" else ([], [file])
    if complaint is None:
        assert begun(tmp_path / "run", inputs=inputs)[1] == tmp_path / "run"
    else:
        assert complaint in refused(tmp_path / "run", inputs=inputs, outputs=outputs)


def test_a_run_whose_journal_cannot_be_read_counts_as_not_finished(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / LOAD).write_bytes(b"no database at all")
    assert "not finished" in refused(tmp_path / "run", inputs=[tmp_path / "other" / "failed.csv"])
    held = a_run(tmp_path / "held", finished=True) / LOAD
    with closing(sqlite3.connect(held)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert "not finished" in refused(tmp_path / "run", inputs=[held.parent / "failed.csv"])


def test_a_folder_that_we_may_not_look_into_holds_no_run_for_us(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    a_run(tmp_path / "run", finished=True)
    assert holds(tmp_path / "run", LOAD)
    monkeypatch.setattr(Path, "exists", forbidden)
    assert not holds(tmp_path / "run", LOAD)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), sqlite3.OperationalError("database is full")])
def test_a_disk_that_fails_is_told_as_an_error_of_ours(error: Exception) -> None:
    with (
        pytest.raises(TransferError, match="The run in x cannot be written, or its source cannot be read") as caught,
        disk_told(Path("x")),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_what_the_users_own_records_raise_is_theirs() -> None:
    error = OSError("their file is gone")
    error.add_note(THEIRS)
    with pytest.raises(OSError, match="their file") as caught, disk_told(Path("x")):
        raise error
    assert caught.value is error


def test_jobs_of_a_run_are_those_that_its_journal_names(tmp_path: Path) -> None:
    assert job_ids(tmp_path) == []
    run = a_run(tmp_path / "run", finished=False)
    # A journal without jobs of its own kind, as one that something else made.
    assert job_ids(run) == []
    with closing(sqlite3.connect(run / LOAD)) as database, database:
        database.execute("CREATE TABLE job (number INTEGER, id TEXT)")
        database.executemany("INSERT INTO job VALUES (?, ?)", [(2, "750B"), (1, "750A"), (3, None)])
    assert job_ids(run) == ["750A", "750B"]
