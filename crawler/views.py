"""Stories, standings, changes, diagnoses and evaluations as text: short lines, each with its name before it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crawler.census import Status
from crawler.changes import Change
from crawler.console import printable, size
from crawler.doctor import Diagnosis
from crawler.evaluation import MEASURES, Comparison, Evaluation
from crawler.reasons import in_short
from crawler.remedy import Repair
from crawler.story import Answer, Indexed, Mention, Ruling, Story

_COLORS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}


def plan(made: Mapping[str, Any]) -> str:
    """What `crawler.plan.preview` says, a line for each seed and what follows for it."""
    lines = []
    for seed in made["seeds"]:
        lines.append(f"{seed['url']}: {seed['robots']}" + (f"; {seed['pace']}" if seed["allowed"] else ""))
        lines += [f"  its robots.txt: {seed['notes']}"] if seed["notes"] else []
        lines += [f"  of the use of its pages it says: {', '.join(seed['usage'][:5])}"] if seed["usage"] else []
        if not seed["allowed"]:
            lines.append("  nothing of it can be fetched, then")
        elif rate := seed["pages_per_minute"]:
            lines.append(f"  at most {rate:.3g} pages a minute: 1,000 pages take {_while(1000 / rate)} or longer")
        else:
            lines.append("  as fast as it answers")
        if seed["sitemap_urls"]:
            more = " or more" if seed["more_sitemaps"] else ""
            lines.append(f"  its sitemaps list {_several(seed['sitemap_urls'], 'URL')}{more}")
    lines.append(f"scope {made['scope']}, depth {made['depth']}, into {made['db']}; no page was fetched")
    return "\n".join(map(printable, lines))


def _while(minutes: float) -> str:
    """So many minutes for a person."""
    for unit, length in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= 2 * length:
            return f"{minutes / length:.0f} {unit}s"
    return f"{minutes * 60:.0f} seconds"


def story(told: Story) -> str:
    """The story of a URL, a line for everything that there is to say of it."""
    detail = f" ({told.detail})" if told.detail else ""
    rows = [("url", told.url), ("state", f"{told.state}: {told.verdict}{detail}" if told.seen else told.verdict)]
    rows += [("to do", told.advice)] if told.advice else []
    rows += [("same as", told.same_as)] if told.same_as else []
    rows += [("leads to", " → ".join(told.redirects_to))] if told.redirects_to else []
    rows += [("led from", url) for url in told.redirected_from[:5]]
    if told.seen:
        rows.append(("found", f"{told.found_at}, {_depth(told)}"))
        rows += [("path", " → ".join(told.path))] if len(told.path) > 1 else []
        rows += [("linked on", _several(told.mentioned_on, "page"))]
        rows += [("", _mention(mention)) for mention in told.mentions]
    rows += [("scope", _ruling(told.scope, "in", "out")), ("robots", _ruling(told.robots, "allowed", "refused"))]
    if told.answer and (told.answer.status or told.state == "failed"):  # what was refused by a rule was not asked for
        rows += _answer(told.answer)
    rows += _page(told.page) if told.page else ()
    return _aligned(rows)


def _depth(told: Story) -> str:
    if told.depth is None:
        return "at no depth: no link to it is followed"
    if told.depth or len(told.path) > 1:
        return f"at depth {told.depth}"
    return "by its usual name" if told.reason == "sitemap" else "as a seed"


def _mention(mention: Mention) -> str:
    words = f" “{mention.text}”" if mention.text else ""
    return f"{mention.url}{words}{' (nofollow)' if mention.nofollow else ''}"


def _ruling(ruling: Ruling, yes: str, no: str) -> str:
    return ruling.rule if ruling.allowed is None else f"{yes if ruling.allowed else no}, {ruling.rule}"


def _answer(answer: Answer) -> Iterator[tuple[str, str]]:
    status = f"HTTP {answer.status}" if answer.status else "no answer"
    kind = f", {answer.content_type}" if answer.content_type else ""
    tries = f", try {answer.attempts}" if answer.attempts > 1 else ""
    yield "answer", f"{status}{kind}, {size(answer.size)} in {answer.seconds:.2f} s{tries}, at {answer.fetched_at}"
    due = f"; due again {answer.due_at}" if answer.due_at else ""
    yield "visits", f"{answer.visits}, and its text changed {_several(answer.changes, 'time')}{due}"


def _page(page: Indexed) -> Iterator[tuple[str, str]]:
    lang = f", in {page.lang}" if page.lang else ""
    yield "page", f"“{page.title}”, {_several(page.sections, 'section')}{lang}"
    if page.canonical:
        ignored = f" (ignored: {page.canonical_ignored})" if page.canonical_ignored else ""
        yield "canonical", page.canonical + ignored
    if page.robots:
        yield "asks", page.robots
    if page.usage:
        yield "usage", f"{page.usage} (on record, not acted on)"
    if page.similar_count:
        yield "similar", _several(page.similar_count, "page")
        yield from (("", url) for url in page.similar)


def status(now: Status) -> str:
    """How an index stands."""
    alike = (
        f", {_several(now.duplicates, 'more URL')} the same, {now.similar} nearly"
        if now.duplicates or now.similar
        else ""
    )
    rows = [
        ("file", f"{now.db}, {size(now.file_size)}; {size(now.disk_free)} free on its disk"),
        ("pages", f"{now.pages} in {_several(now.sections, 'section')}{alike}"),
        ("urls", _counts(now.states) or "none"),
    ]
    rows += (
        [("why not", _counts({in_short(reason): count for reason, count in now.reasons.items()}))]
        if now.reasons
        else []
    )
    rows += [("due", f"{now.due} now" + (f"; the next at {now.next_due_at}" if now.next_due_at else ""))]
    if crawl := now.crawl:
        process = f" (process {crawl.process})" if crawl.process else ""
        state = f"runs now{process}" if crawl.process is not None else "is not finished"
        end = f"finished {crawl.finished_at}" if crawl.finished_at else state
        rows.append(("crawl", f"started {crawl.started_at}, {end}"))
        rows.append(("rules", "; ".join(f"{name} {_plain(value)}" for name, value in crawl.rules.items() if value)))
        if crawl.go_on and crawl.process is None:
            rows += [
                ("go on", crawl.go_on),
                ("", "and what else it was given: --delay, --insecure and so on"),
            ]
    rows += _list("waiting", (f"{w.queued}  {w.host}  by depth: {_counts(w.depths)}" for w in now.queued))
    rows += _list(
        "slowest", (f"{s.mean:.2f} s, {s.longest:.2f} at most, of {s.answers}  {s.host}" for s in now.slowest)
    )
    rows += _list("failing", (f"{f.failed}  {f.host}  {_counts(f.reasons)}" for f in now.failing))
    return _aligned(rows)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()


def change(changed: Change, *, color: bool) -> Iterator[str]:
    """The lines of a diff, coloured where that is allowed."""
    for line in changed.lines:
        paint = _COLORS.get(line[:1], "") if color else ""
        yield f"{paint}{printable(line)}" + ("\x1b[0m" if paint else "")


def diagnosis(found: Diagnosis) -> str:
    """A line for each check, and what to do where one failed."""
    rows = []
    for check in found.checks:
        rows.append((check.name, f"{'ok' if check.ok else 'WRONG'}: {check.says}"))
        rows += [("", f"to do: {check.advice}")] if check.advice and not check.ok else []
    return _aligned(rows)


def repair(made: Repair) -> str:
    """What was wrong, what was done, and what is left."""
    rows = [("was wrong", f"{check.name}: {check.says}") for check in made.before.checks if not check.ok]
    rows += _list("done", made.done)
    rows += [("copy", made.copy)] if made.copy else []
    for name, rows_of in made.tables.items():
        lost = "some lost" if rows_of.lost is None else f"{rows_of.lost} lost"
        rows.append((f"table {name}", f"{_several(rows_of.saved, 'row')} saved, {lost}"))
    rows += [("next", "crawl update")] if any("queued" in line for line in made.done) else []
    return f"{_aligned(rows)}\n{diagnosis(made.after)}" if rows else diagnosis(made.after)


_MEASURES = dict(
    zip(
        MEASURES,
        (
            "success@1",
            "success@10",
            "MRR@10",
            "nDCG@10",
            "MRR@10 by page",
            "at the anchor",
            "median ms",
            "95 % below ms",
        ),
        strict=True,
    )
)


def evaluation(found: Evaluation) -> str:
    """How well an index answered, a measure a line."""
    rows = [(name, _figure(measure, getattr(found, measure))) for measure, name in _MEASURES.items()]
    return _aligned([_asked(found), *rows, *_missing("missing", found)])


def comparison(made: Comparison) -> str:
    """Two evaluations side by side, the difference, and how likely it is by chance."""
    lines = [f"{'':16}{'here':>12}{'there':>12}{'difference':>12}{'p':>12}"]
    for measure, name in _MEASURES.items():
        one, other = (_figure(measure, getattr(side, measure)) for side in (made.one, made.other))
        difference, p = _figure(measure, made.difference(measure), sign="+"), made.significance.get(measure)
        lines.append(f"{name:16}{one:>12}{other:>12}{difference:>12}{'' if p is None else f'{p:12.4f}'}")
    missing = (*_missing("missing", made.one), *_missing("there", made.other))
    return "\n".join([_aligned([_asked(made.one), *missing]), *lines])


def misses(found: Evaluation) -> str:
    """The queries whose right page was not first: its rank, what came first, what should have."""
    blocks = []
    for miss in found.misses:
        rank = str(miss.rank or ("-" if miss.indexed else "not indexed"))
        rows = [("query", miss.query), ("rank", rank), ("first", miss.first or "-")]
        blocks.append(_aligned([*rows, *_list("right", miss.expected)]))
    return "\n" + "\n\n".join(blocks)


def _asked(found: Evaluation) -> tuple[str, str]:
    anchored = f"; {_several(found.anchored, 'right hit')} with an anchor to open at" if found.anchored else ""
    return "queries", f"{found.items}, for {_several(found.pages, 'page')}{anchored}"


def _figure(measure: str, value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.1f}" if measure.endswith("ms") else f"{value:{sign}.3f}"


def _missing(name: str, found: Evaluation) -> list[tuple[str, str]]:
    if not found.missing_pages:
        return []
    lost = f"{_several(found.missing_items, 'query')} without any {'counts' if found.missing_items == 1 else 'count'}"
    return [(name, f"{_several(found.missing_pages, 'expected page')} not in the index; {lost} as a miss")]


def _list(name: str, lines: Iterable[str]) -> list[tuple[str, str]]:
    return [(name if not number else "", line) for number, line in enumerate(lines)]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _several(number: int, noun: str) -> str:
    many = f"{noun.removesuffix('y')}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


def _aligned(rows: Iterable[tuple[str, str]]) -> str:
    rows = list(rows)
    width = max(len(name) for name, _ in rows) + 2
    return "\n".join(f"{name:{width}}{printable(text)}".rstrip() for name, text in rows)
