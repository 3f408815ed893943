"""Build the distributions and check them; upload them only if told to. `make dist` is quick, `make release` whole.

python scripts/release.py --quick     # build, twine check, and the demo from the wheel with the packages that are here
python scripts/release.py             # the same in empty environments, from a clean tree
python scripts/release.py --upload    # and then to PyPI, if the changelog knows the version and the addresses answer
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDED = ("bulkforce/py.typed", "bulkforce_emulator/py.typed", "bulkforce/cli/data/", "bulkforce_emulator/standard/")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="use the packages that are here; the tree need not be clean")
    kind.add_argument("--upload", action="store_true", help="upload to PyPI when all is well")
    given = parser.parse_args()
    if not given.quick:
        check_tree()
    if given.upload:
        check_announced()
    wheel = build()
    check_wheel(wheel)
    check_page(wheel)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        try_with_packages_here(wheel, Path(folder)) if given.quick else try_in_empty_environments(wheel, Path(folder))
    print(f"{', '.join(sorted(one.name for one in DIST.iterdir()))}: well")
    if given.upload:
        run(sys.executable, "-m", "twine", "upload", *map(str, DIST.iterdir()))
        print(f"Now: git tag v{PROJECT['version']} && git push --tags")


def check_tree() -> None:
    """Make sure that what is built is what is committed."""
    if changed := run("git", "status", "--porcelain"):
        sys.exit(f"The tree is not clean:\n{changed}")


def check_announced() -> None:
    """Make sure that the changelog knows the version, and that the project's addresses answer."""
    version = PROJECT["version"]
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    ):
        sys.exit(f"CHANGELOG.md has no heading `## [{version}] - YEAR-MONTH-DAY`")
    for name, address in PROJECT["urls"].items():
        try:
            with urllib.request.urlopen(address, timeout=30):
                pass
        except OSError as error:
            sys.exit(f"project.urls, {name}: {address} does not answer ({error}); nothing was uploaded")


def build() -> Path:
    """Build the source distribution, and the wheel from it; return the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, DIST.iterdir()))
    (wheel,) = DIST.glob("*.whl")
    return wheel


def check_wheel(wheel: Path) -> None:
    """Make sure that the wheel has what it needs, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    if missing := [part for part in NEEDED if not any(name.startswith(part) for name in names)]:
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    roots = {name.partition("/")[0] for name in names}
    if strange := roots - {"bulkforce", "bulkforce_emulator", f"bulkforce-{PROJECT['version']}.dist-info"}:
        sys.exit(f"{wheel.name} has {', '.join(strange)}, too")


def check_page(wheel: Path) -> None:
    """Make sure that each link and picture of the page on PyPI is whole."""
    metadata = zipfile.ZipFile(wheel).read(f"bulkforce-{PROJECT['version']}.dist-info/METADATA").decode()
    if links := re.findall(r"\]\((?!https?:|#)[^)]*\)|(?m:^\[[\w-]+\]: (?!https?:).*)", metadata):
        sys.exit(f"{wheel.name}: its page would have links that lead nowhere: {', '.join(links)}")


def try_with_packages_here(wheel: Path, folder: Path) -> None:
    """Run the wheel's code with the packages of this environment."""
    zipfile.ZipFile(wheel).extractall(folder)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {_CHECK}; {_RUN}"]
    run(*command, "demo")


_CHECK = "import bulkforce, bulkforce_emulator; assert bulkforce.__file__.startswith(sys.path[0]), bulkforce.__file__"
_RUN = "from bulkforce.cli.main import main; main()"


def try_in_empty_environments(wheel: Path, folder: Path) -> None:
    """Install the client alone, then with the emulator, and use them."""
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", str(folder))
    run(str(python), "-m", "pip", "install", "--quiet", str(wheel))
    said = run(str(folder / "bin" / "bulkforce"), "--version")
    if said.strip() != f"bulkforce {PROJECT['version']}":
        sys.exit(f"The wheel says it is {said.strip()}, and pyproject.toml {PROJECT['version']}")
    run(str(python), "-c", "import bulkforce as bf; bf.Client('https://acme.my.salesforce.com', bf.BearerToken('x'))")
    run(str(python), "-m", "pip", "install", "--quiet", f"{wheel}[emulator]")
    run(str(folder / "bin" / "bulkforce"), "demo")


def run(*command: str) -> str:
    """Run a command in the root, and give what it prints; end with it if it fails."""
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
