"""Pages that do not do what they say are found out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document
from sybil.example import SybilFailure
from tests.docs.snippets import Reader

from bulkforce_emulator import Emulator


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


def read(text: str, org: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path("page.md")
    page.write_text(text, "utf-8")
    reader = Reader(org, monkeypatch.setenv)
    for example in Document.parse(str(page), reader.regions).examples():
        example.evaluate()


@pytest.mark.parametrize(
    "block",
    [
        "```console\n$ echo one\ntwo\n```",
        "```console\n$ echo one\none\n[exit code 1]\n```",
        "```console\n$ false\n```",
        "```sh\nfalse\n```",
        "```sh\nbulkforce no-such-command\n```",
        "```sh\npip install 'bulkforce[no-such-extra]'\n```",
        "```toml\n= nothing\n```",
        "```klingon\nqapla\n```",
        "```js\nno such line\n```",
        '```python\nprint("one")\n```\n\n```text title="output"\ntwo\n```',
    ],
)
def test_a_wrong_block_fails(org: Emulator, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SybilFailure, ValueError)):
        read(f"# Page\n\n{block}\n", org, monkeypatch)


def test_a_right_page_passes(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [
        '```csv title="a.csv"\nx\n1\n```',
        "```console\n$ cat a.csv\nx\n...\n$ false\n[exit code 1]\n```",
        "```sh\nexport WORD=said\n```",
        '```python\nimport os\n\nprint(os.environ["WORD"])\n```',
        '```text title="output"\nsaid\n```',
        "<!-- invisible-code-block: python\nword = 1\n-->",
        "```python\nassert word == 1\n```",
    ]
    read("# Page\n\n" + "\n\n".join(blocks) + "\n", org, monkeypatch)
