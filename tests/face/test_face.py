"""The face: exported names, two clients alike, words for everything, and nothing that a bare install lacks."""

from __future__ import annotations

import doctest
import importlib
import inspect
import logging
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bulkforce
from bulkforce import errors
from bulkforce.extract.asking import ExtractOptions
from bulkforce.load.asking import LoadOptions
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.run.manner import Manner

HERE = Path(__file__).parent


def test_exported_names_are_exactly_these() -> None:
    """The command line's and the engine's names join this list when they are meant for users."""
    assert sorted(bulkforce.__all__) == sorted((HERE / "exported_names.txt").read_text().split())


def test_exported_names_are_there_and_nothing_else_is_promised() -> None:
    for name in bulkforce.__all__:
        assert getattr(bulkforce, name) is not None
    assert set(bulkforce.__all__) <= set(dir(bulkforce))
    assert len(set(bulkforce.__all__)) == len(bulkforce.__all__)
    with pytest.raises(AttributeError, match="NoSuchName"):
        _ = bulkforce.NoSuchName  # type: ignore[attr-defined]


def test_star_import_gives_the_exported_names() -> None:
    space: dict[str, object] = {}
    exec("from bulkforce import *", space)
    assert set(bulkforce.__all__) == set(space) - {"__builtins__"}


def public(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers_static(kind)
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }


def parameters(function: Any) -> list[tuple[str, Any, Any, Any]]:
    return [(p.name, p.kind, p.default, p.annotation) for p in inspect.signature(function).parameters.values()]


def test_both_clients_have_the_same_methods() -> None:
    assert public(bulkforce.Client).keys() == public(bulkforce.AsyncClient).keys()


@pytest.mark.parametrize("name", ["__init__", *public(bulkforce.Client)])
def test_both_clients_take_the_same_parameters(name: str) -> None:
    ours, theirs = getattr(bulkforce.Client, name), getattr(bulkforce.AsyncClient, name)
    assert parameters(ours) == parameters(theirs)
    if name != "__init__":
        awaited = inspect.signature(theirs).return_annotation
        assert inspect.iscoroutinefunction(theirs) or awaited.startswith("AsyncIterator[")
        for word in ("AsyncResultStream", "AsyncCsvStream", "AsyncIterator", "AsyncStage"):
            awaited = awaited.replace(word, word.removeprefix("Async"))
        assert inspect.signature(ours).return_annotation == awaited


@pytest.mark.parametrize(("verb", "options"), [("load", LoadOptions), ("extract", ExtractOptions)])
def test_options_inside_are_those_of_the_method(verb: str, options: type) -> None:
    """What a method hands on is one value; an option that is declared in one place only, or otherwise, is a mistake."""
    method = list(inspect.signature(getattr(bulkforce.Client, verb)).parameters.values())[1:]
    inside = inspect.signature(options).parameters.values()
    shared = inspect.signature(Manner).parameters.values()
    assert {(one.name, one.default) for one in method} == {(one.name, one.default) for one in (*inside, *shared)}


def test_both_streams_have_the_same_methods() -> None:
    ours, theirs = bulkforce.ResultStream, bulkforce.AsyncResultStream
    assert {"read", "close"} <= public(theirs).keys() <= public(ours).keys()
    assert public(bulkforce.Stage).keys() == public(bulkforce.AsyncStage).keys()
    assert public(bulkforce.AsyncCsvStream).keys() - public(theirs).keys() == {"rows", "save"}
    assert public(bulkforce.CsvStream).keys() - public(ours).keys() == {"rows", "save"}


def modules() -> Iterator[str]:
    yield "bulkforce"
    for info in pkgutil.walk_packages(bulkforce.__path__, "bulkforce."):
        yield info.name


@pytest.mark.parametrize("name", list(modules()))
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert (importlib.import_module(name).__doc__ or "").strip()


def test_everything_public_is_described() -> None:
    bare = []
    for name in bulkforce.__all__:
        value = getattr(bulkforce, name)
        if not (value.__doc__ or "").strip() or value.__doc__.startswith(f"{name}("):
            bare.append(name)
        bare += [
            f"{name}.{member}"
            for member, what in (public(value) if inspect.isclass(value) else {}).items()
            if not (what.__doc__ or "").strip()
        ]
    assert bare == []


