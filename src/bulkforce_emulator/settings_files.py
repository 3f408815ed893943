"""Settings from TOML, JSON and mappings, each laid over the defaults.

bearer_accepted = true
[limits]
batch_records = 100
[texts.calls]
batch_unknown = { words = "No batch {id} here" }
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from bulkforce_emulator.config_files import did_you_mean, read_document, shortened
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.words import Text

if TYPE_CHECKING:
    import os

    from _typeshed import DataclassInstance

_Group = TypeVar("_Group")


class SettingsError(ValueError):
    """Invalid settings: an unknown name, or a value of the wrong type."""


def load_settings(source: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None) -> Settings:
    """Read settings and lay them over the defaults.

    Args:
        source: A TOML or JSON file, a mapping of the same form, finished settings, or None for the defaults.

    Raises:
        SettingsError: A setting is unknown, or cannot have this value.
    """
    if isinstance(source, Settings):
        return source
    if source is None:
        return Settings()
    if not isinstance(source, Mapping):
        try:
            source = read_document(source)
        except ValueError as error:
            raise SettingsError(f"{source} cannot be read: {error}") from error
    return _laid_over(Settings(), source)


def _laid_over(group: _Group, given: object, where: str = "") -> _Group:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where.rstrip('.')} must be a table, not {shortened(given)}")
    kinds = get_type_hints(type(group))
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise SettingsError(f"{where}{name} is not a setting{_instead(name, kinds, where)}")
        default = getattr(group, name)
        if is_dataclass(default):
            changes[name] = _laid_over(default, value, f"{where}{name}.")
        elif isinstance(default, Text):
            changes[name] = _text(default, value, f"{where}{name}")
        else:
            changes[name] = fitted(kinds[name], value, f"{where}{name}")
    return replace(group, **changes)  # type: ignore[type-var] # every group is a dataclass


def _instead(name: str, kinds: Iterable[str], where: str) -> str:
    """What is probably meant: a setting of another table, or one that is spelled like it."""
    for group in ("", "limits.", "texts.calls.", "texts.batches.", "texts.rows.", "texts.queries.", "texts.logins."):
        path = group.rstrip(".").split(".") if group else []
        owner: object = Settings()
        for step in path:
            owner = getattr(owner, step)
        if group != where and name in get_type_hints(type(owner)):
            return f"; did you mean {group}{name}?"
    return did_you_mean(name, kinds)


def _text(default: Text, given: object, where: str) -> Text:
    if (
        not isinstance(given, Mapping)
        or not given.keys() <= {"code", "words"}
        or not all(isinstance(word, str) for word in given.values())
    ):
        raise SettingsError(f"{where} must have a code, words or both, not {shortened(given)}")
    return default._replace(**given)


def check_types(made: DataclassInstance) -> None:
    """Check that a dataclass, made from a user's values, has the types it declares.

    Raises:
        SettingsError: A value has the wrong type.
    """
    for name, kind in get_type_hints(type(made)).items():
        fitted(kind, getattr(made, name), name)


def fitted(kind: Any, given: object, where: str) -> object:  # noqa: ANN401 - any annotation
    """Check that a value has this type, and return it.

    Raises:
        SettingsError: It has another type.
    """
    origin, choices = get_origin(kind), get_args(kind)
    if origin is Sequence:
        if isinstance(given, (list, tuple, range)) and all(type(one) in choices for one in given):
            return given
        raise SettingsError(f"{where} must be a list of {choices[0].__name__}, not {shortened(given)}")
    if origin is tuple:
        if isinstance(given, (list, tuple)) and all(isinstance(one, str) for one in given):
            return tuple(given)
        raise SettingsError(f"{where} must be a list of strings, not {shortened(given)}")
    if origin is Literal:
        if given in choices:
            return given
        raise SettingsError(f"{where} must be {' or '.join(map(repr, choices))}, not {shortened(given)}")
    types = choices or (kind,)
    if type(given) in types or (type(given) is int and float in types):
        return given
    raise SettingsError(f"{where} must be {types[0].__name__}, not {shortened(given)}")
