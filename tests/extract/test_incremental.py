"""Since when an extract asks, and what it keeps for the next: by values, without an org."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulkforce.errors import TransferError, UsageError
from bulkforce.extract.events import BatchStage, Part, QueryBatch, QueryJob, QueryJobStage
from bulkforce.extract.incremental import narrow, remember
from bulkforce.extract.state import State
from bulkforce.protocol import soql

QUERY = "SELECT Id, SystemModstamp FROM Contact"
BEGUN = datetime(2026, 2, 12, 12, tzinfo=UTC)


def narrowed(path: Path, query: str = QUERY, *, all_rows: bool = False) -> str:
    return narrow(soql.read(query), path, all_rows=all_rows)[0].text


@pytest.mark.parametrize("query", [QUERY, "SELECT Id, systemMODSTAMP FROM Contact WHERE Name = 'x'"])
def test_the_first_time_everything_is_asked_for(tmp_path: Path, query: str) -> None:
    assert narrowed(tmp_path / "since.toml", query) == query


@pytest.mark.parametrize(
    ("query", "all_rows", "says"),
    [
        ("SELECT Id FROM Contact", False, "also select SystemModstamp: it shows what is new"),
        ("SELECT Id FROM Contact", True, "also select SystemModstamp: it shows what is new"),
        (QUERY, True, "also select IsDeleted: it marks the deleted records that all_rows includes"),
        ("SELECT Id, SystemModstamp, isdeleted FROM Contact", True, None),
    ],
)
def test_what_tells_new_and_deleted_rows_must_be_selected(
    tmp_path: Path,
    query: str,
    all_rows: bool,
    says: str | None,
) -> None:
    if says is None:
        assert narrowed(tmp_path / "since.toml", query, all_rows=all_rows) == query
    else:
        with pytest.raises(UsageError, match=says):
            narrowed(tmp_path / "since.toml", query, all_rows=all_rows)


def test_the_next_time_begins_ten_minutes_before_what_was_kept_in_whatever_zone(tmp_path: Path) -> None:
    path = tmp_path / "since.toml"
    path.write_text('object = "contact"\nsince = 2026-02-12T14:05:00.123999+02:00\n', "utf-8")
    assert narrowed(path) == f"{QUERY} WHERE SystemModstamp >= 2026-02-12T11:55:00.123Z"
    joined = narrowed(path, f"{QUERY} WHERE Name = 'x' OR Name = 'y'")
    assert joined == f"{QUERY} WHERE SystemModstamp >= 2026-02-12T11:55:00.123Z AND (Name = 'x' OR Name = 'y')"


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ('object = "Account"\nsince = 2026-02-12T12:00:00Z\n', "is for Account, but the query is for Contact"),
        ('object = "Contact"\n', "does not say since when, or for which object; remove it"),
        ("since = 2026-02-12T12:00:00Z\n", "does not say since when, or for which object; remove it"),
        ("object = 7\nsince = 2026-02-12T12:00:00Z\n", "does not say since when, or for which object; remove it"),
        ("nonsense", "does not say since when: .*; remove it"),
        ('object = "Contact"\nsince = 2026-02-12\n', "'since' must be a date and time with a zone"),
        ('object = "Contact"\nsince = 2026-02-12T12:00:00\n', "'since' must be a date and time with a zone"),
        ('object = "Contact"\nsince = "2026-02-12T12:00:00Z"\n', "'since' must be a date and time with a zone"),
        ('object = "Contact"\nsince = 0001-01-01T00:00:00Z\n', "'since' must be a date and time with a zone"),
        ('object = "Contact"\nsince = 0001-01-01T00:00:00+10:00\n', "'since' must be a date and time with a zone"),
    ],
)
def test_what_does_not_tell_since_when_is_refused(tmp_path: Path, kept: str, says: str) -> None:
    (tmp_path / "since.toml").write_text(kept, "utf-8")
    with pytest.raises(UsageError, match=says):
        narrowed(tmp_path / "since.toml")


def test_a_file_in_no_folder_is_refused_before_anything_is_extracted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere to keep since.toml in"):
        narrowed(tmp_path / "nowhere" / "since.toml")


def extracted(folder: Path, *parts: Sequence[str], created: Sequence[float | None] = (BEGUN.timestamp(),)) -> State:
    """An extract that brought these stamps, a file for each sequence of them, with a job for each time of creation."""
    state = State(
        QueryJob(number, QUERY, None, number - 1 or None, 1, QueryJobStage.LISTED, "750A", "751O", when, 1)
        for number, when in enumerate(created, 1)
    )
    state.put(QueryBatch(1, 1, "751O", 0, BatchStage.DONE))
    for place, stamps in enumerate(parts):
        part = Part(1, place, f"752{place}", done=True, rows=len(stamps))
        state.put(part)
        if stamps:
            lines = ['"Id","SYSTEMMODSTAMP","Name"', *(f'"001","{stamp}","a\n""name"""' for stamp in stamps)]
            (folder / part.file).write_text("\n".join(lines), "utf-8")
    return state


