"""Replies that are framed as HTTP/1.1 demands, and are refused where they are not.

http.client reads on where a header makes no sense, and takes what comes for the body. A page is the whole of what its
server meant to send, or it is none. Nor does it know of HTTP alone: it reads headers as those of a mail, which costs as
much as a third of its work on a small reply.
"""

import re
from http.client import HTTPException, HTTPResponse, IncompleteRead, LineTooLong, UnknownProtocol
from itertools import count
from typing import BinaryIO, Final

from urllib3 import HTTPHeaderDict

_LONGEST_LENGTH: Final = 19  # digits of 2^63
_LONGEST_LINE: Final = 65_536  # bytes
_MOST_HEADERS: Final = 100
_MOST_INTERIM: Final = 100  # replies before the reply
_NAME: Final = re.compile("[!-9;-~]*")
# A head as nearly all are, whole in the first bytes that come; and one header of it. What is not like this is read line
# by line, to be refused or understood.
_USUAL_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-9]\d\d) ([^\r\n]*+)\r\n((?:[!-9;-~]++:[^\r\n]*+\r\n){0,%d}+)\r\n" % _MOST_HEADERS
)
_USUAL_FIELD: Final = re.compile(r"([^:]++):[ \t]*+([^\r]*+)\r\n")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_END: Final = (b"\r\n", b"\n")
_BLANK: Final = " \t"
_NO_BODY: Final = (204, 304)


class BadFraming(HTTPException):
    """A reply whose end, or whose headers, nobody can know."""


class FramedResponse(HTTPResponse):
    """http.client's response, held to RFC 9110 and RFC 9112."""

    def begin(self) -> None:
        """Reads status line and headers. Raises HTTPException."""
        for _ in range(_MOST_INTERIM):
            version, status, reason, headers = self._usual_head() or self._head()
            if not 100 <= status < 200 or status == 101:
                break
            # Early hints and the like come before the reply itself (RFC 9110 §15.2).
        else:
            raise BadFraming("interim replies without end")
        if status in (101, 206):
            raise BadFraming(f"status {status}, which nobody asked for")
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = headers  # type: ignore[assignment]
        self.will_close = self._check_close()  # type: ignore[attr-defined]
        coding = headers.get("transfer-encoding", "identity").lower()
        self.chunked = coding == "chunked"
        self.chunk_left = None
        self.length = None
        if not self.chunked:
            if coding != "identity":
                raise BadFraming(f"Transfer-Encoding {coding[:80]!r} is unknown")
            self.length = _length(headers)
        if status in _NO_BODY:
            self.length, self.chunked = 0, False
        # What tells its length twice, or in a way that it cannot mean, is taken at its word once (RFC 9112 §6.1, §6.3).
        is_odd = coding != "identity" and (version != "HTTP/1.1" or "content-length" in headers or not self.chunked)
        if is_odd or (not self.chunked and self.length is None):
            self.will_close = True

    def _get_chunk_left(self) -> int | None:
        """Raises HTTPException, also where something else than its end stands behind a chunk: its size is wrong then,
        and http.client would drop two bytes of the text.
        """
        if self.chunk_left == 0:
            if (end := self._safe_read(2)) != b"\r\n":  # type: ignore[attr-defined]
                raise BadFraming(f"{end!r} stands where a chunk ends")
            self.chunk_left = None
        left: int | None = super()._get_chunk_left()  # type: ignore[misc]
        return left

    def _read_next_chunk_size(self) -> int:
        """Raises HTTPException, also where http.client would take `+5`, `0x5` or `1_0` for a size (RFC 9112 §7.1)."""
        line = self.fp.readline(_LONGEST_LINE + 1)
        if not line:
            raise IncompleteRead(b"")
        if len(line) > _LONGEST_LINE:
            raise LineTooLong("chunk size")
        size = line.partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise BadFraming(f"{size[:80]!r} is no size of a chunk")
        return int(size, 16)

    def _usual_head(self) -> tuple[str, int, str, HTTPHeaderDict] | None:
        """Version, status, reason and headers, with one look at what has come; None if they are to be read by line."""
        head = _USUAL_HEAD.match(self.fp.peek(1))
        if head is None:
            return None
        self.fp.read(head.end())
        fields = _USUAL_FIELD.findall(head[3].decode("latin-1"))
        headers = HTTPHeaderDict([(name, value.rstrip(_BLANK)) for name, value in fields])
        return "HTTP/1.1", int(head[1]), head[2].decode("latin-1"), headers

    def _head(self) -> tuple[str, int, str, HTTPHeaderDict]:
        """The same, line by line. Raises HTTPException."""
        version, status, reason = self._read_status()  # type: ignore[attr-defined]
        return version, status, reason, _read(self.fp)


def _read(file: BinaryIO) -> HTTPHeaderDict:
    """The headers up to the empty line. Raises HTTPException."""
    fields: list[tuple[str, str]] = []
    for number in count(1):
        if (line := file.readline(_LONGEST_LINE + 1)) in _END:
            break
        if not line:
            raise IncompleteRead(b"")  # an incomplete head is an incomplete reply (RFC 9112 §8)
        if len(line) > _LONGEST_LINE:
            raise LineTooLong("header line")
        if number > _MOST_HEADERS:
            raise HTTPException(f"got more than {_MOST_HEADERS} headers")
        text = line.decode("latin-1").removesuffix("\n").removesuffix("\r")
        if "\r" in text:
            raise BadFraming("a header line with a bare CR")
        if text[:1] in _BLANK and fields:  # the line before goes on (RFC 9112 §5.2)
            last, begun = fields.pop()
            fields.append((last, f"{begun} {text.strip(_BLANK)}".strip(_BLANK)))
            continue
        name, colon, value = text.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise BadFraming("a header line without a colon")  # nobody knows what it is, nor what comes after it
        fields.append((name, value.strip(_BLANK)))
    return HTTPHeaderDict([field for field in fields if field[0]])


def _length(headers: HTTPHeaderDict) -> int | None:
    """The length of the body in bytes; None where it ends with the connection."""
    told = headers.get("content-length")
    if told is None:
        return None
    # The same length may stand there several times (RFC 9112 §6.3).
    lengths = {part.strip(_BLANK) for part in told.split(",")}
    if len(lengths) > 1 or not all(map(_is_length, lengths)):
        raise BadFraming(f"Content-Length {', '.join(sorted(lengths))[:80]!r} is no length")
    return int(lengths.pop())


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_LENGTH
