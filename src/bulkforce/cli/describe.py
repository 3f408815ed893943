"""`bulkforce describe` and `bulkforce objects`: what objects and fields an org has, also for rehearsals."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bulkforce import arguments
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import printing, shown, tell
from bulkforce.errors import Error, NotFound, UsageError

if TYPE_CHECKING:
    from bulkforce.client import Client

LIST: Final = "sobjects.json"
"""The file of a saved schema that lists all objects."""
_FLAGS = (("externalId", "external id"), ("unique", "unique"), ("autoNumber", "auto number"), ("calculated", "formula"))

AsJson = Annotated[bool, typer.Option("--json", help="Print the org's own answer.")]


def describe(
    names: Annotated[
        list[str] | None, typer.Argument(help="API names of objects, such as Contact.", metavar="[OBJECT]...")
    ] = None,
    *,
    org: Org = None,
    fields: Annotated[bool, typer.Option("--fields", help="List the fields.")] = False,
    as_json: AsJson = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save the answers in a folder, for an emulated org; without OBJECT, those of all custom objects.",
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that --save finds.")] = False,
) -> None:
    """Show what an object is like, or save it for `bulkforce emulator --describe FOLDER`.

    Example: bulkforce describe Contact Account --save my-org
    """
    if not names and save is None:
        raise UsageError("Name an object, such as: bulkforce describe Contact; bulkforce objects lists them")
    for name in names or ():
        arguments.object_name(name)
    if save is not None:
        arguments.path(save, "The folder of --save")
    with client_for(org) as client:
        if save is not None:
            _save(client, names or [], save, force=force)
            return
        described = [_described(client, name) for name in names or ()]
    if as_json:
        print(json.dumps(described[0] if len(described) == 1 else described, indent=2))
        return
    for one in described:
        _show(one, fields=fields)


def objects(
    *,
    org: Org = None,
    custom: Annotated[bool, typer.Option("--custom", help="List only custom objects.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the objects of the org that the user can see."""
    with client_for(org) as client:
        answer = _listed(client)
    found = [one for one in _objects(answer) if one.get("custom") is True or not custom]
    if as_json:
        print(json.dumps({**answer, "sobjects": found}, indent=2))
        return
    if not found:
        tell(f"The user can see no {'custom ' if custom else ''}objects")
    width = max((len(str(one["name"])) for one in found), default=0)
    for one in found:
        print(f"{one['name']:<{width}}  {one.get('keyPrefix') or '':<3}  {shown(str(one.get('label') or ''))}".rstrip())


def _described(client: Client, name: str) -> Mapping[str, Any]:
    from bulkforce.protocol import rest
    from bulkforce.protocol.flow import ask

    try:
        return client.driver.run(ask(rest.describe_answer(name)))
    except NotFound as error:
        facts = error.facts
    raise NotFound(
        f"This org has no object {name}, or the user may not see it; `bulkforce objects` lists those that there are",
        facts,
    )


def _listed(client: Client) -> Mapping[str, Any]:
    from bulkforce.protocol import rest
    from bulkforce.protocol.flow import ask

    return client.driver.run(ask(rest.objects_answer()))


def _objects(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = answer.get("sobjects")
    return [one for one in listed if isinstance(one, Mapping) and isinstance(one.get("name"), str)] if listed else []


def _save(client: Client, names: Sequence[str], folder: Path, *, force: bool) -> None:
    answer = _listed(client)
    wanted = names or [
        str(one["name"]) for one in _objects(answer) if one.get("custom") is True and str(one["name"]).endswith("__c")
    ]
    if not wanted:
        raise UsageError("The org has no custom objects; name those to save: bulkforce describe Contact --save FOLDER")
    _prepare(folder, wanted, force=force)
    try:
        # The list comes first: it marks the folder as ours.
        _write(folder / LIST, answer)
        for name in wanted:
            described = _described(client, name)
            _write(folder / f"{arguments.object_name(described['name'])}.json", described)
    except OSError as error:
        raise Error(f"{shown(str(folder))} cannot be written to: {error.strerror}") from error
    count = f"{len(wanted):,} object{'' if len(wanted) == 1 else 's'}"
    with printing(f"The descriptions are in {folder}"):
        print(f"Saved the descriptions of {count} in {shown(str(folder))}")
    tell(f"Rehearse with them: bulkforce emulator --describe {shlex.quote(str(folder))}")


def _prepare(folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Make the folder, or check that it is one of ours.

    Raises:
        UsageError: It cannot be used, or has what would be replaced.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = {file.name for file in folder.iterdir()}
    except OSError as error:
        raise UsageError(f"The folder of --save cannot be used: {shown(str(folder))}: {error.strerror}") from error
    if found and LIST not in found:
        raise UsageError(f"The folder of --save, {shown(str(folder))}, holds other files; name a new one")
    there = [name for name in names if f"{name}.json" in found]
    if there and not force:
        raise UsageError(f"{shown(str(folder))} has {there[0]}.json already; replace it with --force")


def _write(file: Path, document: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def _show(described: Mapping[str, Any], *, fields: bool) -> None:
    listed = [one for one in described.get("fields", ()) if isinstance(one, Mapping)]
    custom = sum(one.get("custom") is True for one in listed)
    print(f"{described['name']}  {shown(str(described.get('label') or ''))}".rstrip())
    print(f"  key prefix    {described.get('keyPrefix') or 'none'}")
    print(f"  fields        {len(listed):,}, of which {custom:,} custom")
    keys = [
        str(one["name"]) for one in listed if one.get("externalId") or (one.get("idLookup") and one["name"] != "Id")
    ]
    print(f"  upsert keys   {', '.join(['Id', *keys])}")
    needed = [str(one["name"]) for one in listed if _is_required(one)]
    print(f"  required      {', '.join(needed) or 'none'}")
    types = [str(one.get("developerName") or one.get("name")) for one in described.get("recordTypeInfos") or ()]
    print(f"  record types  {', '.join(types) or 'none'}")
    if fields:
        width = max((len(str(one["name"])) for one in listed), default=0)
        for one in listed:
            print(f"  {one['name']:<{width}}  {_type(one):<24}  {_remarks(one)}".rstrip())


def _is_required(field: Mapping[str, Any]) -> bool:
    return (
        field.get("createable") is True
        and field.get("nillable") is False
        and field.get("defaultedOnCreate") is not True
        and field.get("type") != "boolean"
    )


def _type(field: Mapping[str, Any]) -> str:
    kind = str(field.get("type"))
    if kind == "reference":
        return f"reference({'|'.join(map(str, field.get('referenceTo') or ()))})"
    if field.get("precision"):
        return f"{kind}({field['precision']},{field.get('scale') or 0})"
    return f"{kind}({field['length']})" if field.get("length") and kind != "id" else kind


def _remarks(field: Mapping[str, Any]) -> str:
    said = ["required"] if _is_required(field) else []
    said += [words for member, words in _FLAGS if field.get(member) is True]
    if not field.get("createable") and not field.get("updateable") and not field.get("calculated"):
        said.append("read only")
    return ", ".join(said)