@pytest.mark.parametrize("name", [name for name in modules() if ".cli" not in name])
def test_examples_in_docstrings_work(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), raise_on_error=False).failed == 0


def test_types_of_the_face_are_as_users_see_them() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(HERE / "typing" / "api.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
    )
    assert checked.returncode == 0, checked.stdout


SECRET = "SECRETSECRET"


class Refuses:
    """A transport that says no, and knows the token only from the headers."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        return Answer(request, self.status, {"content-type": "application/xml"}, self.body)

    def close(self) -> None:
        pass


AUTHS = [
    bulkforce.BearerToken(SECRET),
    bulkforce.RefreshToken("id", SECRET, SECRET),
    bulkforce.ClientCredentials("id", SECRET),
    bulkforce.UsernamePassword("u", SECRET, SECRET),
]


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: type(auth).__name__)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 500, 503])
def test_no_secret_is_in_anything_a_user_may_print(
    auth: bulkforce.Auth, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = bulkforce.Client(
        "https://acme.my.salesforce.com",
        auth,
        transport=Refuses(status, b"<x/>"),
        retry=bulkforce.RetryPolicy(attempts=1),
    )
    with pytest.raises(errors.Error) as caught:
        client.create_job("insert", "Contact", "CSV")
    texts = [
        repr(client),
        repr(client.driver),
        repr(auth),
        str(auth),
        repr(caught.value),
        repr(vars(caught.value)),
        caplog.text,
        "".join(traceback.format_exception(caught.value)),
        repr(bulkforce.TLS(client_key_password=SECRET)),
    ]
    assert [text for text in texts if SECRET in text] == []


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


EXTRAS = [
    "pyarrow",
    "duckdb",
    "starlette",
    "uvicorn",
    "lark",
    "jinja2",
    "jwt",
    "cryptography",
    "isal",
    "zstandard",
    "pandas",
    "polars",
    "numpy",
    "opentelemetry",
]
BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
"""


def test_bare_install_has_the_whole_face() -> None:
    python(
        BLOCK + "from bulkforce import *; import bulkforce; bulkforce.Client('https://a.b', "
        "bulkforce.BearerToken('x')).close()"
    )


def test_bare_install_reads_gzip_with_the_standard_library() -> None:
    out = python(
        BLOCK
        + """
import gzip as standard, io
from bulkforce.transport import gzip
text = b"Morkel" * 200_000
packed = gzip.compress(io.BytesIO(text))
assert b"".join(gzip.decompress([packed[:7], packed[7:] + packed])) == text + text
assert max(map(len, gzip.decompress([standard.compress(bytes(5_000_000))]))) <= 262_144
try:
    b"".join(gzip.decompress([packed[:-1]]))
except EOFError:
    print("cut")
try:
    b"".join(gzip.decompress([b"no gzip at all"]))
except gzip.NotGzip:
    print("none")
"""
    )
    assert out.split() == ["cut", "none"]


def test_jwt_login_names_the_extra_that_is_missing() -> None:
    out = python(
        BLOCK
        + """
import bulkforce
client = bulkforce.Client("https://a.b", bulkforce.JWTBearer("id", "u", "key"))
try:
    client.get_job_info("750A")
except bulkforce.MissingExtra as error:
    print(error, error.extra)
"""
    )
    assert "pip install 'bulkforce[jwt]'" in out


def test_import_takes_nothing_along_that_is_not_needed() -> None:
    out = python("import sys, bulkforce; print(*{name.partition('.')[0] for name in sys.modules})")
    assert {"urllib3", *EXTRAS, "typer", "rich", "asyncio", "sqlite3"} & set(out.split()) == set()


def test_error_module_needs_nothing_but_itself() -> None:
    out = python(
        "import sys, bulkforce.errors; print(*(name for name in sys.modules if name.startswith('bulkforce.')))"
    )
    assert out.split() == ["bulkforce.errors"]
