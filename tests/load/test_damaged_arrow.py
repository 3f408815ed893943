"""Arrow data that is not what it says is refused, whoever gives it: nothing beyond a value gets into a record, no record is lost in silence."""

from __future__ import annotations

import ctypes
import io
import struct
from collections.abc import Callable
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.chains import held_by

from bulkforce.errors import FormatError
from bulkforce.load.sources import Source, to_csv

MARKER = "Zebrafink"


def refused(source: Source, folder: Path) -> FormatError:
    with pytest.raises(FormatError) as caught:
        to_csv(source, folder)
    assert list(folder.glob("source.csv*")) == []
    assert MARKER not in held_by(caught.value)
    return caught.value


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def damaged(values: pa.Array, buffer: int, place: int, content: bytes) -> pa.Array:
    """Write into the memory of an array, as a program with a fault may, or a disk."""
    memory = values.buffers()[buffer]
    assert 0 <= place <= memory.size - len(content)
    ctypes.memmove(memory.address + place, content, len(content))
    return values


def int32(number: int) -> bytes:
    return struct.pack("<i", number)


def beyond(kind: pa.DataType | None = None) -> pa.Array:
    """Texts of which the first ends behind all others, in memory that is none of theirs."""
    wide = "<q" if kind == pa.large_string() else "<i"
    return damaged(pa.array(["good", "text"], kind or pa.string()), 1, struct.calcsize(wide), struct.pack(wide, 2**20))


def runs() -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), pa.array(["x", "y", "z"]))


LONG = "a text that is too long for its view"
DAMAGED: dict[str, Callable[[], pa.Array]] = {
    "a text beyond its buffer": beyond,
    "a large text beyond its buffer": lambda: beyond(pa.large_string()),
    "bytes beyond their buffer": lambda: damaged(pa.array([b"good", b"byte"]), 1, 4, int32(2**20)),
    "a text that begins before its buffer": lambda: damaged(pa.array(["good", "text"]), 1, 4, int32(-64)),
    "a text that is not UTF-8": lambda: damaged(pa.array(["good", "text"]), 2, 2, b"\xff\xfe"),
    "a text of another view that is not UTF-8": lambda: damaged(pa.array([LONG], pa.string_view()), 2, 20, b"\xff\xfe"),
    "a view beyond its buffers": lambda: damaged(pa.array([LONG], pa.string_view()), 1, 0, int32(2**20)),
    "a view of a buffer that is not there": lambda: damaged(pa.array([LONG], pa.string_view()), 1, 8, int32(7)),
    "an index beyond its dictionary": lambda: damaged(pa.array(["x", "y"]).dictionary_encode(), 1, 0, int32(2**20)),
    "a negative index": lambda: damaged(pa.array(["x", "y"]).dictionary_encode(), 1, 0, int32(-(2**20))),
    "a dictionary with a text beyond its buffer": lambda: pa.DictionaryArray.from_arrays(pa.array([0, 1]), beyond(), safe=False),
    "a parent's field beyond its buffer": lambda: pa.StructArray.from_arrays([beyond()], ["Ext__c"]),
    "a parent's index beyond its dictionary": lambda: pa.StructArray.from_arrays(
        [damaged(pa.array(["x", "y"]).dictionary_encode(), 1, 0, int32(2**20))], ["Ext__c"]
    ),
    "a list beyond its values": lambda: damaged(pa.array([["a"], ["b"]]), 1, 4, int32(2**20)),
    "a list of texts beyond their buffer": lambda: pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), beyond()),
    "runs that go back": lambda: damaged(runs(), 2, 0, int32(9)),
    "runs of texts beyond their buffer": lambda: damaged(runs(), 4, 4, int32(2**20)),
    "a number with more digits than its type": lambda: damaged(pa.array([Decimal(1), Decimal(2)], pa.decimal128(3, 0)), 1, 0, b"\xff" * 8),
    "a time after midnight": lambda: damaged(pa.array([time(1), time(2)], pa.time32("ms")), 1, 0, int32(86_400_000)),
    "more nulls than it tells of": lambda: damaged(pa.array(["x", None, "z"], pa.string()), 0, 0, b"\0"),
}  # fmt: skip
if hasattr(pa, "json_"):
    DAMAGED["an extension's text beyond its buffer"] = lambda: pa.ExtensionArray.from_storage(pa.json_(), beyond())


