"""What a verb needs besides its options: access to the org, how to wait, and whom to notify."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, cast

from bulkforce.bars import Bar, chosen
from bulkforce.errors import Error, Interrupted, Unsettled
from bulkforce.events import Event, OnEvent, RequestRepeated, RunBegun, RunEnded
from bulkforce.protocol import limits
from bulkforce.protocol.flow import Credentials, Flow, Sleep, authenticate
from bulkforce.run.clock import Clock
from bulkforce.run.manner import Manner
from bulkforce.run.pool import Pool, Threads
from bulkforce.run.telling import Teller, callback
from bulkforce.run.waiting import Patience
from bulkforce.standing import Standing
from bulkforce.transport.account import Account
from bulkforce.transport.drive import Driver
from bulkforce.transport.noting import WorkSpan
from bulkforce.transport.stopping import Stop

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")


class RunFlow(Protocol):
    """Runs a flow against the org and returns its result; may be called from any thread."""

    def __call__(self, flow: Flow[T], /) -> T:
        """Run the flow."""
        ...


@dataclass(slots=True)
class Sitting:
    """What both verbs need besides their options.

    Attributes:
        run: Runs a flow against the org.
        calls: Returns the number of requests made.
        warn: Called with what the user should know although the run continues.
        patience: How to wait.
        trace: Called with the name of each effect on the outside world, just after it happened.
        stop: Asks the run to stop, from another thread.
        clock: The clocks to use.
        pool: Creates a pool for this many concurrent orders.
        listeners: Called with each event.
        bar: Shows progress.
        shows: Whether it does even if the caller shows progress in another way.
        teller: Tells what happens; made in the thread that sits.
        version: The client's version of the API, such as ``66.0``.
    """

    run: RunFlow
    calls: Callable[[], int]
    warn: Callable[[str], None] = lambda _text: None
    patience: Patience = field(default_factory=Patience)
    trace: Callable[[str], None] = lambda _effect: None
    stop: Stop = field(default_factory=Stop)
    clock: Clock = field(default_factory=Clock)
    pool: Callable[[int], Pool] = Threads
    listeners: Sequence[OnEvent] = ()
    version: str = limits.API_VERSION
    bar: Bar | None = None
    shows: bool = False
    teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        self.teller = Teller(self.listeners, self.stop)

    @classmethod
    def of(
        cls,
        driver: Driver,
        stop: Stop | None = None,
        manner: Manner | None = None,
        span: WorkSpan | None = None,
        bar: Bar | None = None,
    ) -> Sitting:
        """Create a sitting from a client's driver; warnings go to the log."""
        manner, halt = manner or Manner(), stop or Stop()
        account = Account(manner.max_api_calls, span=span)

        def run(flow: Flow[T]) -> T:
            return driver.run(flow, halt.sleep, account)

        warn = logging.getLogger("bulkforce").warning
        listeners: list[OnEvent] = [] if span is None else [span.hear]
        listeners += [] if bar is None else [bar.hear]
        listeners += [] if manner.on_event is None else [manner.on_event]
        made = cls(
            run, lambda: account.calls, warn, manner.patience(), stop=halt, listeners=listeners, version=driver.version
        )
        made.bar, made.shows = bar, manner.progress is True
        account.on_pause = made._pauses
        return made

    def _pauses(self, pause: Sleep) -> None:
        fault = pause.because
        if isinstance(fault, Error):
            kind, path = type(fault).__name__, fault.path or ""
            self.teller.tell(
                RequestRepeated(
                    method=fault.method or "", path=path, status=fault.status, error=kind, seconds=pause.seconds
                )
            )

    def tell(self, event: Event) -> None:
        """Tell the caller and the log what has happened."""
        self.teller.tell(event)

    def watched(
        self, on_progress: Callable[[P], None] | None, standing: Callable[[P], Standing]
    ) -> Callable[[P], None] | None:
        """Return what takes a run's progress; ``None`` if there is nothing that does.

        Args:
            on_progress: The caller's function: what it raises stops the run, and propagates afterwards. Whoever has one
                sees no bar, unless they ask for it.
            standing: Puts progress into words.
        """
        callback(on_progress, "on_progress", "the progress")
        own = None if on_progress is None else self.teller.guarded(on_progress, "on_progress")
        bar = self.bar if own is None or self.shows else None
        if bar is None:
            return own

        def watch(progress: P) -> None:
            bar.tell(standing(progress))
            if own is not None:
                own(progress)

        return watch

    def told(self, begun: RunBegun, ended: Callable[[R], RunEnded], work: Callable[[], R]) -> R:
        """Carry out a run, and tell that it begins and, however it comes to its end, that it ends.

        Args:
            begun: The run.
            ended: Says how a run with this report ended.
            work: Carries it out.
        """
        since, last = time.monotonic(), RunEnded(run=begun.run, state="failed")
        self.tell(begun)
        try:
            report = work()
            last = ended(report)
        except BaseException as error:
            if isinstance(error, (Interrupted, Unsettled)):
                last = replace(last, state="interrupted") if error.report is None else ended(cast("R", error.report))
            # What an exception of the caller's says may hold a value.
            last = replace(last, stopped_by=str(error) if isinstance(error, Error) else type(error).__name__)
            raise
        else:
            return report
        finally:
            self.tell(replace(last, seconds=time.monotonic() - since))

    def carry_out(self, work: Callable[[Sitting], T]) -> T:
        """Do the work of a verb.

        Raises:
            Exception: What a function of the caller raised, once the work has stopped; a note says how to go on.
        """
        try:
            result = work(self)
        except Exception as error:
            if self.teller.raised is None:
                raise
            self.teller.raised.add_note(str(error))
        else:
            if self.teller.raised is None:
                return result
            self.teller.raised.add_note("Everything was done all the same")
        raise self.teller.raised

    def instance_url(self) -> str:
        """Return the org's URL, logging in if necessary."""
        credentials: Credentials = self.run(authenticate())
        return credentials.instance_url


def carry_out(driver: Driver, stop: Stop, manner: Manner | None, verb: str, work: Callable[[Sitting], T]) -> T:
    """Do the work of a verb; see `Sitting.carry_out`.

    Args:
        driver: The client's driver.
        stop: Asks the work to stop.
        manner: How to carry it out.
        verb: What its span is called, if spans are made.
        work: The work.
    """
    with ExitStack() as stack:
        span = None if driver.tracing is None else driver.tracing.work(verb)
        bar = chosen(None if manner is None else manner.progress)
        for one in (span, bar):
            if one is not None:
                stack.enter_context(one)
        return Sitting.of(driver, stop, manner, span, bar).carry_out(work)
