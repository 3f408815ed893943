"""The conversations with the org that a run needs, one module per API and version. Only these modules translate the
wire's vocabulary.

`abc` defines what a run needs of any API, and in which terms: `IngestApi` for a load, `QueryApi` for an extract. All of
it is dry: conversations are flows, which the caller runs.
"""
