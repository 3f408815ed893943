"""bulkforce: each case is a function of the client, the folder of the data and where output goes.

    python ours.py [--workers=8] [--batch_records=1000] CASE URL FOLDER OUT POLL

It returns how many records went through.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bulkforce as bf

if TYPE_CHECKING:
    from bulkforce import Client

QUERY: Final = "SELECT Id, FirstName, LastName, Email, Phone, Title, Description, Score__c FROM Contact"


def _loaded(client: Client, source: Any, out: Path, **options: Any) -> int:
    report = client.load(source, "Contact", "insert", run_dir=out / "run", **options)
    return report.succeeded + report.failed


def load(client: Client, folder: Path, out: Path, **options: int) -> int:
    """A CSV file."""
    return _loaded(client, folder / "contacts.csv", out, **options)


def load2(client: Client, folder: Path, out: Path) -> int:
    """A CSV file, over Bulk API 2.0."""
    return _loaded(client, folder / "contacts.csv", out, api="bulk2")


def load_gz(client: Client, folder: Path, out: Path) -> int:
    """A CSV file, compressed on its way."""
    return load(client, folder, out)


def load_unchecked(client: Client, folder: Path, out: Path) -> int:
    """A CSV file, whose values are not checked first."""
    return _loaded(client, folder / "contacts.csv", out, values="skip")


def load_tiny(client: Client, folder: Path, out: Path) -> int:
    """A CSV file, a record a batch."""
    return _loaded(client, folder / "contacts.csv", out, batch_records=1)


def load2_tiny(client: Client, folder: Path, out: Path) -> int:
    """A CSV file, over Bulk API 2.0, a record a job."""
    return _loaded(client, folder / "contacts.csv", out, api="bulk2", batch_records=1)


def load_parquet(client: Client, folder: Path, out: Path) -> int:
    """A Parquet file."""
    return _loaded(client, folder / "contacts.parquet", out)


def _dicts(folder: Path) -> Iterator[dict[str, str]]:
    import csv

    with (folder / "contacts.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def load_dicts(client: Client, folder: Path, out: Path) -> int:
    """A list of dicts."""
    return _loaded(client, list(_dicts(folder)), out)


def load_generator(client: Client, folder: Path, out: Path) -> int:
    """A generator of dicts."""
    return _loaded(client, _dicts(folder), out)


def load_polars(client: Client, folder: Path, out: Path) -> int:
    """A polars frame."""
    import polars as pl

    return _loaded(client, pl.read_parquet(folder / "contacts.parquet"), out)


def load_pandas(client: Client, folder: Path, out: Path) -> int:
    """A pandas frame."""
    import pandas as pd

    return _loaded(client, pd.read_parquet(folder / "contacts.parquet"), out)


def _extracted(client: Client, out: Path, **options: Any) -> int:
    return client.extract(QUERY, to=out, run_dir=out.parent / "run", **options).rows


def extract(client: Client, _: Path, out: Path) -> int:
    """To CSV."""
    return _extracted(client, out / "out.csv")


def extract2(client: Client, _: Path, out: Path) -> int:
    """To CSV, over Bulk API 2.0."""
    return _extracted(client, out / "out.csv", api="bulk2")


def extract_tiny(client: Client, _: Path, out: Path) -> int:
    """To CSV, a record a chunk."""
    return _extracted(client, out / "out.csv", pk_chunking=1)


def extract_gz(client: Client, _: Path, out: Path) -> int:
    """To CSV, compressed."""
    return _extracted(client, out / "out.csv.gz")


def extract_parquet(client: Client, _: Path, out: Path) -> int:
    """To Parquet, typed."""
    return _extracted(client, out / "out.parquet")


def extract_arrow(client: Client, _: Path, out: Path) -> int:
    """To an Arrow file, typed."""
    return _extracted(client, out / "out.arrow")


def extract_jsonl(client: Client, _: Path, out: Path) -> int:
    """To JSON lines."""
    return _extracted(client, out / "out.jsonl")


def extract_polars(client: Client, _: Path, __: Path) -> int:
    """To a polars frame."""
    return len(client.query(QUERY).to_polars())


def _batches(client: Client, folder: Path, content_type: str) -> int:
    job = client.create_job("insert", "Contact", content_type)
    rows = 0
    for path in sorted((folder / "batches").glob(f"*.{content_type.lower()}")):
        batch = client.add_batch(job, path)
        client.wait_for_batch(job, batch.id)
        rows += len(client.get_batch_result(job, batch.id))
    client.close_job(job)
    return rows


def json_batches(client: Client, folder: Path, _: Path) -> int:
    """JSON by `add_batch`, and its results."""
    return _batches(client, folder, "JSON")


def xml_batches(client: Client, folder: Path, _: Path) -> int:
    """XML by `add_batch`, and its results."""
    return _batches(client, folder, "XML")


def start(client: Client, folder: Path, out: Path) -> int:
    """Three records, to see what starting costs."""
    return _loaded(client, folder / "three.csv", out)


def made(*_: object) -> int:
    """Nothing, to see what a client costs that does nothing."""
    return 3


def main() -> None:
    """Do what the command line says."""
    *chosen, case, url, folder, out, _ = sys.argv[1:]
    options = {name: int(value) for name, _, value in (one[2:].partition("=") for one in chosen)}
    carry_out: Callable[..., int] = globals()[case.replace("-", "_")]
    with bf.Client(url, bf.BearerToken("00D000000000001!bench"), gzip_requests=case == "load-gz") as client:
        print(json.dumps({"rows": carry_out(client, Path(folder), Path(out), **options)}))


if __name__ == "__main__":
    main()
