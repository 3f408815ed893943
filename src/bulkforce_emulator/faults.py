"""Scripted misfortune on the wire: what goes wrong with the nth request of a kind.

A fault is found by method, path and count, and then does one thing, and really does it: a cut connection is a
closed socket, an expired session is gone. What goes wrong inside of a batch is `mishaps`' matter.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from dataclasses import dataclass, field
from typing import Literal, get_args

from bulkforce_emulator.settings_files import check_types

Kind = Literal[
    "answer lost",  # acted, then the connection is cut without an answer
    "request lost",  # the connection is cut, nothing was done
    "late twin",  # the connection is cut, the same request is carried out later; if `acted`, it is answered now and comes a second time
    "late commit",  # a batch is accepted, but is not there yet: it appears later, even if its job was closed meanwhile
    "lagging list",  # the list of a job's batches is out of date: the newest are not in it
    "lagging job",  # so is the jobInfo, in what it counts
    "upload reset",  # the connection is reset after `after_bytes` of the request's body
    "status",  # answered with `status`, without acting unless `acted`
    "session expired",  # every session ends, after `after_bytes` of the body
    "answer cut",  # the connection is cut after `after_bytes` of the answer's body
    "answer truncated",  # the answer's body ends after `after_bytes`, as if that were all
    "answer replaced",  # answered with `status`, `content_type` and `body`, without acting unless `acted`
    "content type",  # the answer says it is `content_type`
    "slow",  # `seconds` before the first byte of the answer
]
#: Paths below `/services/async/` that such a fault can hit at all.
_ONLY = {
    "late commit": ("POST", re.compile(r".*/job/[^/]+/batch/*")),
    "lagging list": ("GET", re.compile(r".*/job/[^/]+/batch/*")),
    "lagging job": ("*", re.compile(r".*/job/[^/]+/*")),
}
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head><body><h1>We are down for maintenance.</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What happens.
        method: Of the requests meant; `*` is any.
        path: Their path as a pattern with `*`, which also covers slashes: `*/batch`. A slash at its end is no matter.
        nth: The first request to be hit, counted from when the fault is added.
        times: How many are hit from there on.
        after_bytes: See `kind`; of an answer that is cut, None is its half.
        keep_length: Whether a cut answer promised its whole length; else it is cut within a chunked body.
        after_requests: A late twin or a late commit comes after so many further requests, or ...
        seconds: ... after this time, which is the org's clock's for a late commit. A lagging answer does not show batches younger than that.
        after_looks: Or a late commit, after so many answered lists of its job's batches. With none of the three it waits for `release`.
        newest: How many of the newest batches a lagging answer does not show, unless `seconds` says it.
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
            raise ValueError(f"{self.kind!r} is no kind of fault; there are {', '.join(get_args(Kind))}")
        check_types(self)

    @property
    def goes_with_others(self) -> bool:
        """Whether the request may meet another fault besides: one of what becomes of the answer."""
        return self.kind in _ONLY or (self.kind == "late twin" and self.acted)

    def fits(self, method: str, path: str) -> bool:
        """Whether a request of this method and path counts for this fault."""
        only_method, only_path = _ONLY.get(self.kind, ("*", None))
        return (
            {self.method, only_method} <= {"*", method}
            and fnmatch.fnmatchcase(path.rstrip("/"), self.path)
            and (only_path is None or only_path.fullmatch(path) is not None)
        )


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0


@dataclass
class Faults:
    """The faults in store. Safe to use from any thread."""

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
        """Faults that have not struck as often as they will."""
        with self._lock:
            return [armed.fault for armed in self._armed]

    def meet(self, method: str, path: str) -> tuple[Fault | None, dict[Kind, Fault]]:
        """The fault that this request meets, and those that go with it, one of a kind; every fault that fits counts it."""
        met: Fault | None = None
        besides: dict[Kind, Fault] = {}
        with self._lock:
            for armed in list(self._armed):
                fault = armed.fault
                if not fault.fits(method, path):
                    continue
                armed.seen += 1
                if armed.seen >= fault.nth and (fault.kind not in besides if fault.goes_with_others else met is None):
                    if fault.goes_with_others:
                        besides[fault.kind] = fault
                    else:
                        met = fault
                    self.struck += 1
                    if armed.seen >= fault.nth + fault.times - 1:
                        self._armed.remove(armed)
        return met, besides
