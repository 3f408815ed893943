"""The wire, without state: each module reads requests and writes answers for one family of calls."""
