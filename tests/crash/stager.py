"""One process of a staged load: reads an order as JSON from its arguments, and writes what came of it to its output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bulkforce as bf


def main(order: dict[str, str]) -> None:
    client = bf.Client(order["url"], bf.BearerToken(order["session_id"]), retry=bf.RetryPolicy(attempts=2))
    stage = client.resume_stage(order["state"])
    match order["verb"]:
        case "write":
            print(json.dumps(stage.write(Path(order["part"]))))
        case "commit":
            print(json.dumps([job.id for job in stage.commit()]))
        case "abort":
            stage.abort()
    client.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
