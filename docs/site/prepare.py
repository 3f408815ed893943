"""Lay out in `build/docs` what the site is built from: the pages of `docs`, and some that stand outside of it.

All of them are Markdown for GitHub. Only their links need another form here.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "build" / "docs"
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "bench/README.md",
    "conformance/README.md",
    "examples/README.md",
    "tests/judges/README.md",
)
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"].get("urls", {}).get("Repository")
NOT_PAGES = ("*.py", "*.html", "site", "0000-template.md", "__pycache__")
FENCED = re.compile(r"^( *```.*?^ *```)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def place(path: str) -> str | None:
    """Where a file or folder of the repository stands on the site, if it does."""
    for name in (path, f"{path}/README.md"):
        inside = name.removeprefix("docs/") if name.startswith("docs/") else name if name in OUTSIDE else ""
        if inside and (OUT / inside).is_file():
            return inside
    return None


def fitted(text: str, path: str) -> str:
    """Let links lead to a page of the site, or to the repository."""
    folder = posixpath.dirname(path)
    here = posixpath.dirname(place(path) or "")

    def led(link: re.Match[str]) -> str:
        words, path, anchor = link[1], link[2], link[3] or ""
        target = posixpath.normpath(posixpath.join(folder, path))
        if there := place(target):
            return f"[{words}]({posixpath.relpath(there, here or '.')}{anchor})"
        if not (ROOT / target).exists():
            return link[0]  # which the build reports
        return f"[{words}]({REPOSITORY}/blob/main/{target}{anchor})" if REPOSITORY else words

    parts = FENCED.split(text)
    return "".join(part if number % 2 else LINK.sub(led, part) for number, part in enumerate(parts))


def main() -> None:
    """Write all pages again."""
    shutil.rmtree(OUT, ignore_errors=True)
    shutil.copytree(ROOT / "docs", OUT, ignore=shutil.ignore_patterns(*NOT_PAGES))
    (OUT / "assets").mkdir()
    shutil.copy(ROOT / "docs" / "site" / "iframe-worker.js", OUT / "assets")
    for name in OUTSIDE:
        if (ROOT / name).exists():
            (OUT / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, OUT / name)
    for page in sorted(OUT.rglob("*.md")):
        inside = page.relative_to(OUT).as_posix()
        page.write_text(fitted(page.read_text("utf-8"), inside if inside in OUTSIDE else f"docs/{inside}"), "utf-8")


if __name__ == "__main__":
    main()
