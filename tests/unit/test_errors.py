from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest

from bulkforce import errors
from bulkforce.errors import Error, Facts, FormatError, MissingExtra

FACTS = Facts(400, "InvalidBatch", "Records not processed", "GET", "/job/750A/batch", "750A", "751B")


def tree(kind: type[Error]) -> Iterator[type[Error]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


# The command line has one of its own, which no caller ever meets; it is there once something has imported it.
@pytest.mark.parametrize("kind", [kind for kind in tree(Error) if not kind.__module__.startswith("bulkforce.cli.")])
def test_every_error_is_drawn_in_the_tree(kind: type[Error]) -> None:
    assert errors.__doc__
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__)
    assert kind.__module__ == "bulkforce.errors"


def test_error_holds_its_facts_and_says_each_once() -> None:
    error = errors.InvalidRequest("The org refused", FACTS)
    assert str(error) == "The org refused [GET /job/750A/batch, HTTP 400, batch 751B]"
    assert (error.status, error.code, error.message, error.method, error.path, error.job_id, error.batch_id) == (
        400,
        "InvalidBatch",
        "Records not processed",
        "GET",
        "/job/750A/batch",
        "750A",
        "751B",
    )


def test_error_without_facts_is_its_text() -> None:
    assert str(Error("plain")) == "plain"


def test_format_error_tells_the_place() -> None:
    error = FormatError("wrong", row=3, column="Name", byte=0)
    assert str(error) == "wrong (record 3, field Name, byte 0)"
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest("x", FACTS),
        errors.NotSent("x", FACTS, lasting=True),
        errors.Unavailable("x", FACTS, retry_after_seconds=3),
        FormatError("x", row=1, column=2),
        MissingExtra("jwt", "Logging in"),
    ],
)
def test_error_travels_between_processes(error: Error) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
