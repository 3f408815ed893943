"""`bulkforce demo`: everything a client does with an org, with real companies, in seconds."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from bulkforce.cli.extras import emulator_class

if TYPE_CHECKING:
    from bulkforce.cli.tour.stage import Stage


def demo() -> None:
    """Load 503 companies into an emulated org and query them back."""
    began = perf_counter()
    org_class = emulator_class()
    from bulkforce.auth.token import BearerToken
    from bulkforce.cli.tour import companies
    from bulkforce.cli.tour.scenes import Tour
    from bulkforce.cli.tour.stage import Stage
    from bulkforce.client import Client

    stage = Stage.on_stdout()
    with org_class(companies.SCHEMA) as org, Client(org.base_url, auth=BearerToken(org.session_id)) as client:
        _welcome(stage, org.base_url)
        Tour(client, stage, companies.read()).play()
        _farewell(stage, len(org.requests), perf_counter() - began)


def _welcome(stage: Stage, base_url: str) -> None:
    stage.line("[bold]bulkforce: records into a Salesforce org and back, through the Bulk API[/bold]")
    stage.line(f"An emulated org runs at {base_url}; nothing leaves this machine.")
    stage.line("")
    stage.line("    [green]org = Emulator(schema).start()[/green]")
    stage.line("    [green]client = bf.Client(org.base_url, auth=bf.BearerToken(org.session_id))[/green]")
    stage.line("    [green]fast = bf.Pace(first_seconds=0.02)[/green]")


def _farewell(stage: Stage, requests: int, seconds: float) -> None:
    stage.line(f"\n[bold green]All well:[/bold green] {requests} requests in {seconds:.1f} s.\n")
    stage.line("[bold]What next[/bold]")
    stage.line("    bulkforce emulator       start an emulated org of your own")
    stage.line("    bulkforce login NAME     log in to a real org; a sandbox is best at first")
    stage.line("    bulkforce --help         check a file, load, extract, query, count")
