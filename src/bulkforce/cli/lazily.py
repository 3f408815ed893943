"""Commands of which only the one that is called is imported and built: else `bulkforce --help` would build them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

# No rich help and no rich tracebacks: importing rich takes longer than everything else.
PLAIN: Final[Mapping[str, Any]] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}


class Place(NamedTuple):
    """Where a command is.

    Attributes:
        module: Its module in `bulkforce.cli`.
        name: The function there, or the `typer.Typer` of a group of commands.
        help: What the list of commands says of it.
    """

    module: str
    name: str
    help: str


class Commands(Mapping[str, Any]):  # typer does not publish its types of commands
    """Commands by their names, built when they are first asked for.

    Args:
        places: Where they are, in the order of the help.
        finish: Completes a command that was built.
    """

    def __init__(self, places: Mapping[str, Place], finish: Callable[[Any], None]) -> None:
        self.places = places
        self._finish = finish
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        if name not in self._built:
            built = _build(name, self.places[name])
            self._finish(built)
            self._built[name] = built
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _build(name: str, place: Place) -> Any:  # noqa: ANN401
    found = getattr(import_module(f"bulkforce.cli.{place.module}"), place.name)
    carrier = typer.Typer(**PLAIN)
    if isinstance(found, typer.Typer):
        carrier.add_typer(found, name=name, short_help=place.help)
    else:
        carrier.command(name, short_help=place.help)(found)
    return typer.main.get_group(carrier).commands[name]


class Group(TyperGroup):
    """A group whose help needs none of its commands."""

    commands: Any

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """Return the names of the commands."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the list of the commands."""
        listed: dict[str, Any] = {
            name: TyperCommand(name, short_help=place.help) for name, place in self.commands.places.items()
        }
        TyperGroup(commands=listed).format_commands(ctx, formatter)
