"""Names of columns: what may stand around them, how a parent is named, and which field somebody may have meant.

Sources: Bulk API developer guide, "Relationship Fields in a Header Row" (``Account.Ext__c``, ``Lead:Who.Email``); Data
Loader's own source, ``ParentIdLookupFieldFormatter`` (``Account:Ext__c``, ``Owner:User-Username``; in an ``.sdl`` file
a backslash stands before the colon).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bulkforce.later import later
from bulkforce.protocol.rest import FieldDescription, SObjectDescription
from bulkforce.protocol.wire import same_name

if TYPE_CHECKING:
    import difflib
else:
    difflib = later("difflib")

_SHOWN_CHARACTERS: Final = 80
_NAMESPACE_AND_ENDING: Final = re.compile(r"\A[a-z]\w*?__(?=\w+__p?[cr]\Z)|__p?[cr]\Z", re.IGNORECASE)
_PARENTS: Final = (
    re.compile(r"(?:(?P<type>\w+):)?(?P<relationship>\w+)\.(?P<field>\w+)"),
    re.compile(r"(?P<relationship>\w+)\\?:(?P<type>\w+)-(?P<field>\w+)"),
    re.compile(r"(?P<relationship>\w+)\\?:(?P<field>\w+)"),
)


@dataclass(frozen=True, slots=True)
class ParentPath:
    """A parent and the field that it is found by: ``Account.Ext__c``, or ``Lead:Who.Email`` where it may be of several
    objects.

    Attributes:
        relationship: The parent's name in the child.
        field: A field of the parent.
        type: The parent's object, if it is named.
        of_data_loader: Whether it was written as Data Loader does, which names the object always.
    """

    relationship: str
    field: str
    type: str | None = None
    of_data_loader: bool = False

    def __str__(self) -> str:
        return f"{self.type}:{self.relationship}.{self.field}" if self.type else f"{self.relationship}.{self.field}"


def parent_path(name: str) -> ParentPath | None:
    r"""Read the name of a column as a parent, in the org's form or in those of Data Loader.

    >>> str(parent_path(r"Owner\:User-Username"))
    'User:Owner.Username'
    """
    for form in _PARENTS:
        if found := form.fullmatch(name):
            return ParentPath(**found.groupdict(), of_data_loader=form is not _PARENTS[0])
    return None


def shown(name: str) -> str:
    """Show a name in a message, so that blanks in it can be seen, and not the whole line where a header was not
    split.
    """
    return repr(name if len(name) <= _SHOWN_CHARACTERS else name[:_SHOWN_CHARACTERS] + "...")


def listed(names: Iterable[str], most: int = 5) -> str:
    """List a few names."""
    given = list(names)
    return ", ".join(given[:most]) + (f" and {len(given) - most} more" if len(given) > most else "")


def field_of(described: SObjectDescription, name: str) -> FieldDescription | None:
    """Find a field by its name, in any letter case, as the org does; the namespace of a package may be left out."""
    lowered = name.lower()
    exact = next((field for field in described.fields if field.name.lower() == lowered), None)
    alike = [] if exact else [field for field in described.fields if same_name(name, field.name)]
    return alike[0] if len(alike) == 1 else exact


def labelled(described: SObjectDescription, name: str) -> list[FieldDescription]:
    """Find the fields that people see under this name."""
    return [field for field in described.fields if field.label and _plain(field.label) == _plain(name)]


def meant(name: str, candidates: Iterable[str]) -> list[str]:
    """Find what may have been meant by a name, the likeliest first.

    >>> meant("region", ["Name", "acme__Region__c", "Origin"])
    ['acme__Region__c']
    """
    given = list(candidates)
    same = [one for one in given if _bare(one) == _bare(name)]
    if same:
        return same
    by_plain = {_bare(one): one for one in given}
    return [by_plain[one] for one in difflib.get_close_matches(_bare(name), by_plain, n=3, cutoff=0.65)]


def _plain(name: str) -> str:
    """Letters and digits alone, all small: ``Last Name``, ``last_name`` and ``LastName`` are one."""
    return "".join(filter(str.isalnum, name.casefold()))


def _bare(name: str) -> str:
    """The same without the namespace of a package and the ending of a custom field."""
    return _plain(_NAMESPACE_AND_ENDING.sub("", name))
