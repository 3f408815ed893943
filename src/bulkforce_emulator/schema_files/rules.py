"""What a schema file says about an object beyond its fields: record types, rules, triggers, access, sharing.

[Account]
sharing = "private"                    # others' records are seen only if an AccountShare says so; or "read"

[Account.record_types.Partner]         # or: record_types = ["Customer", "Partner"]; the first is the default
label = "Partner account"
picklists = { Type = ["Channel Partner / Reseller"] }

[Account.validation_rules.Phone_of_partners]
condition = "AND(RecordType.DeveloperName = 'Partner', ISBLANK(Phone))"
message = "A partner needs a phone."
field = "Phone"

[Account.duplicate_rules.Same_site]
match = ["Website"]

[Account.triggers]                     # a function in a module, or in a file beside this one
before_insert = "rules.py:fill_site"

[Account.access]
AnnualRevenue = "read"                 # or "none": the user does not see it
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.config_files import did_you_mean, shortened
from bulkforce_emulator.ids import to_18, to_base62
from bulkforce_emulator.rules import DuplicateRule, Event, RecordType, Trigger, ValidationRule
from bulkforce_emulator.schema_files.lines import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.schema import Field, SObject

#: What can be said of an object here, and of what type it is.
ABOUT: dict[str, type | tuple[type, ...]] = {
    "record_types": (Mapping, list, tuple), "validation_rules": Mapping, "duplicate_rules": Mapping,
    "triggers": Mapping, "access": Mapping, "sharing": str,
}  # fmt: skip
_SHARING = ("private", "read", "edit")
_ACCESS = ("edit", "read", "none")
_RECORD_TYPE = {"label": str, "default": bool, "active": bool, "available": bool, "person": bool, "picklists": Mapping}
_VALIDATION = {"condition": object, "message": str, "field": str, "active": bool}
_DUPLICATE = {"match": (list, tuple), "message": str, "action": str, "among": str, "on": (list, tuple), "active": bool}
_WORDS = {str: "a string", bool: "true or false", Mapping: "a table", (list, tuple): "a list"}
_ID_DIGITS = 9


def record_types(name: str, said: Mapping[str, Any]) -> tuple[RecordType, ...]:
    """The record types of an object.

    Raises:
        SchemaError: They are not described as they must be.
    """
    given = said.get("record_types", {})
    named = given if isinstance(given, Mapping) else {_text(one, f"{name}.record_types"): {} for one in given}
    made = [_record_type(name, developer_name, about) for developer_name, about in named.items()]
    usable = [one for one in made if one.usable]
    if usable and not any(one.default for one in made):
        made[made.index(usable[0])] = replace(usable[0], default=True)
    return tuple(made)


def _record_type(name: str, developer_name: str, about: object) -> RecordType:
    where = f"{name}.record_types.{developer_name}"
    said = _table(about, where, _RECORD_TYPE)
    lists = {
        field: tuple(_text(one, f"{where}.picklists.{field}") for one in values)
        for field, values in said.get("picklists", {}).items()
    }
    return RecordType(
        developer_name,
        said.get("label", developer_name.replace("_", " ")),
        # The same in every org, so that one kept in a file can be opened again.
        to_18(f"012EM0{to_base62(zlib.crc32(f'{name}.{developer_name}'.encode()), _ID_DIGITS)}"),
        **{key: said[key] for key in ("default", "active", "available", "person") if key in said},
        picklists=lists,
    )


def with_rules(sobject: SObject, said: Mapping[str, Any], types: tuple[RecordType, ...], folder: Path) -> SObject:
    """The object with all that is said of it here.

    Raises:
        SchemaError: It cannot be meant.
    """
    name, fields = sobject.name, sobject.fields
    validation = [
        _validation(name, rule, about, fields, folder) for rule, about in said.get("validation_rules", {}).items()
    ]
    duplicates = [_duplicate(name, rule, about, fields) for rule, about in said.get("duplicate_rules", {}).items()]
    rules = replace(
        sobject.rules,
        record_types=_record_types_of(sobject, types),
        validation=tuple(rule for rule in validation if rule is not None),
        duplicates=tuple(rule for rule in duplicates if rule is not None),
        triggers=tuple(_triggers(name, said.get("triggers", {}), folder)),
    )
    changed = replace(sobject, rules=rules, sharing=_sharing(sobject, said))
    return _with_access(changed, said.get("access", {}))


def _record_types_of(sobject: SObject, types: Iterable[RecordType]) -> tuple[RecordType, ...]:
    """Those that the org describes, with what is said of them here, and further ones."""
    found = {one.developer_name: one for one in sobject.rules.record_types}
    for kind in types:
        made = _with_picklists(sobject.name, kind, sobject.fields)
        known = found.get(kind.developer_name)
        found[kind.developer_name] = replace(known, picklists=made.picklists) if known else made
    return tuple(found.values())


def _with_picklists(name: str, kind: RecordType, fields: Mapping[str, Field]) -> RecordType:
    where = f"{name}.record_types.{kind.developer_name}.picklists"
    named = {_known(field, fields, where): values for field, values in kind.picklists.items()}
    for field in named:
        if fields[field].type not in {"picklist", "multipicklist"}:
            raise SchemaError(f"{where}: {field} is no picklist")
    return replace(kind, picklists=named)


def _sharing(sobject: SObject, said: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of the literals
    sharing = said.get("sharing", "edit")
    if sharing not in _SHARING:
        near = did_you_mean(sharing, _SHARING)
        raise SchemaError(f"{sobject.name}.sharing must be {_listed(_SHARING)}, not {shortened(sharing)}{near}")
    if sharing != "edit" and "OwnerId" not in sobject.fields:
        raise SchemaError(f"{sobject.name} has no owner, so it cannot have a sharing of its own")
    return sharing


def _with_access(sobject: SObject, access: Mapping[str, object]) -> SObject:
    seen: dict[str, Field] = dict(sobject.fields)
    hidden = []
    for given, level in access.items():
        name = _known(given, sobject.fields, f"{sobject.name}.access")
        if level not in _ACCESS:
            near = did_you_mean(str(level), _ACCESS)
            raise SchemaError(f"{sobject.name}.access.{name} must be {_listed(_ACCESS)}, not {shortened(level)}{near}")
        if level == "read":
            seen[name] = replace(seen[name], createable=False, updateable=False, nillable=True)
        elif level == "none":
            hidden.append(replace(seen.pop(name), nillable=True))
    return replace(sobject, fields=seen, hidden=tuple(hidden))


def _validation(
    name: str, rule: str, about: object, fields: Mapping[str, Field], folder: Path
) -> ValidationRule | None:
    where = f"{name}.validation_rules.{rule}"
    said = _table(about, where, _VALIDATION, ("condition", "message"))
    condition = said["condition"]
    if isinstance(condition, str):
        condition = _code(condition, where, folder) if _names_code(condition) else condition
    elif not callable(condition):
        raise SchemaError(f"{where}.condition must be a formula or a function, not {shortened(condition)}")
    field = _known(said["field"], fields, where) if "field" in said else None
    return ValidationRule(rule, said["message"], condition, field) if said.get("active", True) else None


def _duplicate(name: str, rule: str, about: object, fields: Mapping[str, Field]) -> DuplicateRule | None:
    where = f"{name}.duplicate_rules.{rule}"
    said = _table(about, where, _DUPLICATE, ("match",))
    match = tuple(_known(one, fields, f"{where}.match") for one in said["match"])
    if not match:
        raise SchemaError(f"{where}.match names no field")
    for key, choices in (("action", ("block", "alert", "report")), ("on", ("insert", "update"))):
        for one in [said[key]] if isinstance(said.get(key), str) else said.get(key, ()):
            if one not in choices:
                raise SchemaError(f"{where}.{key} must be {_listed(choices)}, not {shortened(one)}")
    if not said.get("active", True) or said.get("action") == "report":
        return None
    events = said.get("on", ("insert", "update"))
    made = DuplicateRule(rule, match, on_insert="insert" in events, on_update="update" in events)
    return replace(made, **{key: said[key] for key in ("message", "action", "among") if key in said})


def _triggers(name: str, said: Mapping[str, object], folder: Path) -> Iterable[Trigger]:
    for event, given in said.items():
        where = f"{name}.triggers.{event}"
        if event not in set(Event):
            raise SchemaError(
                f"{where} is not an event{did_you_mean(event, set(Event)) or f'; there are {_listed(Event)}'}"
            )
        for one in given if isinstance(given, list | tuple) else [given]:
            act = _code(one, where, folder) if isinstance(one, str) else one
            if not callable(act):
                raise SchemaError(f"{where} must be a function, or name one as module:function, not {shortened(one)}")
            yield Trigger(getattr(act, "__name__", f"{name}Trigger"), Event(event), act)


def _names_code(text: str) -> bool:
    """Whether it is `module:function` and not a formula."""
    place, _, function = text.partition(":")
    return function.isidentifier() and bool(place) and not set(place) & set(" ()\"'")


def _code(named: str, where: str, folder: Path) -> Callable[..., object]:
    """The function that `module:function` or `file.py:function` names."""
    place, _, function = named.partition(":")
    try:
        module = _module(folder / place) if place.endswith(".py") else importlib.import_module(place)
        found = getattr(module, function)
    except (ImportError, AttributeError, OSError, ValueError) as error:
        raise SchemaError(f"{where}: {named} cannot be imported: {error}") from error
    if not callable(found):
        raise SchemaError(f"{where}: {named} is no function")
    return partial(found) if isinstance(found, type) else found


def _module(file: Path) -> Any:  # noqa: ANN401 - a module
    spec = importlib.util.spec_from_file_location(f"bulkforce_rules_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _table(about: object, where: str, known: Mapping[str, Any], needed: Iterable[str] = ()) -> Mapping[str, Any]:
    if not isinstance(about, Mapping):
        raise SchemaError(f"{where} must be a table, not {shortened(about)}")
    for key, value in about.items():
        if key not in known:
            near = did_you_mean(key, known) or f"; there are {_listed(known)}"
            raise SchemaError(f"{where}.{key} is nothing that can be said here{near}")
        if not isinstance(value, known[key]):
            raise SchemaError(f"{where}.{key} must be {_WORDS[known[key]]}, not {shortened(value)}")
    for key in needed:
        if key not in about:
            raise SchemaError(f"{where} has no {key}")
    return about


def _known(name: object, fields: Mapping[str, Field], where: str) -> str:
    by_lower = {one.lower(): one for one in fields}
    found = by_lower.get(str(name).lower())
    if found is None:
        raise SchemaError(f"{where} names {name}, which is no field{did_you_mean(str(name), fields)}")
    return found


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise SchemaError(f"{where} must hold strings, not {shortened(value)}")
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
