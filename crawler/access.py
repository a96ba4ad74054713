"""How servers are reached, and as whom: decided once for a run, the same for all its fetchers."""

from collections.abc import Iterable, Iterator
from concurrent.futures import wait
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from crawler.addresses import Guard, is_address, is_loopback
from crawler.config import Config
from crawler.credentials import Credentials
from crawler.fetch import Fetcher
from crawler.proxy import Proxy
from crawler.resolver import RESOLVER
from crawler.stages import Account
from crawler.urls import hostname

_STANDARD: Final = {80, 443}
_PATIENCE: Final = 10.0  # seconds for the names of the seeds, in which nobody can stop the crawl


class Access:
    """What a configuration says of proxy, certificates, credentials and private addresses."""

    def __init__(self, config: Config) -> None:
        """Raises UsageError when the file of cookies cannot be used. Looks nothing up yet."""
        self._config = config
        self._seeds = config.seeds
        self._proxy = Proxy.parse(config.proxy) if config.proxy else None
        self._credentials = Credentials.of(config.seeds, config.headers, config.auth, config.cookies)

    def trust(self, seeds: Iterable[str]) -> None:
        """Takes the hosts of these for the user's own, too: seeds of earlier crawls. Before the first fetcher."""
        self._seeds = tuple(dict.fromkeys((*self._seeds, *seeds)))

    def fetcher(self, account: Account | None = None) -> Fetcher:
        """A fetcher for the thread that keeps the account.

        The first one waits until the names of the seeds were looked up, or in vain.
        """
        config = self._config
        return Fetcher(
            user_agent=config.user_agent,
            timeout=config.timeout,
            max_size=config.max_size,
            guard=self.guard,
            credentials=self._credentials,
            proxy=self._proxy,
            verified=not config.insecure,
            account=account,
        )

    @cached_property
    def guard(self) -> Guard:
        """Which addresses may be connected to."""
        return Guard(self._own_addresses(), allow_private=self._config.allow_private)

    def _own_addresses(self) -> Iterator[tuple[str, int]]:
        """Addresses and ports of the seeds' own hosts: the user named them, so they may be private.

        A seed at a standard port stands for both of them, for sites that lead from http to https.
        """
        ports: dict[str, set[int]] = {}
        for seed in self._seeds:
            port = urlsplit(seed).port or (443 if seed.startswith("https:") else 80)
            ports.setdefault(hostname(seed), set()).update(_STANDARD if port in _STANDARD else {port})
        looked_up = {}
        for name in ports:
            if is_address(name):
                yield from ((name, port) for port in ports[name])
            elif self._proxy is None or self._proxy.scheme != "socks5h":
                looked_up[name] = RESOLVER.look_up(name)
            elif is_loopback(name):
                yield from (("127.0.0.1", port) for port in ports[name])
        wait(looked_up.values(), timeout=min(self._config.timeout, _PATIENCE))
        for name, answer in looked_up.items():
            if answer.done() and answer.exception() is None:  # else the fetch will say so
                yield from ((str(address[0]), port) for _, address in answer.result() for port in ports[name])
