"""A copy of a run's folder that was left behind is known as one, whatever the order in which copies are gone on
with."""

from __future__ import annotations

import copy
import os
import time
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bulkforce.errors import Unsettled
from bulkforce.run import marks


@dataclass
class Folder:
    """A run's memory of its sittings; a copy of it remembers what it remembered then."""

    folder: Path = Path("run")
    token: str = "0123456789abcdef"
    sittings: int = 0

    def begin_sitting(self, number: int) -> None:
        self.sittings = number


def test_run_goes_on_as_often_as_it_likes(tmp_path: Path) -> None:
    run = Folder()
    assert [marks.begin(run, tmp_path / "marks") for _ in range(3)] == [None] * 3
    assert marks.begin(Folder(token="another"), tmp_path / "marks") is None


def test_copy_that_was_left_behind_is_refused_for_ever(tmp_path: Path) -> None:
    run = Folder()
    marks.begin(run, tmp_path)
    behind = copy.copy(run)
    marks.begin(run, tmp_path)
    for _ in range(2):
        refused = marks.begin(behind, tmp_path)
        assert isinstance(refused, Unsettled)
        assert refused.why == "copied"
    assert marks.begin(run, tmp_path) is None


def test_copy_that_the_user_accepts_is_the_one_that_counts(tmp_path: Path) -> None:
    run = Folder()
    marks.begin(run, tmp_path)
    behind = copy.copy(run)
    marks.begin(run, tmp_path)
    assert isinstance(marks.begin(behind, tmp_path, accepted=True), Unsettled)
    assert marks.begin(behind, tmp_path) is None
    assert isinstance(marks.begin(run, tmp_path), Unsettled)


def test_death_between_memory_and_mark_costs_nothing(tmp_path: Path) -> None:
    run = Folder()
    marks.begin(run, tmp_path)
    run.begin_sitting(2)  # and died
    assert marks.begin(run, tmp_path) is None


def test_sitting_goes_on_until_a_copy_does(tmp_path: Path) -> None:
    run = Folder()
    marks.begin(run, tmp_path)
    assert [marks.go_on(run, tmp_path) for _ in range(3)] == [None] * 3
    elsewhere = copy.copy(run)
    assert marks.begin(elsewhere, tmp_path) is None
    assert isinstance(marks.go_on(run, tmp_path), Unsettled)
    assert marks.go_on(elsewhere, tmp_path) is None


def test_sitting_does_not_go_on_beside_a_copy_that_once_died_without_a_mark(tmp_path: Path) -> None:
    run = Folder()
    marks.begin(run, tmp_path)
    elsewhere = copy.copy(run)
    elsewhere.begin_sitting(2)  # and died
    assert marks.begin(elsewhere, tmp_path) is None
    assert isinstance(marks.go_on(run, tmp_path), Unsettled)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=20))
def test_of_copies_only_one_ever_goes_on(moves: list[tuple[int, bool]]) -> None:
    """Copy and go on in any order: after two copies have parted, the one that went on first is the only one that
    may."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        left = Path(name)
        folders = [Folder()]
        marks.begin(folders[0], left)
        went_on: dict[int, int] = {}  # sittings known before -> whose folder went on from there
        for which, copies in moves:
            folder = folders[which % len(folders)]
            if copies:
                folders.append(copy.copy(folder))
                continue
            before = folder.sittings
            if marks.begin(folder, left) is None:
                assert went_on.setdefault(before, id(folder)) == id(folder)


def test_home_that_cannot_be_written_to_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "marks").write_text("no folder")
    assert marks.begin(Folder(), tmp_path / "marks") is None


def marks_in(folder: Path) -> list[str]:
    """The names of the marks; one file tells when they were swept."""
    return sorted(mark.name for mark in folder.glob("*.*"))


def test_marks_are_the_users_own(tmp_path: Path) -> None:
    marks.begin(Folder(), tmp_path / "marks")
    assert marks_in(tmp_path / "marks") == ["0123456789abcdef.1"]
    assert (tmp_path / "marks").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "marks").iterdir():
        assert (file.stat().st_size, file.stat().st_mode & 0o777) == (0, 0o600)


def test_old_marks_are_forgotten_once_a_day(tmp_path: Path) -> None:
    """All marks of all runs are looked at for it."""
    marks.begin(Folder(), tmp_path)
    os.utime(tmp_path / "0123456789abcdef.1", (0, 0))
    for number in (1, 2):
        marks.begin(Folder(token="another", sittings=number - 1), tmp_path)
        assert marks_in(tmp_path) == ["0123456789abcdef.1", *(f"another.{mark}" for mark in range(1, number + 1))]
    yesterday = time.time() - 86_401
    os.utime(tmp_path / "swept", (yesterday, yesterday))
    marks.begin(Folder(token="third"), tmp_path)
    assert marks_in(tmp_path) == ["another.1", "another.2", "third.1"]


def test_clock_that_was_put_back_does_not_keep_old_marks(tmp_path: Path) -> None:
    marks.begin(Folder(), tmp_path)
    os.utime(tmp_path / "0123456789abcdef.1", (0, 0))
    next_year = time.time() + 365 * 86_400
    os.utime(tmp_path / "swept", (next_year, next_year))
    marks.begin(Folder(token="another"), tmp_path)
    assert marks_in(tmp_path) == ["another.1"]


def test_one_run_alone_follows_another(tmp_path: Path) -> None:
    token = Folder().token
    assert [marks.claim(token, "retry", "mine", tmp_path) for _ in range(2)] == [True, True]
    assert marks.claim(token, "retry", "other", tmp_path) is False
    assert marks.claim(token, "undo", "other", tmp_path)
    assert marks.claim("another", "retry", "other", tmp_path)
    marks.unclaim(token, "retry", "mine", tmp_path)
    assert marks.claim(token, "retry", "other", tmp_path)
    # They are not taken for sittings.
    assert marks.begin(Folder(), tmp_path) is None


def test_claim_counts_where_no_mark_can_be_left(tmp_path: Path) -> None:
    (tmp_path / "marks").write_bytes(b"")
    assert marks.claim("token", "retry", "mine", tmp_path / "marks")
    marks.unclaim("token", "retry", "mine", tmp_path / "marks")
