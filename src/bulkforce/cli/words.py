"""The library's errors in the command line's words: an argument is called by its option."""

from __future__ import annotations

import re
from typing import Final

_OPTIONS: Final = {
    "accept_as": "--accept-as",
    "all_rows": "--all-rows",
    "batch_records": "--batch-records",
    "empty_as_null": "--empty-as-null",
    "external_id": "--external-id",
    "external_id_field": "--external-id",
    "files_folder": "--files-folder",
    "max_api_calls": "--max-api-calls",
    "new_run": "--new",
    "on_unknown_column": "--on-unknown-column",
    "pk_chunking": "--pk-chunking",
    "poll": "--poll",
    "run_dir": "--run-dir",
    "since_file": "--since-file",
    "suggest_map": "bulkforce map",
}
_ARGUMENT: Final = re.compile(rf'(?<![\w.-])({"|".join(_OPTIONS)})(?:="?([\w-]+)"?)?(?![\w.])')
_BOTH: Final = re.compile(rf"(?<![\w.-])(?:{'|'.join(_OPTIONS)})(?:=\S+)? \(((?:--|bulkforce )[^()]+)\)")


def in_options(text: str) -> str:
    """Call the arguments in a text by their options, unless it names the option, too; of "argument (option)", the
    option stays.

    >>> in_options('load with on_unknown_column="drop", or leave out external_id_field')
    'load with --on-unknown-column drop, or leave out --external-id'
    >>> in_options("say so: new_run=True")
    'say so: --new'
    >>> in_options("suggest_map (bulkforce map) writes a first map")
    'bulkforce map writes a first map'
    """

    def option(found: re.Match[str]) -> str:
        name = _OPTIONS[found[1]]
        value = "" if found[2] in (None, "True") else f" {found[2]}"
        return found[0] if name in text else name + value

    text = _BOTH.sub(r"\1", text)
    return _ARGUMENT.sub(option, text)
