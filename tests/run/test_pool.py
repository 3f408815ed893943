"""The engine waits for what its threads do, or until it is time to look: never for longer."""

from __future__ import annotations

import threading

from bulkforce.run.pool import Threads


def test_wait_ends_when_its_time_was_over_before_it_began() -> None:
    """A machine that is busy takes the processor away between two instructions: so short a time stands for that."""
    pool, ended = Threads(1), []

    def wait() -> None:
        for _ in range(10_000):
            pool.begin(lambda: 1)
            done: list[int] = []
            while not done:
                done = pool.take(60)
            assert done == [1]
            assert pool.take(1e-7) == []
        ended.append(True)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(600)
    pool.close()
    assert ended
