"""One request of the Bulk API as plain values, and the decoding of its body."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.faults import Fault, Kind
    from bulkforce_emulator.texts import CallTexts

_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]+)""", re.IGNORECASE)
_LARGEST_DOCUMENT = 1_000_000
_GZIP = 16 + zlib.MAX_WBITS


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, in lower case and without parameters."""
    return content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Bulk1Request:
    """A request. Header names are in lower case."""

    method: str
    path: str
    version: str
    parts: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    #: Faults that strike inside the org, by kind.
    faults: Mapping[Kind, Fault] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_json(self) -> bool:
        """Whether the body is declared as JSON."""
        return media_type(self.headers.get("content-type", "")) == "application/json"

    @property
    def charset(self) -> str | None:
        """The charset that Content-Type names, if it names one."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return found[1] if found else None

    @property
    def unknown_coding(self) -> str | None:
        """A Content-Encoding that the server does not know; a batch that has one fails later."""
        coding = self.headers.get("content-encoding", "").strip().lower()
        return coding if self.body and coding not in {"", "gzip", "x-gzip", "identity"} else None

    def text_body(self, texts: CallTexts) -> bytes:
        """The body of a call that sends a document.

        Raises:
            ApiError: It is too large, or its encoding is unknown or broken.
        """
        if self.unknown_coding:
            raise ApiError.of(texts.coding_unknown, coding=self.unknown_coding)
        return self.batch_body(_LARGEST_DOCUMENT, texts)

    def batch_body(self, most_bytes: int, texts: CallTexts) -> bytes:
        """The body, unpacked. The limit is on unpacked bytes, and unpacking stops there.

        Raises:
            ApiError: It is too large, or not the gzip that it claims to be.
        """
        if self.headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"} or not self.body:
            body = self.body
        else:
            body = _gunzipped(self.body, most_bytes, texts)
        if len(body) > most_bytes:
            raise ApiError.of(texts.batch_too_large, most=most_bytes)
        return body


def _gunzipped(packed: bytes, most_bytes: int, texts: CallTexts) -> bytes:
    try:
        return gunzipped(packed, most_bytes)
    except EOFError:
        raise ApiError.of(texts.gzip_cut) from None
    except zlib.error:
        raise ApiError.of(texts.gzip_broken) from None


def gunzipped(packed: bytes, most_bytes: int) -> bytes:
    """Unpack, but at most one byte more than `most_bytes`.

    Raises:
        EOFError: It ends too soon.
        zlib.error: It is not gzip.
    """
    parts: list[bytes] = []
    left = most_bytes + 1
    while packed and left > 0:
        unpacker = zlib.decompressobj(_GZIP)
        parts.append(unpacker.decompress(packed, left))
        left -= len(parts[-1])
        if not unpacker.eof and left > 0:
            raise EOFError
        packed = unpacker.unused_data
    return b"".join(parts)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the caller accepts gzip; all other encodings are ignored."""
    for part in accept_encoding.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False
