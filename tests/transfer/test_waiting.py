"""The engines wait for what their threads do, or until it is time to look: never for longer."""

from __future__ import annotations

import queue
import threading
from dataclasses import fields

import pytest

from bulkforce.transfer.engine import Engine
from bulkforce.transfer.extract_engine import ExtractEngine


@pytest.mark.parametrize("engine", [Engine, ExtractEngine])
def test_wait_ends_when_its_time_was_over_before_it_began(engine: type[Engine | ExtractEngine]) -> None:
    """A machine that is busy takes the processor away between two instructions: so short a time stands for that."""
    (made,) = (field.default_factory for field in fields(engine) if field.name == "_done")
    ended = []

    def wait() -> None:
        done = made()  # type: ignore[operator]
        for _ in range(30_000):
            done.put(1)
            done.get()
            with pytest.raises(queue.Empty):
                done.get(timeout=1e-7)
        ended.append(True)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(600)
    assert ended
