"""`bulkforce ui`: the runs of a folder in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import flush, tell


def ui(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            help="Folder that holds the runs; by default bulkforce-runs.",
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    org: Org = None,
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; by default any that is free.", min=0, max=65_535)
    ] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Show loads and extracts in the browser, live, while they run and afterwards.

    It serves this machine only, changes nothing, and ends with Ctrl-C. The address holds a secret: whoever has it, and
    is on this machine, can read the runs and their files. With --org, the jobs in the org are shown, too.

    Example: bulkforce ui
    """
    from bulkforce import arguments
    from bulkforce.cli.site.jobs import Jobs
    from bulkforce.cli.site.server import Server, Site
    from bulkforce.cli.site.watching import Runs
    from bulkforce.errors import Error
    from bulkforce.run.folder import RUNS

    place = RUNS if folder is None else arguments.path(folder, "The folder of the runs")
    jobs = None if org is None else Jobs(client_for(org))
    try:
        server = Server(Site(Runs(place), jobs), port)
    except OSError as error:
        raise Error(
            f"Cannot listen on 127.0.0.1, port {port}: {error.strerror}. Without --port, one is free"
        ) from error
    with server:
        print(server.url)
        flush()
        tell(f"bulkforce: shows the runs in {place.absolute()} to this machine only; Ctrl-C ends it")
        if open_browser:
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            tell("bulkforce: ended")