@pytest.mark.parametrize("make", DAMAGED.values(), ids=list(DAMAGED))
def test_arrow_data_that_is_damaged_is_refused(run: Path, make: Callable[[], pa.Array]) -> None:
    values = make()
    good = pa.record_batch({"a": pa.nulls(3, pa.string())})
    error = refused([good, pa.RecordBatch.from_arrays([values], ["a"])], run)
    assert str(error).startswith(f"The Arrow data is damaged in one of the records 4 to {3 + len(values)}")
    assert error.column == "a"


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("make", DAMAGED.values(), ids=list(DAMAGED))
def test_arrow_file_that_is_damaged_is_refused(
    tmp_path: Path, run: Path, make: Callable[[], pa.Array], new: Callable[[str, pa.Schema], Any]
) -> None:
    batch = pa.RecordBatch.from_arrays([make()], ["a"])
    with new(str(tmp_path / "a.arrow"), batch.schema) as writer:
        writer.write_batch(batch)
    assert "damaged" in str(refused(tmp_path / "a.arrow", run))


# Files that are cut, or lie


def stream(**columns: list[Any]) -> bytes:
    table, out = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (stream(a=["x", "y"])[:-8], "is truncated: the mark at the end"),
        (stream(a=["x", "y"]) * 2, "bytes after the end of its stream; a file may hold only one stream"),
        (b"FEA1" + bytes(40) + b"FEA1", "a Feather file of version 1; save it as version 2"),
    ],
    ids=["cut between two batches", "two streams", "Feather 1"],
)
def test_arrow_stream_that_lacks_its_end_or_has_two_is_refused(
    tmp_path: Path, run: Path, content: bytes, said: str
) -> None:
    (tmp_path / "a.arrow").write_bytes(content)
    assert said in str(refused(tmp_path / "a.arrow", run))


@pytest.mark.parametrize("nth", [0, -1], ids=["in the page", "in the footer"])
def test_parquet_that_has_fewer_records_than_it_tells_of_is_refused(tmp_path: Path, run: Path, nth: int) -> None:
    pq.write_table(
        pa.table({"a": range(100)}),
        tmp_path / "a.parquet",
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    content = (tmp_path / "a.parquet").read_bytes()
    # Thrift writes 100 as c8 01, and 70 as 8c 01.
    place = [at for at in range(len(content)) if content[at : at + 2] == b"\xc8\x01"][nth]
    (tmp_path / "a.parquet").write_bytes(content[:place] + b"\x8c\x01" + content[place + 2 :])
    assert "it has 70 of the 100 records that it declares" in str(refused(tmp_path / "a.parquet", run))


def test_parquet_with_a_checksum_that_does_not_fit_is_refused(tmp_path: Path, run: Path) -> None:
    pq.write_table(
        pa.table({"a": ["good"] * 9}),
        tmp_path / "a.parquet",
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content.replace(b"good", b"evil", 1))
    assert "cannot be read" in str(refused(tmp_path / "a.parquet", run))


# Frames of other libraries


FRAMES: dict[str, tuple[Callable[[], Any], str]] = {
    "pandas: any objects": (lambda: pd.DataFrame({"a": [{MARKER}, object()]}), "field a)"),
    "pandas: a number of many digits": (lambda: pd.DataFrame({"a": [2**70]}), "OverflowError"),
    "pandas: decimals of too many digits": (lambda: pd.DataFrame({"a": [Decimal("1e50"), Decimal("1e-50")]}), "'a'"),
    "pandas: complex numbers": (lambda: pd.DataFrame({"a": [1j]}), "'a'"),
    "pandas: sparse": (lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "'a'"),
    "pandas: a column twice": (lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' appears twice"),
    "pandas: months": (lambda: pd.DataFrame({"a": pd.period_range("2026-01", periods=2, freq="M")}), "pandas.period cannot be written (field a)"),
    "pandas: intervals": (lambda: pd.DataFrame({"a": pd.interval_range(0, 2)}), "pandas.interval cannot be written (field a)"),
    "pandas: durations": (lambda: pd.DataFrame({"a": pd.to_timedelta(["1s"])}), "(record 1, field a)"),
    "pandas: one column": (lambda: pd.Series([1]), "Series of pandas"),
    "polars: any objects": (lambda: pl.DataFrame({"b": [1], "a": [object()]}), "(record 1, field a)"),
    "polars: durations": (lambda: pl.DataFrame({"a": [timedelta(1)]}), "(record 1, field a)"),
    "polars: lists": (lambda: pl.DataFrame({"a": [[1]]}), "(record 1, field a)"),
    "polars: integers of 128 bits": (lambda: pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}), "DataFrame of polars"),
    "pyarrow: intervals of months": (lambda: pa.table({"a": pa.array([(1, 2, 3)])}), "(record 1, field a)"),
    "pyarrow: a date without four digits": (lambda: pa.table({"a": pa.array([None, 2_932_897], pa.int32()).cast(pa.date32())}), "(record 2, field a)"),
    "pyarrow: a date before the first": (lambda: pa.table({"a": pa.array([-86_400_000 * 10**9], pa.int64()).cast(pa.date64())}), "(record 1, field a)"),
    "pyarrow: a moment without four digits": (
        lambda: pa.table({"a": pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("us", "UTC"))}),
        "(record 2, field a)",
    ),
    "pyarrow: a moment that cannot be rounded": (lambda: pa.table({"a": pa.array([-(2**63)], pa.int64()).cast(pa.timestamp("ns"))}), "field a"),
    "pyarrow: a union": (
        lambda: pa.table({"a": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([[MARKER]])])}),
        "(record 1, field a)",
    ),
}  # fmt: skip
if not hasattr(pl, "Int128"):
    del FRAMES["polars: integers of 128 bits"]
