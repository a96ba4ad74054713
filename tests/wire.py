"""A server that speaks bytes: for replies that no honest server gives."""

import socket
import threading
from collections.abc import Callable

Script = Callable[[socket.socket], None]


class Wire:
    """Accepts connections on loopback, reads a request, and does with the connection what the script says.

    The script runs in a thread of its own; `stopping` is set when the test is over.
    """

    def __init__(self, script: Script | bytes) -> None:
        self._script = script if callable(script) else self._sending(script)
        self.stopping = threading.Event()
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    @staticmethod
    def _sending(reply: bytes) -> Script:
        return lambda connection: connection.sendall(reply)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = b""
                while b"\r\n\r\n" not in request:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    request += chunk
                self.requests.append(request)
                self._script(connection)
            except OSError:
                pass  # the client hung up, which is often the point

    def close(self) -> None:
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
