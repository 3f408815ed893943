"""Micro-benchmarks of the hot paths: `make micro`."""
