"""Load parts of a table from four processes at once, with one commit for all of them.

    python load_parts.py STATE PART...

STATE is a file that remembers the load: if this dies, call it again in the same way.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import bulkforce as bf


def connect() -> bf.Client:
    """Each process has a client of its own."""
    return bf.Client(os.environ["BULKFORCE_INSTANCE_URL"], auth=bf.BearerToken(os.environ["BULKFORCE_ACCESS_TOKEN"]))


def write(state: str, part: str) -> list[str]:
    """Upload one part, in a process of its own; nothing of it counts yet."""
    with connect() as client:
        return client.resume_stage(state).write(Path(part))


def write_all(stage: bf.Stage, parts: list[str]) -> None:
    """Upload all parts; those of a process that died are written again, by others."""
    left = set(parts)
    while left:
        with ProcessPoolExecutor(4, get_context("spawn")) as pool:
            running = {pool.submit(write, stage.state(), part): part for part in left}
            for done in as_completed(running):
                try:
                    stage.add(done.result())
                except BrokenProcessPool:
                    print(f"A process died; {running[done]} is written again", file=sys.stderr)
                else:
                    left.discard(running[done])


def main(kept: Path, parts: list[str]) -> None:
    with connect() as client:
        if kept.exists():
            stage = client.resume_stage(kept.read_text())
        else:
            stage = client.stage("Contact", "insert")
            write_all(stage, parts)
            kept.write_text(stage.state())  # from here on, any process can finish the load
        stage.commit()
        for job in stage.wait():
            print(f"{job.id}: {job.number_records_processed} records, {job.number_records_failed} of them failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
