"""Loads whose records name files: found safely, packed within the limits of zips, each row exactly once."""

from __future__ import annotations

import base64
import json
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.support.rehearsal import Load, changes, read_csv

import bulkforce as bf
from bulkforce.cli.check import lines_of
from bulkforce.protocol import limits
from bulkforce_emulator import Emulator, Fault

NOISE = random.Random(7)


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    fields = {"Ext__c": "string(20) unique external_id", "Icon__c": "base64"}
    with Emulator({"Attachment": {"fields": fields}, "ContentVersion": {"fields": {}}}) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    running.faults.clear()


@pytest.fixture
def client(org: Emulator) -> Iterator[bf.Client]:
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        yield client


@pytest.fixture
def parent(org: Emulator) -> str:
    return org.insert("Account", [{"Name": "A"}])[0]


def bodies(org: Emulator, parent: str) -> dict[str, bytes | None]:
    return {
        one["Name"]: None if one["Body"] is None else base64.b64decode(one["Body"])
        for one in org.records("Attachment")
        if one["ParentId"] == parent
    }


def write(folder: Path, parent: str, values: dict[str, str], name: str = "source.csv") -> Path:
    lines = [f'{one},{parent},"{value}"\n' for one, value in values.items()]
    (folder / name).write_text("Name,ParentId,Body\n" + "".join(lines))
    return folder / name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    (place / "sub").mkdir(parents=True)
    (place / "a.gif").write_bytes(b"\0GIF")
    (place / "sub" / "b ä.doc").write_bytes(b"doc" * 100)
    (place / "empty").write_bytes(b"")
    return place


VALUES = {"a": "#a.gif", "b": "#sub/b ä.doc", "c": "a.gif", "d": "sub/b ä.doc", "e": "aGVsbG8=", "f": "#empty"}
CONTENT = {"a": b"\0GIF", "b": b"doc" * 100, "c": b"\0GIF", "d": b"doc" * 100, "e": b"hello", "f": b""}


@pytest.mark.parametrize("check", [True, False])
def test_paths_and_base64_of_a_csv_file_go_in_as_a_zip(
    org: Emulator, client: bf.Client, folder: Path, parent: str, *, check: bool
) -> None:
    source = write(folder, parent, VALUES)
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run", check=check)
    assert (report.read, report.succeeded, report.failed, report.rejected) == (6, 6, 0, 0)
    assert bodies(org, parent) == CONTENT
    assert str(client.get_job_info(report.jobs[0]).content_type) == "ZIP_CSV"
    success = read_csv(folder / "run" / "success.csv")
    assert success[0] == ("sf__Id", "sf__Created", "Name", "ParentId", "Body")
    assert [row[2:] for row in success[1:]] == [(name, parent, value) for name, value in VALUES.items()]


def dicts(records: list[dict[str, Any]], _folder: Path) -> Any:
    return iter(records)


def arrow(records: list[dict[str, Any]], _folder: Path) -> Any:
    return pa.Table.from_pylist([one for one in records if isinstance(one["Body"], bytes)])


def jsonl(records: list[dict[str, Any]], folder: Path) -> Any:
    (folder / "a.jsonl").write_text("\n".join(json.dumps(one) for one in records if not isinstance(one["Body"], bytes)))
    return folder / "a.jsonl"


@pytest.mark.parametrize("make", [dicts, arrow, jsonl])
def test_bytes_and_paths_of_typed_sources_go_in(
    org: Emulator,
    client: bf.Client,
    folder: Path,
    parent: str,
    make: Callable[[list[dict[str, Any]], Path], Any],
) -> None:
    large = NOISE.randbytes(3_000_000)
    given: dict[str, Any] = {"a": "#a.gif", "small": b"hello", "large": large, "all": bytes(range(256))}
    records = [{"Name": name, "ParentId": parent, "Body": body} for name, body in given.items()]
    source = make(records, folder)
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run", files_folder=folder)
    wanted = {name: b"\0GIF" if body == "#a.gif" else body for name, body in given.items()}
    loaded = bodies(org, parent)
    assert report.succeeded == report.read == len(loaded) > 0
    assert loaded.items() <= wanted.items()


