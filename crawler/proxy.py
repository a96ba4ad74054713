"""The proxy that a user names: through which every request goes, then. Never one that the environment names."""

import ipaddress
import socket
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"http": 8080, "socks5": 1080, "socks5h": 1080}
_REFUSALS: Final = (  # RFC 1928 §6
    "", "general failure", "not allowed", "network unreachable", "host unreachable", "connection refused",
    "time to live expired", "command not supported", "address type not supported",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and what it speaks: `http`, `socks5`, or `socks5h`, which looks the names up itself."""

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """A proxy from `http://[USER:PASSWORD@]HOST[:PORT]`, or the like. Raises ValueError, without the password."""
        parts = urlsplit(url.strip())
        if parts.scheme not in _PORTS:
            raise ValueError("it begins with none of http://, socks5:// and socks5h://")
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("its port is no port") from None
        if not host or not host.isascii() or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("it is not just a host and a port")
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        if any(len(part.encode()) > 255 for part in (user or "", password or "")):  # RFC 1929 §2
            raise ValueError("its user name or password is too long")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], user, password)

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP proxy wants to know beside the request."""
        if self.user is None:
            return {}
        return {"Proxy-Authorization": basic(f"{self.user}:{self.password or ''}")}

    def lead(self, sock: socket.socket, host: str, port: int) -> None:
        """Has a SOCKS proxy at the other end of the socket connect it to the host (RFC 1928). Raises OSError."""
        methods = b"\0" if self.user is None else b"\0\2"
        sock.sendall(bytes((5, len(methods))) + methods)
        version, method = _exactly(sock, 2)
        if version != 5:
            raise OSError("it does not speak SOCKS5")
        if method == 2 and self.user is not None:
            user, password = self.user.encode(), (self.password or "").encode()
            sock.sendall(bytes((1, len(user))) + user + bytes((len(password),)) + password)
            if _exactly(sock, 2)[1]:
                raise OSError("it does not accept the user name and password")
        elif method:
            raise OSError("it wants to know who asks, in a way that was not given")
        sock.sendall(b"\5\1\0" + _destination(host) + port.to_bytes(2, "big"))
        _, refusal, _, kind = _exactly(sock, 4)
        if refusal:
            raise OSError(_REFUSALS[refusal] if refusal < len(_REFUSALS) else f"refusal {refusal}")
        length = {1: 4, 4: 16}.get(kind) or _exactly(sock, 1)[0]
        _exactly(sock, length + 2)  # the address that it speaks from


def _exactly(sock: socket.socket, count: int) -> bytes:
    read, view = 0, memoryview(bytearray(count))
    while read < count:
        more = sock.recv_into(view[read:])
        if not more:
            raise OSError("it hung up")
        read += more
    return bytes(view)


def _destination(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes((3, len(name))) + name
    return (b"\1" if address.version == 4 else b"\4") + address.packed


def basic(user_and_password: str) -> str:
    """The value of an Authorization header (RFC 7617; UTF-8, as §2.1 lets servers ask for)."""
    return "Basic " + b64encode(user_and_password.encode()).decode()
