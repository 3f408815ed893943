"""pyarrow alone, on the file as the org would send it: what writing Parquet costs without any client.

python pyarrow_alone.py extract-parquet URL FOLDER OUT POLL
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet


def main() -> None:
    """Do what the command line says."""
    folder, out = Path(sys.argv[3]), Path(sys.argv[4])
    table = pyarrow.csv.read_csv(folder / "found.csv", parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))
    pyarrow.parquet.write_table(table, out / "out.parquet", compression="snappy")
    print(json.dumps({"rows": table.num_rows}))


if __name__ == "__main__":
    main()
