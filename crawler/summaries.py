"""What a crawl came to, as text: a summary, where its time went, what bounded it."""

from crawler.console import counted, printable, size
from crawler.reasons import in_short
from crawler.report import Report
from crawler.stages import ENDING, FETCHING, INDEXING
from crawler.store.sql import TRANSIENT

_MOST_REASONS = 8  # in a summary
_NOTICED = 0.1  # of the fetchers' time; less is not worth a word of advice
_INSECURE = "Certificates of servers were not verified (--insecure): anybody on the way could have sent these pages."


def summary(report: Report, db: str, *, insecure: bool = False) -> str:
    """What a crawl came to, and what to do next."""
    rate = report.indexed / report.seconds if report.seconds else 0.0
    lines = []
    if not report.fetched and not report.interrupted and report.pages:
        failed = f"Nothing could be fetched, {counted(report.failures, 'URL')} failed"
        nothing = failed if report.failures else "Nothing was left to fetch"
        lines.append(f"{nothing}: {counted(report.pages, 'page')} in {db}.")
    else:
        done = "Interrupted: indexed" if report.interrupted else "Indexed"
        speed = f"{report.seconds:.1f} s ({rate:.1f} pages/s, {size(report.bytes)})"
        total = f"{counted(report.pages, 'page')} in {db}"
        lines.append(f"{done} {counted(report.indexed, 'page')} in {speed}; {total}.")
    if report.duplicates:
        lines.append(f"{counted(report.duplicates, 'more URL')} with the very same content as one of these.")
    if report.reasons:
        why = [f"{count} {in_short(reason)}" for reason, count in report.reasons.items()]
        rest = ", and more: crawl status" if why[_MOST_REASONS:] else ""
        lines.append("Not indexed: " + ", ".join(why[:_MOST_REASONS]) + rest + ".")
    for seed, fate in report.seeds.items():
        if fate.startswith(("failed", "skipped")):
            lines.append(f"warning: seed {seed}: {fate.partition(': ')[2]}")
    if report.listed:
        lines.append(
            f"Sitemaps listed {counted(report.listed, 'URL')}, a hop from the seed; --no-sitemaps does without."
        )
    if report.queued:
        lines.append(f"{counted(report.queued, 'URL')} still queued: the same command goes on from here.")
    elif report.interrupted:
        lines.append("All is fetched, and what comes at the end is not done: the same command goes on from here.")
    elif report.failures and not report.fetched:
        lines.append("To try them again: crawl update. Why one of them failed, and what to do: crawl why URL")
    elif not report.fetched and report.pages:
        lines.append("To fetch everything again: the same command with --fresh.")
    if insecure:
        lines.append(_INSECURE)
    if report.pages:
        lines.append(f"next: crawl search TERM{'' if db == 'crawl.db' else f' --db {db}'}")
    return "\n".join(map(printable, lines))


def updated(report: Report, *, insecure: bool = False) -> str:
    """What an update found; the first line is counts alone."""
    changes = report.changes
    lines = [", ".join(f"{changes[verdict]} {verdict}" for verdict in ("new", "changed", "gone", "same"))]
    if report.resumed:
        lines.append("This went on with the update that was interrupted; a new one begins when it is through.")
    if report.queued:
        how = "Interrupted, " if report.interrupted else ""
        lines.append(f"{how}{counted(report.queued, 'URL')} still to visit: the same command goes on from here.")
    elif not report.fetched and not report.no_seed_fetched:
        lines.append("Nothing is due yet. To visit everything again: crawl update --older-than 0")
    in_vain = set(TRANSIENT) - {"robots", "private-address"}  # those were not tried, by a rule
    if failed := sum(report.reasons.get(reason, 0) for reason in in_vain):
        lines.append(f"{counted(failed, 'URL')} could not be fetched for now; what was indexed of them stays.")
    if insecure:
        lines.append(_INSECURE)
    return "\n".join(lines)


def profile(report: Report) -> str:
    """Where the time went, a line a stage: seconds, the share of the time of all threads of its kind, CPU seconds."""
    lines = [f"{'stage':9} {'seconds':>9} {'share':>6} {'CPU':>9}"]
    for who, stages in (("fetchers", FETCHING), ("indexers", INDEXING), ("the end", ENDING)):
        whole = sum(report.stages[stage].seconds for stage in stages) or 1.0
        for stage, what in stages.items():
            spent = report.stages[stage]
            share = _percent(spent.seconds / whole)
            lines.append(f"{stage:9} {spent.seconds:9.2f} {share:>6} {spent.cpu_seconds:9.2f}  {who}: {what}")
    return "\n".join(lines)


def bounds(report: Report) -> str:
    """What the fetchers did with their time, what bounded the crawl, and what would help; empty for no crawl."""
    if not report.bound:
        return ""
    whole = sum(report.stages[stage].seconds for stage in FETCHING)
    shares = {stage: report.stages[stage].seconds / whole for stage in FETCHING}
    most = sorted(FETCHING, key=shares.__getitem__, reverse=True)
    told = ", ".join(f"{_percent(shares[stage])} {FETCHING[stage]}" for stage in most if shares[stage] >= 0.01)
    if report.bound == "cpu":
        verdict = "the CPU; fewer or smaller pages would help (--exclude, --max-size), more --threads would not"
    elif report.bound == "disk":
        verdict = "writing to the index file; a faster disk or a free core would help, more --threads would not"
    elif report.bound == "politeness":
        verdict = "politeness; more hosts at once would help, or a shorter --delay where you may"
    elif shares["per_host"] >= max(_NOTICED, shares["idle"]):
        verdict = "the latency of servers; a greater --per-host would help, where you may, and --threads to match"
    elif shares["idle"] >= _NOTICED:
        verdict = "the latency of servers; there were too few links at a time for more --threads to help"
    else:
        verdict = "the latency of servers; more --threads would help, and a greater --per-host where you may"
    return f"Time: {told}. What bounds it: {verdict}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