def test_null_and_empty_are_no_files(org: Emulator, client: bf.Client, folder: Path, parent: str) -> None:
    (first, second) = org.insert(
        "Attachment", [{"Name": name, "ParentId": parent, "Body": "YQ==", "Icon__c": "YQ=="} for name in "xy"]
    )
    source = folder / "source.csv"
    source.write_text(f"Id,Body,Icon__c\n{first},#a.gif,#N/A\n{second},,#a.gif\n")
    assert client.load(source, "Attachment", "update", run_dir=folder / "run").succeeded == 2
    assert bodies(org, parent) == {"x": b"\0GIF", "y": b"a"}
    icons = {one["Name"]: one["Icon__c"] for one in org.records("Attachment") if one["ParentId"] == parent}
    assert icons == {"x": None, "y": base64.b64encode(b"\0GIF").decode()}


def test_upsert_map_and_constants_work_as_with_texts(
    org: Emulator, client: bf.Client, folder: Path, parent: str
) -> None:
    source = folder / "source.csv"
    source.write_text("Key,File\n1,#a.gif\n2,#empty\n")
    column_map = bf.ColumnMap(
        {"Key": "Ext__c", "File": "Body"}, {"ParentId": parent, "Name": "n", "Icon__c": "#sub/b ä.doc"}
    )
    for number in range(2):
        report = client.load(
            source,
            "Attachment",
            "upsert",
            external_id="Ext__c",
            mapping=column_map,
            run_dir=folder / str(number),
        )
        assert report.succeeded == 2
    found = [one for one in org.records("Attachment") if one["ParentId"] == parent]
    assert sorted(one["Body"] or "" for one in found) == ["", base64.b64encode(b"\0GIF").decode()]
    assert {one["Icon__c"] for one in found} == {base64.b64encode(b"doc" * 100).decode()}


UNUSABLE = {
    "missing": ("#no.gif", "there is no such file in"),
    "neither": ("no such file!", "there is no such file in"),
    "outside": ("#../secret", "is not inside"),
    "hidden outside": ("#sub/../../secret", "is not inside"),
    "absolute": ("#/etc/hostname", "is not inside"),
    "absolute without mark": ("/etc/host.name", "is not inside"),
    "link": ("#link", "is not inside"),
    "folder": ("#sub", "a folder or a device"),
    "the folder itself": ("#.", "a folder or a device"),
    "pipe": ("#pipe", "a folder or a device"),
    "nothing": ("#", "neither base64 nor the path"),
    "long": ("#" + "x" * 3_000, "there is no such file in"),
    "longer": ("#" + "x" * 9_000, "neither base64 nor the path"),
    "ambiguous": ("data", "base64 as well; write # before"),
    "huge": ("#huge", "the file has 20,000,001 bytes"),
    "noise": ("#noise", "bytes in its zip; a batch has at most 10,000,000"),
}


@pytest.fixture
def with_traps(folder: Path) -> Path:
    (folder.parent / "secret").write_text("secret")
    (folder / "link").symlink_to(folder.parent / "secret")
    os.mkfifo(folder / "pipe")
    (folder / "data").write_text("x")
    with (folder / "huge").open("wb") as file:
        file.truncate(20_000_001)
    (folder / "noise").write_bytes(NOISE.randbytes(10_000_001))
    with (folder / "plain").open("wb") as file:
        # Larger than a zip, but not packed.
        file.truncate(15_000_000)
    return folder


def test_record_whose_file_cannot_be_sent_is_rejected_with_its_reason(
    org: Emulator, client: bf.Client, with_traps: Path, parent: str
) -> None:
    folder = with_traps
    values = {name: value for name, (value, _) in UNUSABLE.items()}
    source = write(folder, parent, {"good": "#a.gif", **values, "plain": "#plain"})
    checked = client.check(source, "Attachment", "insert")
    assert (checked.fits, checked.rejected) == (False, len(UNUSABLE))
    assert sum(one.count for one in checked.rejections) == len(UNUSABLE)
    told = "\n".join(lines_of(checked))
    assert "Rows that would not be sent (row 1 is the first below the header):" in told
    assert "there is no such file in" in " ".join(told.split())
    before = len(org.requests)
    planned = client.load(source, "Attachment", "insert", dry_run=True)
    assert (planned.rejected, changes(org, before)) == (len(UNUSABLE), [])
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run")
    assert (report.read, report.succeeded, report.rejected) == (len(UNUSABLE) + 2, 2, len(UNUSABLE))
    assert {name: len(body or b"") for name, body in bodies(org, parent).items()} == {"good": 4, "plain": 15_000_000}
    rejected = {row[2]: row[1] for row in read_csv(folder / "run" / "rejected.csv")[1:]}
    for name, (_, reason) in UNUSABLE.items():
        assert rejected[name].startswith("Body: ") or name == "noise"
        assert reason in rejected[name], name


