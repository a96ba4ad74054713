"""A server that speaks bytes: for replies that no honest server gives."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable

Script = Callable[[socket.socket], None]


def reset(connection: socket.socket) -> None:
    """The connection ends with a RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Wire:
    """Accepts connections on loopback, reads a request, and does with the connection what the script says.

    The script runs in a thread of its own; `stopping` is set when the test is over. With `deaf`, it runs before a
    request is read. With `robots`, what robots.txt is asked for is answered as these bytes say, and the script has the
    next request.
    """

    def __init__(
        self,
        script: Script | bytes,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        deaf: bool = False,
        robots: bytes = b"",
    ) -> None:
        self._script = script if callable(script) else self._sending(script)
        self._tls, self._deaf, self._robots = tls, deaf, robots
        self.stopping = threading.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def host(self) -> str:
        address, port = self._listener.getsockname()[:2]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}/"

    @property
    def paths(self) -> list[str]:
        """What was asked for, but for robots.txt."""
        targets = [request.split(b" ", 2)[1].decode("latin-1") for request in self.requests]
        return [target for target in targets if target != "/robots.txt"]

    @staticmethod
    def _sending(reply: bytes) -> Script:
        return lambda connection: connection.sendall(reply)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while not self._deaf:
                request = read_request(connection)
                if not request:
                    return
                self.requests.append(request)
                if not self._robots or b" /robots.txt " not in request:
                    break
                connection.sendall(self._robots)
            self._script(connection)
        except OSError:
            pass  # the client hung up, which is often the point
        finally:
            connection.close()

    def close(self) -> None:
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """The next request on a connection; empty when there is none."""
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        request += chunk
    return request
