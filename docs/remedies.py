"""Write the list of status codes into `salesforce-errors.md`, from what the report of a load says: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bulkforce.protocol.remedies import REMEDIES, remedy_for

PAGE: Final = Path(__file__).parent / "salesforce-errors.md"


def page() -> str:
    """Give the page with the list as it should be."""
    rows = [f"| `{code}` | {remedy_for(code)} |" for code in sorted(REMEDIES, key=str.lower)]
    table = "\n".join(["| status code | what to do |", "| --- | --- |", *rows])
    return re.sub(
        r"(?<=<!-- remedies:begin -->\n).*?(?=<!-- remedies:end -->)",
        lambda _: f"{table}\n",
        PAGE.read_text("utf-8"),
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
