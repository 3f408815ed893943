"""Draw the pictures of the command line's progress, from real runs against an emulated org: `make pictures`."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console

import bulkforce as bf
from bulkforce.bars import live_bar, on_bar
from bulkforce.extract.standing import extract_standing
from bulkforce.load.standing import load_standing
from bulkforce.standing import Standing
from bulkforce_emulator import Emulator, Pace

HERE = Path(__file__).parent
ROWS = 240_000
P = TypeVar("P")


def drawn(
    console: Console, standing: Callable[[P], Standing], shares: list[float], share: Callable[[P], float]
) -> Callable[[P], None]:
    """Give what is to be told of progress; it prints the bar each time that a share of the work is done."""
    bar = live_bar(console)
    tell = on_bar(bar)
    waiting = sorted(shares)

    def note(progress: P) -> None:
        tell(standing(progress))
        if waiting and share(progress) >= waiting[0]:
            del waiting[0]
            console.print(bar.get_renderable())

    return note


def draw(name: str, command: str, run: Callable[[Console], str]) -> None:
    """Record what a run shows, and write it as a picture."""
    console = Console(
        record=True, width=132, force_terminal=True, color_system="truecolor", file=io.StringIO(), highlight=False
    )
    console.print(f"[green]$[/green] [bold]{command}[/bold]", highlight=False)
    console.print(run(console), highlight=False)
    console.save_svg(str(HERE / f"{name}.svg"), title="bulkforce")


def main() -> None:
    """Draw both."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("contacts.csv").write_text(
            "LastName,Email\n" + "".join(f"Row {n},row{n}@example.com\n" for n in range(ROWS)), "utf-8"
        )
        with (
            Emulator(pace=Pace.timed(records_per_second=40_000)) as org,
            bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client,
        ):

            def load(console: Console) -> str:
                tell = drawn(console, load_standing, [0.15, 0.5, 0.85], lambda progress: progress.succeeded / ROWS)
                report = client.load("contacts.csv", "Contact", "insert", on_progress=tell)
                return (
                    f"insert Contact: {report.read:,} rows in {report.batches} batches, {report.seconds:.1f} s, "
                    f"{report.api_calls} API calls"
                )

            def extract(console: Console) -> str:
                tell = drawn(console, extract_standing, [0.15, 0.5, 0.85], lambda progress: progress.rows / ROWS)
                report = client.extract(
                    "SELECT Id, LastName, Email FROM Contact",
                    to="contacts.parquet",
                    pk_chunking=20_000,
                    on_progress=tell,
                )
                return (
                    f"extract Contact: {report.rows:,} rows in {report.batches} batches, {report.seconds:.1f} s, "
                    f"{report.api_calls} API calls\n"
                    f"  the rows of every batch match the org's own count; {report.bytes:,} bytes received\n"
                    "  contacts.parquet"
                )

            draw("load", "bulkforce load contacts.csv --object Contact --operation insert", load)
            draw(
                "extract",
                'bulkforce extract "SELECT Id, LastName, Email FROM Contact" -o contacts.parquet --pk-chunking 20000',
                extract,
            )


if __name__ == "__main__":
    main()
