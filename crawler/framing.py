"""Replies that are framed as HTTP/1.1 demands, and are refused where they are not.

http.client reads on where a header makes no sense, and takes what comes for the body. A page is the whole of what its
server meant to send, or it is none.
"""

from email.errors import MissingHeaderBodySeparatorDefect
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

_LONGEST_LENGTH: Final = 19  # digits of 2^63


class BadFraming(HTTPException):
    """A reply whose end, or whose headers, nobody can know."""


class FramedResponse(HTTPResponse):
    """http.client's response, held to RFC 9110 and RFC 9112."""

    def begin(self) -> None:
        """Reads status line and headers. Raises HTTPException."""
        super().begin()
        while 101 < self.status < 200:  # early hints and the like come before the reply itself (RFC 9110 §15.2)
            self.headers: Any = None
            super().begin()
        if self.status in (101, 206):
            raise BadFraming(f"status {self.status}, which nobody asked for")
        defects = self.msg.defects
        if defects and any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in defects):
            raise BadFraming("a header line without a colon")  # all headers after it would be lost
        if not self.chunked:
            coding = self.headers.get("Transfer-Encoding", "identity").strip().lower()
            if coding != "identity":
                raise BadFraming(f"Transfer-Encoding {coding[:80]!r} is unknown")
            # The same length may stand there several times (RFC 9112 §6.3).
            lengths = {part.strip() for line in self.headers.get_all("Content-Length", ()) for part in line.split(",")}
            if len(lengths) > 1 or any(not _is_length(one) for one in lengths):
                raise BadFraming(f"Content-Length {', '.join(sorted(lengths))[:80]!r} is no length")


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_LENGTH
