"""Groups what the org says about failed records by cause, in bounded memory and without a close look at each text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bulkforce.load.causes import OUT, Cause, cause_of, frame_of, merged
from bulkforce.protocol.wire_csv import record_error
from bulkforce.run.report import ErrorSample

GROUPS: Final = 1_000
"""How many causes are counted separately."""
OTHER: Final = "(other messages)"
"""The message of a group for all causes of a code beyond that."""

_KNOWN: Final = 4 * GROUPS
"""How many texts are remembered with their groups."""
_ALIKE: Final = 20
"""From this number of causes on, the messages of one code and its fields are compared with each other."""
_TRIES: Final = 1_000
_DIGITS: Final = str.maketrans("123456789", "0" * 9)


@dataclass(slots=True)
class Group:
    """Records that failed for one cause.

    Attributes:
        cause: The cause.
        count: Number of records.
        samples: Some of them.
        looks: How many records were looked at as samples.
    """

    cause: Cause
    count: int = 0
    samples: list[ErrorSample] = field(default_factory=list)
    looks: int = 0


@dataclass(slots=True)
class _Kind:
    """The groups of one code and its fields.

    Attributes:
        groups: The first of them.
        frames: Beginnings and ends of messages, each with the group of whatever stands in between.
        tries: How many messages were compared with others in vain.
        united: Whether some of the groups were made into one.
    """

    groups: list[Group] = field(default_factory=list)
    frames: list[tuple[str, str, Group]] = field(default_factory=list)
    tries: int = 0
    united: bool = False


class Groups:
    """Groups of records by cause."""

    def __init__(self) -> None:
        self._groups: dict[Cause, Group] = {}
        self._known: dict[str, Group] = {}
        self._kinds: dict[tuple[str, tuple[str, ...]], _Kind] = {}

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups, the largest first."""
        return iter(sorted(self._groups.values(), key=lambda group: -group.count))

    def of_text(self, text: str) -> Group:
        """Return the group of a record by the org's text: the ``Error`` column of its result."""
        # Most texts that differ do so in digits only.
        return self._known.get(text) or self._known.get(text.translate(_DIGITS)) or self._of_new(text)

    def _of_new(self, text: str) -> Group:
        error = record_error(text)
        kind, message = self._kinds.get((error.status_code, error.fields)), error.message
        for before, after, group in kind.frames if kind else ():
            if len(message) >= len(before) + len(after) and message.startswith(before) and message.endswith(after):
                return group
        cause = cause_of(error.status_code, error.fields, message)
        group = self.of_cause(cause)
        if frame := frame_of(message):
            self._frame(group, *frame)
        if len(self._known) < _KNOWN:
            # A digit stands for any other, unless the cause has some.
            named = any(map(str.isdigit, "".join((cause.status_code, cause.message, *cause.fields))))
            self._known[text if named else text.translate(_DIGITS)] = group
        return group

    def of_cause(self, cause: Cause) -> Group:
        """Return the group of a cause."""
        group = self._groups.get(cause) or self._alike(cause)
        if group is None and len(self._groups) >= GROUPS:
            codes = {code for code, _ in self._kinds}
            cause = Cause(cause.status_code if cause.status_code in codes else "", (), OTHER)
            group = self._groups.get(cause)
        if group is None:
            group = self._groups[cause] = Group(cause)
            kind = self._kinds.setdefault(cause[:2], _Kind())
            if len(kind.groups) < 2 * _ALIKE:
                kind.groups.append(group)
        return group

    def _alike(self, cause: Cause) -> Group | None:
        """Return the group of the causes that begin and end like this one; make it from several if need be.

        The messages of an org's own rules may repeat a value that nothing marks as one, such as a name.
        """
        kind = self._kinds.get(cause[:2])
        if kind is None or not (kind.united or len(kind.groups) >= _ALIKE) or kind.tries > _TRIES:
            return None
        for group in kind.groups:
            message = merged(group.cause.message, cause.message)
            if message is None:
                continue
            whole = Cause(*cause[:2], message)
            return group if whole == group.cause else self._unite(kind, whole)
        kind.tries += 1
        return None

    def _unite(self, kind: _Kind, cause: Cause) -> Group:
        one = self._groups.get(cause) or Group(cause)
        for group in kind.groups:
            if group is not one and merged(cause.message, group.cause.message) == cause.message:
                one.count += group.count
                one.samples = sorted([*one.samples, *group.samples], key=lambda sample: sample.row)[:3]
                del self._groups[group.cause]
        kind.groups = [one, *(group for group in kind.groups if group.cause in self._groups and group is not one)]
        self._groups[cause] = one
        # What was remembered may lead to groups that are no more.
        self._known.clear()
        kind.frames.clear()
        kind.united = True
        self._frame(one, cause.message.partition(OUT)[0], cause.message.rpartition(OUT)[2])
        return one

    def _frame(self, group: Group, before: str, after: str) -> None:
        frames = self._kinds[group.cause[:2]].frames
        if len(frames) < _ALIKE:
            frames.append((before, after, group))
