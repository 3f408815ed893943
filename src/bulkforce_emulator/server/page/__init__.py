"""The page at `/`: the org's jobs and batches, for people, as Setup shows them under Bulk Data Load Jobs.

It only reads. It is served before the application, so it is neither logged nor hit by faults.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bulkforce_emulator.state.org import Org

#: Everything below the list. Salesforce has no such path, and clients of the org never ask for it.
HOME = "/_emulator/page"


class WithPage:
    """The application, and the page in front of it. ASGI."""

    def __init__(self, app: ASGIApp, org: Org) -> None:
        self._app = app
        self._org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the page, and pass on all others."""
        for_people = scope["type"] == "http" and (scope["path"] == "/" or scope["path"].startswith(f"{HOME}/"))
        if for_people and self._org.latecomers:
            await run_in_threadpool(self._org.latecomers.settle)
        await (self._page if for_people else self._app)(scope, receive, send)

    @cached_property
    def _page(self) -> ASGIApp:
        # Imported on the first visit: most orgs live for one test and must start at once.
        from bulkforce_emulator.server.page.routes import make_page

        return make_page(self._org, HOME)