def kept(path: Path) -> tuple[str, datetime] | None:
    if not path.exists():
        return None
    members = tomllib.loads(path.read_text("utf-8"))
    return members["object"], members["since"]


@pytest.mark.parametrize(
    ("parts", "created", "expected"),
    [
        ([["2026-02-12T09:00:00.000Z", "2026-02-12T11:00:00.123Z"], ["2026-02-12T10:00:00.000Z"]], [0], "11:00:00.123"),
        ([["2026-02-12T11:00:00.000+0000"], []], [0], "11:00:00.000"),
        ([["2026-02-12T13:00:00.000Z"]], [0], "12:00:00.000"),
        ([["2026-02-12T13:00:00.000Z"]], [3_600, 0, None], "12:00:00.000"),
    ],
    ids=[
        "the highest of all files",
        "a file without rows is not looked into",
        "not later than the job",
        "nor than the first job",
    ],
)
def test_the_highest_stamp_is_kept(
    tmp_path: Path,
    parts: list[list[str]],
    created: list[int | None],
    expected: str,
) -> None:
    """What changes while one chunk is read may belong to another that was read already."""
    times = [None if later is None else BEGUN.timestamp() + later for later in created]
    state = extracted(tmp_path, *parts, created=times)
    remember(tmp_path / "since.toml", soql.read(QUERY), state, tmp_path, "token")
    assert kept(tmp_path / "since.toml") == ("Contact", datetime.fromisoformat(f"2026-02-12T{expected}Z"))
    assert not list(tmp_path.glob("*.part"))
    # What is kept is what the next one reads.
    assert narrowed(tmp_path / "since.toml").startswith(f"{QUERY} WHERE SystemModstamp >= 2026-02-12T1")


@pytest.mark.parametrize(
    ("parts", "created"),
    [([[]], [BEGUN.timestamp()]), ([["2026-02-12T11:00:00.000Z"]], [None])],
    ids=["no row came", "the org does not tell when the job began"],
)
def test_what_was_kept_stays_where_nothing_later_is_known(
    tmp_path: Path,
    parts: list[list[str]],
    created: list[float | None],
) -> None:
    path = tmp_path / "since.toml"
    path.write_text('object = "Contact"\nsince = 2026-01-01T00:00:00Z\n', "utf-8")
    before = path.read_bytes()
    remember(path, soql.read(QUERY), extracted(tmp_path, *parts, created=created), tmp_path, "token")
    assert path.read_bytes() == before


@pytest.mark.parametrize("stamp", ["yesterday", "", "0001-01-01T00:00:00.000+10:00"])
def test_a_stamp_that_is_none_is_told_without_its_value(tmp_path: Path, stamp: str) -> None:
    state = extracted(tmp_path, [stamp])
    with pytest.raises(TransferError, match="the records are extracted, but since when is not saved") as caught:
        remember(tmp_path / "since.toml", soql.read(QUERY), state, tmp_path, "token")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert kept(tmp_path / "since.toml") is None
