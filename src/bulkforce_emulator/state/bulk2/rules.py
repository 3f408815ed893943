"""The settings of an org as Bulk API 2.0 reads them: some texts are its own, and ragged rows fail alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bulkforce_emulator.texts import QueryTexts
from bulkforce_emulator.words import Text

if TYPE_CHECKING:
    from bulkforce_emulator.settings import Settings


def as_bulk2(settings: Settings) -> Settings:
    """What holds for the files and queries of Bulk API 2.0."""
    texts, said = settings.texts, settings.texts.bulk2

    def refused(what: str) -> Text:
        return Text(said.query_refused.code, said.query_refused.said(what=what))

    queries = QueryTexts(
        entity=texts.queries.entity,
        compound=said.compound,
        base64=refused("Binary fields are"),
        nested=said.aggregate,
        aggregate=said.aggregate,
        group=refused("GROUP BY is"),
        offset=refused("OFFSET is"),
        typeof=refused("TYPEOF is"),
        fields=refused("FIELDS is"),
    )
    rows = replace(
        texts.rows,
        row_uneven=said.row_uneven,
        type_wrong=said.type_wrong,
        id_malformed=said.id_malformed,
        id_malformed_in_delete=said.id_malformed,
    )
    limits = replace(settings.limits, batch_characters=settings.limits.job_bytes)
    return replace(
        settings,
        limits=limits,
        texts=replace(texts, rows=rows, queries=queries),
        short_csv_row="row error",
        long_csv_row="row error",
        csv_type_error="row error",
    )
