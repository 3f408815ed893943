"""Conversations with the org that a run needs, one module for each API and version of it. What the wire says is
translated here, and only here.

`abc` says what a run needs of any API, and in which words it is told: `IngestApi` for a load, `QueryApi` for an
extract. All of it is dry: conversations are flows, which somebody else runs.
"""