def test_links_inside_the_folder_are_followed(org: Emulator, client: bf.Client, folder: Path, parent: str) -> None:
    (folder / "inside").symlink_to("a.gif")
    source = write(folder, parent, {"a": "#inside"})
    assert client.load(source, "Attachment", "insert", run_dir=folder / "run").succeeded == 1
    assert bodies(org, parent) == {"a": b"\0GIF"}


def zips(client: bf.Client, job: str) -> list[zipfile.ZipFile]:
    return [zipfile.ZipFile(BytesIO(client.get_batch_request(job, batch.id))) for batch in client.get_all_batches(job)]


def test_batches_keep_every_limit_of_zips(
    org: Emulator, client: bf.Client, folder: Path, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ZIP_FILES", 10)
    monkeypatch.setattr(limits, "ZIP_BYTES", 20_000)
    monkeypatch.setattr(limits, "ZIP_UNPACKED_BYTES", 60_000)
    sizes = {"noise": 3_000, "zeros": 25_000, "tiny": 1}
    kinds: dict[str, Callable[[int], bytes]] = {"noise": NOISE.randbytes, "zeros": bytes, "tiny": bytes}
    for name, size in sizes.items():
        (folder / name).write_bytes(kinds[name](size))
    names = ["noise"] * 30 + ["zeros"] * 10 + ["tiny"] * 40 + list(sizes) * 10
    source = write(folder, parent, {f"{place} {name}": f"#{name}" for place, name in enumerate(names)})
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run")
    assert report.succeeded == len(names)
    packed = zips(client, report.jobs[0])
    assert len(packed) == report.batches > 10
    for one in packed:
        assert len(one.namelist()) <= 10
        assert sum(entry.file_size for entry in one.infolist()) <= 60_000
        assert sum(entry.compress_size for entry in one.infolist()) <= 20_000
    # As few as the limits allow, nearly: 9 files and a request in each of those with tiny files.
    assert max(len(one.namelist()) for one in packed) == 10
    assert Counter(name.split()[1] for name in bodies(org, parent)) == Counter(names)


def test_batch_records_hold_as_well(client: bf.Client, folder: Path, parent: str) -> None:
    source = write(folder, parent, {str(number): "#a.gif" for number in range(7)})
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run", batch_records=3)
    assert (report.batches, report.succeeded) == (3, 7)


def test_a_thousand_files_are_two_batches(org: Emulator, client: bf.Client, folder: Path, parent: str) -> None:
    source = write(folder, parent, {str(number): "#a.gif" for number in range(1_000)})
    report = client.load(source, "Attachment", "insert", run_dir=folder / "run")
    assert (report.batches, report.succeeded) == (2, 1_000)


def rehearsal(org: Emulator, folder: Path, parent: str, count: int = 6) -> tuple[Load, Path]:
    for number in range(count):
        (folder / f"f{number}").write_bytes(b"%d" % number)
    source = write(folder, parent, {f"n{number}": f"#f{number}" for number in range(count)})
    options = {"object": "Attachment", "batch_records": 2, "workers": 1, "source": source}
    load = Load(org, folder.parent, options=options)
    return load, source


EXPECTED = {f"n{number}": b"%d" % number for number in range(6)}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer lost", "POST", "*/batch", nth=2),
        Fault("request lost", "POST", "*/batch", nth=2),
        Fault("late twin", "POST", "*/batch", nth=2, after_requests=0),
        Fault("answer lost", "POST", "*/batch", times=2),
        Fault("upload reset", "POST", "*/batch", after_bytes=10),
    ],
    ids=lambda fault: fault.kind,
)
def test_batch_in_doubt_is_adopted_or_sent_again_once(org: Emulator, folder: Path, parent: str, fault: Fault) -> None:
    load, _ = rehearsal(org, folder, parent)
    org.faults.add(fault)
    report = load.begin()
    assert (report.succeeded, report.failed) == (6, 0)
    assert bodies(org, parent) == EXPECTED
    assert len([one for one in org.records("Attachment") if one["ParentId"] == parent]) == 6


