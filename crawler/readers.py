"""Where documents are read: in the thread that fetched them, or in processes beside this one.

To read is most of the work of a crawl, and Python lets one thread at a time do it (the GIL). So once fetchers are seen
to get in each other's way, long documents go to readers: processes that read what they are sent, one document after the
other, on whichever core is free. A short one is read sooner than it is sent. And what a document does to the parser, it
does to that process: the crawl lives on.
"""

import json
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import BinaryIO, Final

import msgspec

from crawler.machine import cores, has_gil, quiet_collector
from crawler.page import ParseError
from crawler.reading import Document, Reading, read
from crawler.stages import Account

SHORT: Final = 32 * 1024  # bytes of a document that is read where it is
WINDOW: Final = 16  # documents, over which it is seen whether readers are worth it
MOST_READERS: Final = 8  # by default; more would wait for the threads that feed them
_TRIES: Final = 2  # in readers that end over it; the first one may have been ended by somebody
_START: Final = 30.0  # seconds for a reader to start
_PATIENCE: Final = 120.0  # seconds without a word from a reader; a document made to be slow is cut far sooner
_LENGTH: Final = struct.Struct("<I")  # before each message
_REPLY: Final = struct.Struct("<cd")  # what came of it, and the seconds of CPU that it took
_READ, _REFUSED, _FAILED = b"r", b"p", b"f"
_HERE: Final = b"here"  # what a reader says first
# Not from where the user is, or the environment says (-I), but from where this process has it. Who looks at the list of
# processes sees what it is.
_PROGRAM: Final = (
    "'reads for crawl'; import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from crawler.readers import serve; serve()"
)


class Readers:
    """Reads what fetchers bring, in at most so many processes; each is started when it is needed first."""

    def __init__(self, most: int = 0) -> None:
        self._free: queue.LifoQueue[_Reader] = queue.LifoQueue()
        self._all = [_Reader() for _ in range(most)]
        for reader in self._all:
            self._free.put(reader)
        self._lock = threading.Lock()
        self._may_start = most > 0
        self._are_needed = self._is_over = False  # both for good
        self._begun, self._since, self._spent = 0, time.monotonic(), 0.0  # documents, from when on, and seconds on them

    @property
    def computing(self) -> int:
        """How many cores can compute at once: one, where there is a GIL and no process beside."""
        processes = 1 + len(self._all) * self._are_needed
        return min(processes, cores()) if has_gil() else cores()

    def read(self, document: Document, account: Account | None = None) -> Reading:
        """Raises ParseError when the document cannot be read, and whatever else comes of it.

        The account of the thread gets the CPU that was used elsewhere.
        """
        is_worth_sending = len(document.body) >= SHORT or bool(document.picked)  # to pick fields takes long
        if self._are_needed and is_worth_sending:
            return self._elsewhere(document, account or Account())
        began = time.monotonic()
        try:
            return read(document)
        finally:
            self._see(began, is_worth_sending)

    def _see(self, began: float, is_worth_sending: bool) -> None:
        """Readers are needed when, of documents that are worth it, one was being read at every moment, in the mean:
        threads waited for each other then, and each took longer by the time of the others.
        """
        now = time.monotonic()
        with self._lock:
            self._spent += (now - began) * is_worth_sending
            self._begun += 1
            if self._begun == WINDOW:
                self._are_needed |= self._may_start and self._spent >= now - self._since
                self._begun, self._since, self._spent = 0, now, 0.0

    def _elsewhere(self, document: Document, account: Account) -> Reading:
        for _ in range(_TRIES):
            if self._is_over:
                break
            reader = self._free.get()
            try:
                try:
                    reader.start()
                except Exception:  # noqa: BLE001 - whatever stands against it, there is none
                    self._may_start = self._are_needed = False
                    return read(document)
                return reader.read(document, account)
            except TimeoutError:
                break
            except (EOFError, OSError):
                continue
            finally:
                self._free.put(reader)
        raise ParseError(f"{document.url}: not parsed: the process that reads it ends, or does not answer")

    def abort(self) -> None:
        """Gives up what is being read elsewhere, from another thread, and whatever comes later: it is a ParseError."""
        self._is_over = True
        for reader in self._all:
            reader.kill()

    def close(self) -> None:
        """Ends the processes. Nobody reads any more."""
        self._is_over = True
        for reader in self._all:
            reader.end()


class _Reader:
    """A process that reads. Used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket
        self._stream: BinaryIO  # what comes over the line

    def start(self) -> None:
        """Does nothing when it runs. Raises what tells that no process can be had."""
        if self._process is not None:
            return
        if not sys.executable or getattr(sys, "frozen", False):
            raise FileNotFoundError("there is no interpreter to start")
        line, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own
                    [
                        sys.executable,
                        "-I",
                        "-c",
                        _PROGRAM,
                        json.dumps([one for one in sys.path if isinstance(one, str)]),
                    ],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the crawl, which ends its readers itself
                )
            except BaseException:
                line.close()
                raise
        line.settimeout(_START)
        self._line, self._stream = line, line.makefile("rb")
        try:
            is_one = _content(self._stream) == _HERE
        except (EOFError, OSError):
            is_one = False
        if not is_one:
            self.end()
            raise OSError("the process that was started does not read")
        line.settimeout(_PATIENCE)

    def read(self, document: Document, account: Account) -> Reading:
        """Raises what `reading.read` raises, or EOFError or OSError when the process ends over it."""
        try:
            self._line.sendall(_message(msgspec.msgpack.encode(document)))
            content = _content(self._stream)
        except BaseException:  # in the midst of a message, perhaps: what comes next would be taken for another's
            self.end()
            raise
        came, cpu_seconds = _REPLY.unpack_from(content)
        account.add(cpu_seconds)
        reply = memoryview(content)[_REPLY.size :]
        if came == _READ:
            return msgspec.msgpack.decode(reply, type=Reading)
        text = str(reply, "utf-8")
        raise ParseError(text) if came == _REFUSED else RuntimeError(text)

    def end(self) -> None:
        if self._process is not None:
            self._stream.close()
            self._line.close()
            self.kill()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """From any thread; the one that uses it gets an EOFError."""
        if (process := self._process) is not None:
            process.kill()


def serve() -> None:
    """What the process does until the other end of its standard input is closed: it reads."""
    quiet_collector()
    line = socket.socket(fileno=0)
    stream = line.makefile("rb")
    with suppress(EOFError, OSError):
        line.sendall(_message(_HERE))
        while True:
            request = _content(stream)
            began = time.process_time()
            try:
                came, reply = _READ, msgspec.msgpack.encode(read(msgspec.msgpack.decode(request, type=Document)))
            except ParseError as error:
                came, reply = _REFUSED, str(error).encode("utf-8", "replace")
            except Exception as error:  # noqa: BLE001 - told to who asked
                came, reply = _FAILED, repr(error).encode("utf-8", "replace")
            line.sendall(_message(_REPLY.pack(came, time.process_time() - began) + reply))


def _message(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


def _content(stream: BinaryIO) -> bytes:
    """Of the next message. Raises EOFError when there is no other end any more."""
    head = stream.read(_LENGTH.size)
    content = stream.read(*_LENGTH.unpack(head)) if len(head) == _LENGTH.size else b""
    if len(head) < _LENGTH.size or len(content) < _LENGTH.unpack(head)[0]:
        raise EOFError
    return content
