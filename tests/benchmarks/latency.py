"""How does the pace grow with the threads, where servers are slow to answer? By hand.

Serves a made-up site on many hosts, 127.0.0.1 to 127.0.0.64, from a process of its own that lets every request wait a
tenth of a second and computes next to nothing: page n links to ten pages, each on another host. Crawls it with more and
more threads, and prints the pages a second of each crawl, how much of a core it computed, and what bounded it. Ends
when that is the CPU, and more threads have brought nothing more.

    python tests/benchmarks/latency.py --hosts 64 --delay 0.1

Exit code 1: while the CPU had room, twice the threads did not come to one and a half times the pace.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

LINKS = 10
SECONDS = 10  # that a crawl takes, about, if nothing but the delay bounds it
MOST_PAGES = 5_000
LEAST_GAIN = 1.5  # in pace, of twice the threads
GROWS = 1.1  # times the best pace so far; less is none


def page(number: int, hosts: int, port: int) -> bytes:
    """Its text is its number in words of the site's own, so that no two pages are alike."""
    below = range(number * LINKS + 1, number * LINKS + LINKS + 1)
    links = "".join(f'<li><a href="http://127.0.0.{one % hosts + 1}:{port}/{one}">{one}</a>' for one in below)
    words = " ".join(f"w{number * factor % 9973}" for factor in range(3, 43))
    return f"<!doctype html><html lang=en><title>Page {number}</title><p>{words}<ul>{links}</ul></html>".encode()


def serve(pipe: Connection, hosts: int, delay: float) -> None:
    """Sends the port through the pipe, and answers for ever; each number is a page, everything else is not there."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(delay)
                path = head.split(b" ", 2)[1].decode().lstrip("/")
                body = page(int(path), hosts, port) if path.isdigit() else b""
                status = b"200 OK" if body else b"404 Not Found"
                length = len(body)
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, length, body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    first = socket.create_server(("127.0.0.1", 0), backlog=256)
    port = first.getsockname()[1]
    others = [socket.create_server((f"127.0.0.{host}", port), backlog=256) for host in range(2, hosts + 1)]

    async def run() -> None:
        servers = [await asyncio.start_server(answer, sock=sock) for sock in (first, *others)]
        pipe.send(port)
        await asyncio.gather(*(server.serve_forever() for server in servers))

    asyncio.run(run())


class Run(NamedTuple):
    """What a crawl came to."""

    threads: int
    pace: float
    """Pages a second."""
    requests: float
    """Requests a second: each host's robots.txt is one, too."""
    cores: float
    """Seconds of CPU time a second."""
    cpu_ms: float
    """Of CPU time a page."""
    bound: str


def runs(port: int, hosts: int, delay: float, threads: list[int], slots: int) -> Iterator[Run]:
    """Crawls with so many threads at a time, until the CPU is full: it bounds the crawl, and the pace grows no more."""
    best = 0.0
    for count in threads:
        pages = min(MOST_PAGES, max(50, int(count * SECONDS / delay)))
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "crawler", "--seed", f"http://127.0.0.1:{port}/0", "--scope", "any"]
            command += ["--allow-private", "--depth", "30", "--max-pages", str(pages), "--config", "/dev/null"]
            command += ["--threads", str(count), "--per-host", str(slots), "--db", str(Path(folder) / "crawl.db")]
            before = os.times()
            report = json.loads(subprocess.run([*command, "--json", "-q"], stdout=subprocess.PIPE, check=True).stdout)
            after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        seconds, indexed = report["seconds"], report["indexed"]
        requests = (indexed + hosts) / seconds
        yield Run(count, indexed / seconds, requests, cpu / seconds, 1000 * cpu / indexed, report["bound"])
        if report["bound"] == "cpu" and indexed / seconds < GROWS * best:
            return
        best = max(best, indexed / seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.1, metavar="SECONDS", help="until a request is answered")
    parser.add_argument("--per-host", type=int, default=2, metavar="N", help="requests to a host at once")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128], metavar="N")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(theirs, options.hosts, options.delay), daemon=True)
    server.start()
    theirs.close()  # its death is the end of the pipe
    port = ours.recv()
    scales = True
    last: Run | None = None
    print(f"{'threads':>7} {'pages/s':>8} {'of what the delay allows':>25} {'cores':>6} {'CPU ms a page':>14}  bound")
    for run in runs(port, options.hosts, options.delay, options.threads, options.per_host):
        share = run.requests * options.delay / run.threads
        print(f"{run.threads:7} {run.pace:8.1f} {share:24.0%}  {run.cores:5.2f} {run.cpu_ms:14.2f}  {run.bound}")
        if last is not None and run.bound != "cpu" and run.threads == 2 * last.threads:
            scales = scales and run.pace >= LEAST_GAIN * last.pace
        last = run
    server.terminate()
    return 0 if scales else 1


if __name__ == "__main__":
    sys.exit(main())
