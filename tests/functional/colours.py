"""One suite for both clients: the asynchronous one is called through a loop of its own, as if it were the other."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, Self

import bulkforce


class Loop:
    """Calls an `AsyncClient` as a `Client` is called; a stream is read whole."""

    def __init__(self, client: bulkforce.AsyncClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name.startswith("list_"):
            return lambda **options: _Listed(attribute(**options), self._runner)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            value = self._runner.run(attribute(*args, **kwargs))
            return _Stream(value, self._runner) if hasattr(value, "__aiter__") else value

        return call

    def await_(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(awaitable)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


def _each(items: AsyncIterator[Any], runner: asyncio.Runner) -> Iterator[Any]:
    while found := runner.run(_next(items)):
        yield found[0]


async def _next(items: AsyncIterator[Any]) -> list[Any]:
    try:
        return [await anext(items)]
    except StopAsyncIteration:
        return []


class _Listed:
    """A list of jobs; it is shown while the loop runs, as in a notebook."""

    def __init__(self, items: Any, runner: asyncio.Runner) -> None:
        self._items = items
        self._runner = runner

    def __iter__(self) -> Iterator[Any]:
        return _each(self._items, self._runner)

    def __repr__(self) -> str:
        return repr(self._items)

    def __str__(self) -> str:
        return self._shown("__str__")

    def _repr_html_(self) -> str:
        return self._shown("_repr_html_")

    def _shown(self, how: str) -> str:
        async def show() -> str:
            text: str = getattr(self._items, how)()
            return text

        return self._runner.run(show())


class _Stream:
    def __init__(self, stream: Any, runner: asyncio.Runner) -> None:
        self._stream = stream
        self._runner = runner

    def __iter__(self) -> Iterator[bytes]:
        async def whole() -> list[bytes]:
            return [block async for block in self._stream]

        return iter(self._runner.run(whole()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._runner.run(self._stream.read(size))
        return content

    def rows(self) -> Iterator[Any]:
        return _each(self._stream.rows(), self._runner)

    def save(self, path: Path) -> Any:
        return self._runner.run(self._stream.save(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stream.close())


QUICK = bulkforce.RetryPolicy(attempts=3, first_seconds=0.001, longest_seconds=0.002, patience_seconds=0.01)


def connect(colour: str, url: str, auth: bulkforce.Auth, **options: Any) -> Any:
    options.setdefault("retry", QUICK)
    if colour == "sync":
        return bulkforce.Client(url, auth, **options)
    return Loop(bulkforce.AsyncClient(url, auth, **options))
