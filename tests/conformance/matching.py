"""Placeholders: finding out what they stand for, putting values in their place, and comparing around them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLACEHOLDER = re.compile(
    r"\{(job|batch|result|user|rule|id|time|jsontime|int|any|list|session"
    r"|base_url|username|password|client_id|client_secret|refresh_token)(?:\.(\w+))?\}"
)
#: A number or a list in JSON text, given as a bare placeholder: quoted, so that the text can be parsed.
_BARE = re.compile(r"(?<=[:,\[])(\{int(?:\.\w+)?\})")
_ID_CHARACTERS = "[0-9A-Za-z]{12}[A-Z0-5]{3}"
PATTERNS = {
    "job": "750" + _ID_CHARACTERS,
    "batch": "751" + _ID_CHARACTERS,
    "result": "752[0-9A-Za-z]{12}",
    "user": "005" + _ID_CHARACTERS,
    "rule": "01Q" + _ID_CHARACTERS,
    "id": "[0-9A-Za-z]{15}[A-Z0-5]{3}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z",
    "jsontime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000",
    "int": r"\d+",
    "any": r".*?",
    "list": r".*?",
    "session": r"00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]+",
}
#: What the org says of itself; known before the first request.
OF_THE_ORG = ("base_url", "username", "password", "client_id", "client_secret", "refresh_token")
PATTERNS |= dict.fromkeys(OF_THE_ORG, r".+")
_ALWAYS_KEPT = {"job", "batch", "result", "user", "rule", "session", *OF_THE_ORG}
_SAMPLES = {
    "job": "750P0000006HoSQ",
    "batch": "751P0000007qkh8",
    "result": "752x00000004CJE",
    "user": "005P000000AyPpY",
    "rule": "01QP0000000Kx3b",
    "id": "003P000001avB5G",
    "time": "2022-10-20T16:46:32.000Z",
    "jsontime": "2022-10-20T16:46:32.000+0000",
    "int": "529",
    "any": "some text that is not known",
    "list": "[]",
    "session": "00DP00000012345!AQ.sample_session",
    **{name: f"sample_{name}" for name in OF_THE_ORG},
}


def check_characters(fifteen: str) -> str:
    """The three characters that make an id of 18 out of one of 15."""
    groups = (fifteen[start : start + 5] for start in (0, 5, 10))
    bits = (sum(character.isupper() << place for place, character in enumerate(group)) for group in groups)
    return "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in bits)


@dataclass
class Values:
    """What the placeholders of one conversation stand for so far."""

    known: dict[str, str] = field(default_factory=dict)

    def fill(self, template: str) -> str:
        """Put values in place; what is not known yet gets a sample, for good."""

        def value(match: re.Match[str]) -> str:
            kind, name = match[1], match[2]
            if kind not in _ALWAYS_KEPT and not name:
                return _sample(kind, "")
            return self.known.setdefault(match[0][1:-1], _sample(kind, name or ""))

        return PLACEHOLDER.sub(value, template)

    def match(self, template: str, actual: str, *, literal: bool = True) -> bool:
        """Whether a text fits, and if so remember what its placeholders stand for."""
        pattern, groups = self._pattern(template, literal=literal)
        match = re.fullmatch(pattern, actual, re.DOTALL)
        if match is None:
            return False
        found = {name: match[group] for group, name in groups.items()}
        for name, value in found.items():
            if len(value) == 18 and name.partition(".")[0] in {"job", "batch", "user", "rule", "id"}:
                assert value[15:] == check_characters(value[:15]), f"{{{name}}} is {value}: wrong check characters"
        self.known |= found
        return True

    def _pattern(self, template: str, *, literal: bool) -> tuple[str, dict[str, str]]:
        groups: dict[str, str] = {}
        parts: list[str] = []
        end = 0
        keep: Callable[[str], str] = re.escape if literal else str
        for place in PLACEHOLDER.finditer(template):
            parts += [keep(template[end : place.start()]), self._one(place, groups)]
            end = place.end()
        return "".join([*parts, keep(template[end:])]), groups

    def _one(self, place: re.Match[str], groups: dict[str, str]) -> str:
        kind, name, whole = place[1], place[2], place[0][1:-1]
        if whole in self.known:
            return re.escape(self.known[whole])
        if kind not in _ALWAYS_KEPT and not name:
            return PATTERNS[kind]
        group = whole.replace(".", "__")
        if group in groups:
            return f"(?P={group})"
        groups[group] = whole
        return f"(?P<{group}>{PATTERNS[kind]})"


def _sample(kind: str, name: str) -> str:
    sample = _SAMPLES[kind]
    if name and kind not in {"time", "jsontime", "int", "any"}:
        # Any other name gives another id; the sum is the same in every run.
        digits = f"{sum(ord(letter) * 31**place for place, letter in enumerate(name)) % 10**6:06d}"
        sample = sample[:9] + digits
    return sample + check_characters(sample) if kind in {"job", "batch", "user", "rule", "id"} else sample


def difference(
    values: Values, expected: str, actual: str, match: str = "exact", ignore: Sequence[str] = ()
) -> str | None:
    """Say in what two bodies differ, or nothing when they fit."""
    if match in {"exact", "regex"}:
        fits = values.match(expected, actual, literal=match == "exact")
        return None if fits else f"expected {match}\n{values_shown(values, expected)}\ngot\n{actual}"
    if match == "text":
        fits = values.match(_plain(expected), _plain(actual))
        return None if fits else f"expected text\n{values_shown(values, expected)}\ngot\n{actual}"
    in_json = match == "json" or (match == "part" and expected.startswith(("{", "[")))
    comparison = _Comparison(values, part=match == "part", ignore=frozenset(ignore))
    try:
        found = _compare_json(comparison, expected, actual) if in_json else _compare_xml(comparison, expected, actual)
    except (ValueError, ET.ParseError) as error:
        return f"cannot be parsed ({error}):\n{actual}"
    return None if found is None else f"{found}\nexpected {match}\n{values_shown(values, expected)}\ngot\n{actual}"


def values_shown(values: Values, template: str) -> str:
    """The template with all that is known, for a message."""
    return PLACEHOLDER.sub(lambda match: values.known.get(match[0][1:-1], match[0]), template)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


@dataclass(frozen=True)
class _Comparison:
    values: Values
    part: bool
    ignore: frozenset[str]


def _compare_json(comparison: _Comparison, expected: str, actual: str) -> str | None:
    return _json(comparison, json.loads(_BARE.sub(r'"\1"', expected)), json.loads(actual), "$")


def _json(comparison: _Comparison, expected: object, actual: object, where: str) -> str | None:
    if expected == "{list}" and isinstance(actual, list):
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _members(comparison, expected, actual, where)
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{where}: {len(actual)} items instead of {len(expected)}"
        pairs = enumerate(zip(expected, actual, strict=True))
        return next((found for i, (a, b) in pairs if (found := _json(comparison, a, b, f"{where}[{i}]"))), None)
    if isinstance(expected, str) and isinstance(actual, str | int) and not isinstance(actual, bool):
        fits = isinstance(actual, str) or expected.startswith("{int")
        return None if fits and comparison.values.match(expected, str(actual)) else f"{where}: {actual!r}"
    return None if type(expected) is type(actual) and expected == actual else f"{where}: {actual!r}, not {expected!r}"


def _members(comparison: _Comparison, expected: dict[str, object], actual: dict[str, object], where: str) -> str | None:
    wanted, had = expected.keys() - comparison.ignore, actual.keys() - comparison.ignore
    if wanted - had or (had - wanted and not comparison.part):
        return f"{where}: members {sorted(had)} instead of {sorted(wanted)}"
    pairs = ((name, expected[name], actual[name]) for name in expected if name in wanted)
    return next((found for name, a, b in pairs if (found := _json(comparison, a, b, f"{where}.{name}"))), None)


def _compare_xml(comparison: _Comparison, expected: str, actual: str) -> str | None:
    wanted, had = ET.fromstring(expected), ET.fromstring(actual)
    if wanted.tag != had.tag:
        return f"root {had.tag} instead of {wanted.tag}"
    return _element(comparison, wanted, had, local_name(wanted))


def local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _element(comparison: _Comparison, expected: ET.Element, actual: ET.Element, where: str) -> str | None:
    wanted = [child for child in expected if local_name(child) not in comparison.ignore]
    had = [child for child in actual if local_name(child) not in comparison.ignore]
    if comparison.part:
        names = {local_name(child) for child in wanted}
        had = [child for child in had if local_name(child) in names]
    if [local_name(child) for child in wanted] != [local_name(child) for child in had]:
        return f"{where}: {[local_name(child) for child in had]} instead of {[local_name(child) for child in wanted]}"
    if _attributes(expected) != _attributes(actual):
        return f"{where}: attributes {_attributes(actual)} instead of {_attributes(expected)}"
    if not wanted and not comparison.values.match((expected.text or "").strip(), (actual.text or "").strip()):
        return f"{where}: {actual.text!r}"
    pairs = zip(wanted, had, strict=True)
    return next((found for a, b in pairs if (found := _element(comparison, a, b, f"{where}/{local_name(a)}"))), None)


def _attributes(element: ET.Element) -> dict[str, str]:
    return {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
