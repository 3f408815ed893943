"""A process that reads spoilt files; it may crash, and then its last line says over what.

python -m tests.fuzz KIND NUMBER     reads one again, and leaves it in the folder that it names
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random

from tests.fuzz.kinds import KINDS, MARKER, client
from tests.fuzz.mutation import mutated
from tests.support.chains import held_by

import bulkforce as bf

_MEMORY_BYTES = 4_000_000_000
_LONGEST_SECONDS = 120
"""One file is read within this, on any machine; what takes longer never ends."""


def complaint(kind: str, number: int, folder: Path) -> str | None:
    """Read one spoilt file, and say what is wrong with how that ended, if anything."""
    chosen = KINDS[kind]
    path = folder / chosen.name
    path.write_bytes(mutated(chosen.content, Random(f"{kind} {number}")))
    before = {one.name for one in folder.iterdir()}
    faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
    try:
        with client() as org:
            chosen.read(org, path)
    except bf.Error as error:
        held = held_by(error)
        if MARKER in held:
            return (
                f"{type(error).__name__} shows a record's value: "
                f"{next(line for line in held.splitlines() if MARKER in line)[:200]}"
            )
    except Exception:  # noqa: BLE001  (all else is what is looked for)
        return traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
    left = sorted({one.name for one in folder.iterdir()} - before - {"out.csv", "out.jsonl.gz", "out.parquet"})
    return f"{left} were left behind" if left else None


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("kinds", help="separated by commas")
    parser.add_argument("number", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    until = None if options.seconds is None else time.monotonic() + options.seconds
    folder = Path(tempfile.mkdtemp())
    found = 0
    for number in count(options.number):
        if number >= options.number + options.rounds if until is None else time.monotonic() > until:
            break
        for kind in options.kinds.split(","):
            print(f"{kind} {number}", flush=True)
            if problem := complaint(kind, number, folder):
                found += 1
                print(f"WRONG {kind} {number}: {problem}", file=sys.stderr, flush=True)
    print(f"DONE, {found} wrong, in {folder}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
