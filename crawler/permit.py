"""What an origin permits: its robots.txt, kept for a day, and the older copy while there is no newer one."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from crawler.config import Config
from crawler.fetch import Response
from crawler.frontier import Permit
from crawler.pace import TROUBLES, Answer, retry_after
from crawler.robots import MAX_BYTES, MAX_REDIRECTS, Rules
from crawler.store import RobotsReply
from crawler.transport import FetchError

DAY: Final = 86_400.0  # seconds that a copy is good for (RFC 9309 §2.4)
OLDEST: Final = 30 * DAY  # seconds for which it stands in for one that cannot be had (RFC 9309 §2.3.1.4)
_SOON: Final = 3600.0  # seconds after which it is asked for again when it could not be had

_MAX_USAGE: Final = 10_000  # characters; who says more has nothing to say

Get = Callable[[str, int], Response]


class Asked(NamedTuple):
    """What came of asking an origin for its robots.txt."""

    permit: Permit
    record: RobotsReply | None
    """For `hosts`; None when what stands there is still right."""
    answer: Answer | None
    """How the host bore it; None when it was not asked."""


def ask(get: Get, home: str, config: Config, known: RobotsReply | None) -> Asked:
    """Asks an origin for its robots.txt, unless what is `known` of it is not a day old. Blocks. Never raises.

    `get` fetches a URL, redirects followed, and so many bytes of it at most; it raises FetchError. While the host
    cannot be reached or has errors, an older copy of up to 30 days stands in, and is noted as such in the record.
    """
    if not config.obey_robots:
        return Asked(Permit(Rules.from_reply(404)), RobotsReply(home, None, "", "not asked for", _now()), None)
    age = _age(known)
    if known is not None and age < DAY and not config.fresh:
        rules = _remembered(known, config)
        if not _is_failure(rules):
            return Asked(_permit(rules, config, DAY - age), None, None)
    rules, record, answer = _fetched(get, home, config)
    if known is not None and _is_failure(rules) and not _is_failure(old := _remembered(known, config)):
        if age < OLDEST:
            detail = f"asked again on {_now()}, in vain ({rules.reason}): this copy is still in use"
            return Asked(_permit(old, config, _SOON), replace(known, detail=detail), answer)
        reason = f"{rules.reason}; the copy of {known.fetched_at} is too old to be used"
        rules = Rules.from_reply(None, detail=reason, code=rules.code)
        record = replace(record, detail=reason)
    return Asked(_permit(rules, config, _SOON if _is_failure(rules) else DAY), record, answer)


def answer_to(reply: Response) -> Answer:
    """How a host bore the request that it gave this reply to."""
    if reply.status not in TROUBLES:
        return Answer(reply.seconds)
    rest = retry_after(reply.headers.get("Retry-After", ""), reply.headers.get("Date", ""))
    return Answer(reply.seconds, f"http-{reply.status}", rest)


def _fetched(get: Get, home: str, config: Config) -> tuple[Rules, RobotsReply, Answer]:
    url = home + "/robots.txt"
    try:
        reply = get(url, MAX_BYTES + 1)  # one more tells whether it was cut
        rules = Rules.from_reply(reply.status, reply.body, strict=config.robots_strict)
        notes = rules.reason or rules.notes(config.user_agent)
        if reply.location is not None:
            notes = f"it redirects more than {MAX_REDIRECTS} times: taken as none"
        usage = "\n".join(rules.usages(config.user_agent))[:_MAX_USAGE]
        return rules, RobotsReply(home, reply.status, rules.text, notes, _now(), usage), answer_to(reply)
    except FetchError as error:
        rules = Rules.from_reply(None, detail=error.detail, code=error.reason)
        answer = Answer(trouble=error.reason if error.transient else "", is_ours=error.is_ours)
        return rules, RobotsReply(home, None, "", str(error), _now()), answer
    except Exception as error:  # noqa: BLE001 - rule 4: the guard is round the item
        rules = Rules.from_reply(None, detail=f"internal error: {error!r}")
        return rules, RobotsReply(home, None, "", rules.reason, _now()), Answer()


def _remembered(known: RobotsReply, config: Config) -> Rules:
    return Rules.from_reply(known.status, known.text, known.detail, strict=config.robots_strict)


def _is_failure(rules: Rules) -> bool:
    """Whether everything is refused for want of an answer, rather than by one."""
    return rules.code not in ("", "robots")


def _permit(rules: Rules, config: Config, lasts: float) -> Permit:
    """The group for our agent is worked out here, in the fetcher's thread, rather than where others wait."""
    return Permit(rules, rules.delay(config.user_agent), lasts)


def _age(known: RobotsReply | None) -> float:
    """Seconds since a copy was fetched. One from the future, by a clock that was set back, is as old as can be used."""
    if known is None:
        return 0.0
    try:
        age = time.time() - datetime.fromisoformat(known.fetched_at).timestamp()
    except ValueError:
        return OLDEST
    return age if age >= 0 else DAY


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
