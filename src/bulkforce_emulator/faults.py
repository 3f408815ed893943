"""Faults on the wire: what goes wrong with the nth request of a kind.

A fault picks requests by method, path and count, and does one thing, for real: a cut connection is a closed socket,
an expired session is gone. What goes wrong inside a batch is in `mishaps`.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

from bulkforce_emulator.settings_files import check_types

Kind = Literal[
    "answer lost",  # the request is carried out, then the connection is cut without an answer
    "request lost",  # the connection is cut, and nothing is done
    "late twin",  # the connection is cut and the request carried out later; if `acted`, answered now and repeated later
    "late commit",  # a batch, or an upload or `UploadComplete` of 2.0, is accepted but takes effect only later
    "lagging list",  # the list of a job's batches, or of 2.0's jobs, is out of date: the newest are missing
    "lagging job",  # a job is out of date: the newest batches are not counted, one of 2.0 seems not to have begun
    "lagging results",  # a result file of 2.0 is out of date: the rows of the newest batches are missing
    "late results",  # a job of 2.0 that has ended has no results yet: answered as `early_results` has it
    "upload reset",  # the connection is reset after `after_bytes` of the request's body
    "status",  # the answer has this `status`; nothing is done unless `acted`
    "session expired",  # every session ends, after `after_bytes` of the body
    "answer cut",  # the connection is cut after `after_bytes` of the answer's body
    "answer truncated",  # the answer's body ends after `after_bytes`, as if it were complete
    "answer replaced",  # the answer has this `status`, `content_type` and `body`; nothing is done unless `acted`
    "content type",  # the answer claims to be `content_type`
    "slow",  # the answer's first byte comes after `seconds`
]
_BATCHES, _JOB = r".*/job/[^/]+/batch", r".*/job/[^/]+"
_INGEST, _ANY = r".*/jobs/ingest", r".*/jobs/(ingest|query)"
#: The only requests that these faults can hit: methods and paths.
_ONLY: dict[str, tuple[tuple[str, str], ...]] = {
    "late commit": (("POST", _BATCHES), ("PUT", _INGEST + "/[^/]+/batches"), ("PATCH", _INGEST + "/[^/]+")),
    "lagging list": (("GET", _BATCHES), ("GET", _ANY)),
    "lagging job": (("GET", _JOB), ("POST", _JOB), ("GET", _ANY + "/[^/]+")),
    "lagging results": (("GET", _INGEST + "/[^/]+/(successfulresults|failedresults)"),),
    "late results": (
        ("GET", _ANY + "/[^/]+/(results|resultpages|successfulresults|failedresults|unprocessedrecords)"),
    ),
}
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head>"
    "<body><h1>We are down for maintenance.</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What happens.
        method: The method of the requests to hit; `*` is any.
        path: A pattern for their path. `*` matches slashes too, as in `*/batch`; a slash at the end is ignored.
        nth: Which request is hit first, counted from when the fault is added.
        times: How many requests are hit from there on.
        after_bytes: See `kind`; for an answer that is cut, None means half of it.
        keep_length: Whether a cut answer announces its full length; if not, it is cut inside a chunked body.
        after_requests: A late twin or a late commit comes after this many more requests, or ...
        seconds: ... after this time; for a late commit, time on the org's clock. A lagging list or jobInfo leaves out
            what is younger than this.
        after_looks: A late commit can also wait for this many answered lists of its job's batches; in 2.0, for this
            many answers that tell about its job. With none of the three it waits for `release`.
        newest: How many of the newest batches, or jobs, a lagging answer leaves out, unless `seconds` is given.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    nth: int = 1
    times: int = 1
    status: int = 503
    retry_after: float | None = None
    acted: bool = False
    after_bytes: int | None = None
    keep_length: bool = True
    content_type: str = "text/html"
    body: str = HTML_PAGE
    seconds: float = 0.0
    after_requests: int | None = None
    after_looks: int | None = None
    newest: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"{self.kind!r} is not a kind of fault; choose one of {', '.join(get_args(Kind))}")
        check_types(self)

    @property
    def goes_with_others(self) -> bool:
        """Whether the request can meet another fault as well, one that affects the answer."""
        return self.kind in _ONLY or (self.kind == "late twin" and self.acted)

    def fits(self, method: str, path: str) -> bool:
        """Whether a request of this method and path counts for this fault."""
        path = path.rstrip("/")
        return (
            self.method in {"*", method}
            and fnmatch.fnmatchcase(path, self.path)
            and any(
                only in {"*", method} and re.fullmatch(where, path, re.IGNORECASE)
                for only, where in _ONLY.get(self.kind, (("*", ".*"),))
            )
        )


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0


@dataclass
class Faults:
    """The faults that are set. Safe to use from any thread."""

    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: How often a fault has struck.
    struck: int = 0

    def add(self, *faults: Fault) -> None:
        """Arm one or more faults; each counts requests from now on."""
        with self._lock:
            self._armed += [_Armed(fault) for fault in faults]

    def clear(self) -> None:
        """Disarm all faults."""
        with self._lock:
            self._armed.clear()

    def pending(self) -> list[Fault]:
        """Faults that will still strike."""
        with self._lock:
            return [armed.fault for armed in self._armed]

    def meet(self, method: str, path: str) -> tuple[Fault | None, dict[Kind, Fault]]:
        """The fault that this request meets, and one of each kind that goes with others.

        Every fault that fits counts the request.
        """
        met: Fault | None = None
        others: dict[Kind, Fault] = {}
        with self._lock:
            for armed in list(self._armed):
                fault = armed.fault
                if not fault.fits(method, path):
                    continue
                armed.seen += 1
                if armed.seen >= fault.nth and (fault.kind not in others if fault.goes_with_others else met is None):
                    if fault.goes_with_others:
                        others[fault.kind] = fault
                    else:
                        met = fault
                    self.struck += 1
                    if armed.seen >= fault.nth + fault.times - 1:
                        self._armed.remove(armed)
        return met, others