class Killed(Exception):
    pass


@pytest.mark.parametrize("point", range(2, 16, 2))
def test_load_that_stops_anywhere_is_resumed(org: Emulator, folder: Path, parent: str, point: int) -> None:
    load, _ = rehearsal(org, folder, parent)
    seen = 0

    def stop(_effect: str) -> None:
        nonlocal seen
        seen += 1
        if seen == point:
            raise Killed

    load.trace = stop
    with pytest.raises((Killed, bf.Interrupted)):
        load.begin()
    load.trace = lambda _effect: None
    report = load.resume() if load.run_dir.exists() else load.begin()
    assert (report.succeeded, report.failed) == (6, 0)
    assert len([one for one in org.records("Attachment") if one["ParentId"] == parent]) == 6
    assert bodies(org, parent) == EXPECTED


@pytest.mark.parametrize("change", [b"9", b"longer", None])
def test_file_that_changes_under_the_run_is_noticed_and_the_run_goes_on_when_it_is_back(
    org: Emulator, folder: Path, parent: str, change: bytes | None
) -> None:
    load, source = rehearsal(org, folder, parent)
    sent = 0

    def meddle(effect: str) -> None:
        nonlocal sent
        sent += effect == "send"
        if effect == "send" and sent == 1:
            (folder / "f5").unlink() if change is None else (folder / "f5").write_bytes(change)

    load.trace = meddle
    with pytest.raises((bf.Interrupted, bf.SourceChanged), match="batch 3 names has changed"):
        load.begin()
    assert "n5" not in bodies(org, parent)
    load.trace = lambda _effect: None
    (folder / "f5").write_bytes(b"5")
    os.utime(folder / "f5", ns=(1, 1))
    assert load.resume().succeeded == 6
    assert bodies(org, parent) == EXPECTED
    assert source.exists()


def test_lost_feed_is_made_again_from_source_and_files(org: Emulator, folder: Path, parent: str) -> None:
    load, _ = rehearsal(org, folder, parent)

    def stop(effect: str) -> None:
        if effect == "send":
            raise Killed

    load.trace = stop
    with pytest.raises((Killed, bf.Interrupted)):
        load.begin()
    (load.run_dir / "feed.csv").unlink()
    load.trace = lambda _effect: None
    assert load.resume().succeeded == 6
    assert bodies(org, parent) == EXPECTED


def test_files_folder_may_be_another_one_and_must_be_there(
    org: Emulator, client: bf.Client, folder: Path, parent: str, tmp_path: Path
) -> None:
    source = write(tmp_path, parent, {"a": "#a.gif"})
    assert client.check(source, "Attachment", "insert").rejected == 1
    report = client.load(source, "Attachment", "insert", run_dir=tmp_path / "run", files_folder=folder)
    assert report.succeeded == 1
    assert bodies(org, parent) == {"a": b"\0GIF"}
    with pytest.raises(bf.UsageError, match="is not a folder"):
        client.load(source, "Attachment", "insert", files_folder=tmp_path / "nowhere")


def test_failed_rows_can_be_loaded_again_as_they_are(
    org: Emulator, client: bf.Client, folder: Path, parent: str
) -> None:
    source = folder / "source.csv"
    source.write_text(f"Name,ParentId,Body\na,{parent},#a.gif\nb,001000000000001AAA,#a.gif\n")
    first = client.load(source, "Attachment", "insert", run_dir=folder / "runs" / "1", values="skip")
    assert (first.succeeded, first.failed) == (1, 1)
    failed = folder / "runs" / "1" / "failed.csv"
    failed.write_text(failed.read_text().replace("001000000000001AAA", parent))
    assert client.load(failed, "Attachment", "insert", run_dir=folder / "runs" / "2").succeeded == 1
    assert bodies(org, parent) == {"a": b"\0GIF", "b": b"\0GIF"}


def test_delete_needs_no_files(org: Emulator, client: bf.Client, folder: Path, parent: str) -> None:
    (one,) = org.insert("Attachment", [{"Name": "x", "ParentId": parent, "Body": "YQ=="}])
    source = folder / "source.csv"
    source.write_text(f"Id,Body\n{one},#nowhere\n")
    assert client.load(source, "Attachment", "delete", run_dir=folder / "run").succeeded == 1