if not hasattr(pd.Series, "__arrow_c_stream__"):
    # It is then refused as records that are no mappings.
    del FRAMES["pandas: one column"]


@pytest.mark.filterwarnings("ignore")  # polars warns of its objects
@pytest.mark.parametrize(("make", "said"), FRAMES.values(), ids=list(FRAMES))
def test_frame_that_cannot_be_written_is_refused_and_names_the_column(
    run: Path, make: Callable[[], Any], said: str
) -> None:
    assert said in str(refused(make(), run))


class Offers:
    """A frame of some library that fails."""

    def __init__(self, raised: Exception | None = None) -> None:
        self._raised = raised

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if self._raised:
            raise self._raised
        return 3


@pytest.mark.parametrize(
    "source",
    [Offers(), Offers(RuntimeError(MARKER)), Offers(KeyError(MARKER)), [Offers(MemoryError())]],
    ids=["a number", "a RuntimeError", "a KeyError", "a MemoryError in a list"],
)
def test_library_that_fails_to_offer_what_it_offers_is_named(run: Path, source: Source) -> None:
    assert "Offers of tests" in str(refused(source, run)) or "Offers of test_damaged_arrow" in str(refused(source, run))


def test_odd_frames_that_can_be_written_are(run: Path) -> None:
    frame = pd.DataFrame([[1, "x"]], columns=[7, 8], index=pd.MultiIndex.from_tuples([("p", "q")]))
    assert to_csv(frame, run).path.read_bytes() == b"7,8\n1,x\n"
    zone = pa.table(
        {"a": pa.array([0], pa.timestamp("s", "Nowhere/At all")), "b": pa.array([True]).cast(pa.int8()).cast(pa.int8())}
    )
    assert to_csv(zone, run).path.read_bytes() == b"a,b\n1970-01-01T00:00:00.000Z,1\n"


@pytest.mark.skipif(not hasattr(pa, "bool8"), reason="this pyarrow does not know the type")
def test_flags_of_a_byte_are_written_as_words(run: Path) -> None:
    flags = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8()))
    assert (
        to_csv(pa.table({"a": flags, "b": ["x", "y", "z"]}), run).path.read_bytes() == b"a,b\ntrue,x\nfalse,y\n#N/A,z\n"
    )
