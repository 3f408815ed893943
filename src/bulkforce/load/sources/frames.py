"""Data frames whose columns hold values of several types, which Arrow cannot hold or would change: read row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats.values import Value

_ROWS: Final = 1_000


def records(frame: Any) -> Iterator[Mapping[str, Value]] | None:  # noqa: ANN401  (each library has its own type)
    """Return the records of a frame that mixes types in a column; ``None`` for any other, and for what is no frame.

    Raises:
        FormatError: Two columns have the same name.
    """
    library = type(frame).__module__.partition(".")[0]
    if library == "pandas" and hasattr(frame, "columns"):
        _refuse_twins([str(name) for name in frame.columns])
        return _of_pandas(frame) if _mixes_types(frame) else None
    if library == "polars" and any("Object" in str(kind) for kind in getattr(frame, "dtypes", ())):
        return _of_polars(frame)
    return None


def _refuse_twins(names: list[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise FormatError(
            f"The column {arguments.shown(twice)} appears twice in the frame; rename or drop one of them", column=twice
        )


def _mixes_types(frame: Any) -> bool:  # noqa: ANN401
    from pandas.api.types import infer_dtype

    for name, kind in frame.dtypes.items():
        values = frame[name] if str(kind) == "object" else getattr(kind, "categories", None)
        if values is not None and infer_dtype(values, skipna=True).startswith("mixed"):
            return True
    return False


def _of_pandas(frame: Any) -> Iterator[Mapping[str, Value]]:  # noqa: ANN401
    names = [str(name) for name in frame.columns]
    for begin in range(0, len(frame), _ROWS):
        part = frame.iloc[begin : begin + _ROWS].astype(object)
        # Every kind of missing value: NaN, NaT, NA.
        for row in part.where(part.notna(), None).itertuples(index=False, name=None):
            yield dict(zip(names, row, strict=True))


def _of_polars(frame: Any) -> Iterator[Mapping[str, Value]]:  # noqa: ANN401
    names = list(frame.columns)
    for row in frame.iter_rows(buffer_size=_ROWS):
        yield dict(zip(names, row, strict=True))
