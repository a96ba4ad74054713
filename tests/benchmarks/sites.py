"""Sites to crawl by the benchmarks: one that is made up, one that is installed, and nginx, which serves them here."""

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.memory import vocabulary

PAGES = 3_000
LINKS = 10  # of a page
PARTS = 3  # of a page, each under a heading
WORDS = 130  # of a part
PYTHON_DOCS = ("/usr/share/doc", "python3*/html/index.html")  # Debian's package python3.11-doc and the like

# nginx as it comes wants folders that only root has; the types are those that the sites need.
CONFIG = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 512; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; text/plain txt; image/png png; image/svg+xml svg; }}
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


def make_up(folder: Path, pages: int = PAGES) -> Path:
    """Writes a site of small pages (3 KB, about ten links each) into a folder; the page to begin with.

    Page n links to the pages 10n+1 … 10n+10 as far as they are there, and to others that chance chooses. The words
    have the frequencies of a natural language. The same at every run.
    """
    words, weights = vocabulary()
    for number in range(pages):
        chance = random.Random(number)
        text = chance.choices(words, cum_weights=weights, k=PARTS * WORDS)
        linked = list(range(number * LINKS + 1, min(number * LINKS + LINKS + 1, pages)))
        linked += chance.choices(range(pages), k=LINKS - len(linked))
        title = f"{words[-1 - number % len(words)]} {text[0]} {number}"
        parts = "".join(
            f"<h2 id=part-{start}>{text[start]} {text[start + 1]}</h2><p>{' '.join(text[start : start + WORDS])}.</p>"
            for start in range(0, len(text), WORDS)
        )
        links = "".join(f'<li><a href="{one}.html">{text[one % len(text)]} {one}</a></li>' for one in linked)
        (folder / f"{number}.html").write_text(
            f"<!doctype html><html lang=la><head><meta charset=utf-8><title>{title}</title></head>"
            f"<body><h1>{title}</h1>{parts}<ul>{links}</ul></body></html>"
        )
    return folder / "0.html"


def python_docs() -> Path | None:
    """The first page of the Python documentation that is installed."""
    return max(Path(PYTHON_DOCS[0]).glob(PYTHON_DOCS[1]), default=None)


@contextmanager
def served(first_pages: Mapping[str, Path], folder: Path) -> Iterator[dict[str, str]]:
    """Serves the folders of some first pages by one worker of nginx, each on a free port; the URLs of those pages.

    `folder` is an empty one for nginx's own files. Raises SystemExit when there is no nginx.
    """
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise SystemExit("nginx is missing, which is to serve the sites: apt-get install nginx-light")
    ports = free_ports(len(first_pages))
    servers = "\n    ".join(
        f'server {{ listen 127.0.0.1:{port}; root "{page.parent}"; }}'
        for port, page in zip(ports, first_pages.values(), strict=True)
    )
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, servers=servers))
    command = [nginx, "-p", str(folder), "-c", str(config), "-e", str(folder / "nginx.log")]
    subprocess.run(command, check=True)  # it listens when this returns, and goes on in the background
    try:
        yield {
            name: f"http://127.0.0.1:{port}/{page.name}"
            for port, (name, page) in zip(ports, first_pages.items(), strict=True)
        }
    finally:
        subprocess.run([*command, "-s", "stop"], check=True)


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
