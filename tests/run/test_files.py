"""A file that has its name is whole, nothing that was there is written into, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulkforce.run import files
from bulkforce.run.files import (
    Draft,
    append,
    is_for_everybody,
    make_folder,
    new_token,
    part_of,
    sync_folder,
    whole,
    write_whole,
)


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    with whole(tmp_path / "a") as file:
        file.write(b"new")
        assert names(tmp_path) == ["a.part"]
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_file_that_comes_to_nothing_leaves_nothing_behind_and_what_was_there_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyError), whole(tmp_path / "a") as file:  # noqa: PT012  (first written, then failed)
        file.write(b"new")
        raise KeyError
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_other_names_of_what_is_replaced_keep_what_they_had(tmp_path: Path) -> None:
    for name in ("a", "a.part"):
        (tmp_path / f"user's {name}").write_bytes(b"old")
        (tmp_path / name).hardlink_to(tmp_path / f"user's {name}")
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [(tmp_path / f"user's {name}").read_bytes() for name in ("a", "a.part")] == [b"old", b"old"]


@pytest.mark.parametrize(
    ("folder", "given", "before", "expected"),
    [
        (0o755, None, None, 0o644),
        (0o700, None, None, 0o600),
        (0o750, None, None, 0o640),
        (0o700, 0o666, None, 0o644),
        (0o755, None, 0o600, 0o600),
        (0o700, None, 0o664, 0o664),
    ],
    ids=[
        "public folder",
        "private folder",
        "folder of a group",
        "the user's own",
        "replaces a private file",
        "replaces a file of a group",
    ],
)
def test_a_file_is_as_private_as_its_folder_or_as_the_file_that_it_replaces(
    tmp_path: Path, folder: int, given: int | None, before: int | None, expected: int
) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    place.chmod(folder)
    if before is not None:
        (place / "a").touch()
        (place / "a").chmod(before)
    draft = Draft(place / "a", mode=given)
    # Also while it is written.
    assert mode(draft.temporary) == expected
    draft.publish()
    assert mode(place / "a") == expected


@pytest.mark.parametrize("name", ["a", "a.part"])
def test_a_folder_in_the_way_is_told_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match=f"{name} is in the way: it is a folder"):
        Draft(tmp_path / "a")
    assert names(tmp_path) == [name]


def test_a_link_to_a_folder_is_no_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.part").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a", "elsewhere"]


def test_a_draft_that_cannot_be_closed_is_discarded_all_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What could not be written to a full disk cannot be at closing either."""
    draft = Draft(tmp_path / "a")

    class Full:
        def close(self) -> None:
            draft_file.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    draft_file = draft.file
    monkeypatch.setattr(draft, "file", Full())
    draft.discard()
    assert names(tmp_path) == []


@pytest.mark.parametrize("copied", [0, 3, 9, None])
def test_the_rest_of_a_file_is_appended_however_much_of_it_the_kernel_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int | None
) -> None:
    (tmp_path / "source").write_bytes(b"header 123456789")

    def copy(source: int, target: int, count: int, at: int, to: int) -> int:
        left = min(count, len(b"header ") + (copied or 0) - at)
        if not left:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return os.pwrite(target, os.pread(source, left, at), to)

    if copied is not None:
        monkeypatch.setattr(os, "copy_file_range", copy, raising=False)
    with whole(tmp_path / "a") as file, (tmp_path / "source").open("rb") as source:
        file.write(b"before ")
        source.seek(len(b"header "))
        assert append(file, source) == 9
        assert file.tell() == 16
        file.write(b" behind")
    assert (tmp_path / "a").read_bytes() == b"before 123456789 behind"


def test_a_token_is_one_by_which_nothing_is_called_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, broken, free = "aaaaaaaa", "bbbbbbbb", "cccccccc"
    part_of(tmp_path / "out", taken).touch()
    part_of(tmp_path / "since", broken).symlink_to(tmp_path / "nowhere")
    tokens = iter([taken, broken, free])
    monkeypatch.setattr(secrets, "token_hex", lambda _bytes: next(tokens))
    assert new_token(tmp_path / "out", tmp_path / "since", Path("/")) == free


@pytest.mark.parametrize(
    ("file", "folder", "expected"),
    [(0o644, 0o755, True), (0o640, 0o755, False), (0o644, 0o750, False)],
)
def test_a_file_is_for_everybody_if_each_folder_on_the_way_is(file: int, folder: int, expected: bool) -> None:
    # Those of pytest are for nobody else.
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        (top / "folder").mkdir()
        path = top / "folder" / "file"
        path.touch()
        path.chmod(file)
        path.parent.chmod(folder)
        assert is_for_everybody(path) is expected


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "c"
    assert make_folder(place, mode=0o700) == [place, tmp_path / "a" / "b", tmp_path / "a"]
    assert [mode(path) for path in (place, tmp_path / "a")] == [0o700, 0o755]
    assert make_folder(place) == []
    assert mode(place) == 0o700
    assert make_folder(place, mode=0o750) == []
    assert mode(place) == 0o750


def test_a_file_where_a_folder_is_to_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError, match="a is in the way: it is not a folder"):
        make_folder(tmp_path / "a")


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_folder_that_another_makes_at_the_same_moment_is_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """It is then not ours to remove; and a file is in the way, though it was not there a moment ago."""
    mkdir = Path.mkdir

    def overtaken(path: Path, given: int) -> None:
        if path.name == "a":
            mkdir(path) if what == "folder" else path.touch()
        mkdir(path, given)

    monkeypatch.setattr(Path, "mkdir", overtaken)
    if what == "folder":
        assert make_folder(tmp_path / "a" / "b") == [tmp_path / "a" / "b"]
    else:
        with pytest.raises(FileExistsError):
            make_folder(tmp_path / "a" / "b")


@pytest.mark.parametrize(
    ("number", "tolerated"),
    [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False), (errno.ENOSPC, False)],
)
def test_a_folder_that_cannot_be_synced_is_an_error_unless_its_file_system_knows_no_such_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, tolerated: bool
) -> None:
    def fails(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    closed: list[int] = []
    close = os.close

    def counted(handle: int) -> None:
        closed.append(handle)
        close(handle)

    monkeypatch.setattr(os, "close", counted)
    if tolerated:
        sync_folder(tmp_path)
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            sync_folder(tmp_path)
    assert len(closed) == 1


@pytest.mark.parametrize("writes", [lambda path: write_whole(path, b"new"), make_folder], ids=["file", "folder"])
def test_what_is_new_in_a_folder_is_synced_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: Callable[[Path], object]
) -> None:
    synced: list[tuple[Path, list[str]]] = []
    monkeypatch.setattr(files, "sync_folder", lambda folder: synced.append((folder, names(folder))))
    writes(tmp_path / "a")
    assert synced == [(tmp_path, ["a"])]
