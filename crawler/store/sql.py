"""The statements of the SQLite store. No values are ever put into their text: values travel as parameters."""

from crawler.pace import TROUBLES
from crawler.store.migrations import QUARTERS, TEXT_OF_PAGE

# Whether a URL is wanted again can change with the path that leads to it: while it has no depth (only links that are
# not followed lead to it) or is too deep. All other states stand.
OPEN = "(urls.depth IS NULL OR urls.reason = 'depth')"
TRANSIENT = (
    "connect-error", "timeout", "dns-error", "truncated", "robots-unreachable", "robots", "usage", "private-address",
    *(f"http-{status}" for status in TROUBLES),
)  # fmt: skip
GONE = ("http-404", "http-410")

# Kept for the length of a connection; the triggers note what the transaction makes available or brings nearer.
SCRATCH = """
CREATE TEMP TABLE offered(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE nearer(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE wave(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE target(place INTEGER PRIMARY KEY, id INTEGER);
CREATE TEMP TRIGGER offered_new AFTER INSERT ON main.urls WHEN new.state = 'queued'
    BEGIN INSERT OR IGNORE INTO offered VALUES (new.id); END;
CREATE TEMP TRIGGER offered_again AFTER UPDATE OF state ON main.urls WHEN new.state = 'queued' AND old.state <> 'queued'
    BEGIN INSERT OR IGNORE INTO offered VALUES (new.id); END;
CREATE TEMP TRIGGER brought_nearer AFTER UPDATE OF depth ON main.urls WHEN new.depth < old.depth
    BEGIN INSERT OR IGNORE INTO nearer VALUES (new.id); END;
"""

OUTCOMES = """
UPDATE urls SET state = o.state, reason = o.reason, detail = o.detail, status = o.status, attempts = o.attempts,
    fetched_at = o.fetched_at, seconds = o.seconds, size = o.size, content_type = o.content_type, etag = o.etag,
    last_modified = o.last_modified, redirect_to = o.redirect_to,
    same_as = iif(o.state = 'failed', urls.same_as, o.same_as), visits = urls.visits + o.visits,
    changes = urls.changes + o.changes, due_at = o.due_at
FROM (SELECT value->>0 AS id, value->>1 AS state, value->>2 AS reason, value->>3 AS detail, value->>4 AS status,
        value->>5 AS attempts, value->>6 AS fetched_at, value->>7 AS seconds, value->>8 AS size,
        value->>9 AS content_type, value->>10 AS etag, value->>11 AS last_modified, value->>12 AS redirect_to,
        value->>13 AS same_as, value->>14 AS visits, value->>15 AS changes, value->>16 AS due_at
    FROM json_each(:outcomes) WHERE NOT value->>17) AS o
WHERE urls.id = o.id
"""
# A reply of "not modified" says nothing of the type, the size and the validators: those of the last whole reply stand.
NOT_MODIFIED = """
UPDATE urls SET state = 'done', detail = '', status = o.status, attempts = o.attempts, fetched_at = o.fetched_at,
    seconds = o.seconds, visits = visits + 1, due_at = o.due_at
FROM (SELECT value->>0 AS id, value->>4 AS status, value->>5 AS attempts, value->>6 AS fetched_at,
        value->>7 AS seconds, value->>16 AS due_at FROM json_each(:outcomes) WHERE value->>17) AS o
WHERE urls.id = o.id
"""
KEPT = """
UPDATE pages SET fetched_at = o.at FROM (SELECT value->>0 AS id, value->>1 AS at FROM json_each(?)) AS o
WHERE pages.id = o.id
"""

PAGES = """
INSERT INTO pages(id, url, title, description, lang, site, fetched_at, canonical, encoding, robots, fields, body_hash,
    text_hash, sketch, changed_at, usage)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
    value->>10, value->>11, value->>12, value->>13, value->>14, value->>15 FROM json_each(?)
"""

# What URLs showed before their last change, by a page of their own or one that stood for them; its first million
# characters.
VERSIONS = f"""
INSERT OR REPLACE INTO versions(page, fetched_at, text)
SELECT urls.id, urls.fetched_at, deflated(substr({TEXT_OF_PAGE}, 1, 1000000))
FROM urls JOIN pages ON pages.id = coalesce(urls.same_as, urls.id)
WHERE urls.id IN (SELECT value FROM json_each(?))
"""

# Which pages show a body already.
HOLDERS = """
SELECT json_group_object(body_hash, id) FROM pages WHERE body_hash IN (SELECT value FROM json_each(?))
"""

# Of the URLs that show what a page shows, the one that a person would name: near to a seed, short.
_BEST_ALIAS = """
SELECT id FROM urls AS alias WHERE alias.same_as = {holder} AND alias.id NOT IN (SELECT value FROM json_each(:going))
ORDER BY alias.depth, length(alias.url), alias.url LIMIT 1
"""
HEIRS = f"""
SELECT json_group_array(json_array(page, heir)) FROM
    (SELECT value AS page, ({_BEST_ALIAS.format(holder="json_each.value")}) AS heir FROM json_each(:going))
WHERE heir IS NOT NULL
"""
# Pages that stand under another URL than a person would name.
MISNAMED = f"""
SELECT json_group_array(json_array(held.id, heir)) FROM (
    SELECT holder.id, holder.depth, holder.url, ({_BEST_ALIAS.format(holder="holder.id")}) AS heir FROM urls AS holder
    WHERE holder.id IN (SELECT same_as FROM urls WHERE same_as IS NOT NULL)) AS held
JOIN urls AS best ON best.id = held.heir
WHERE (best.depth, length(best.url), best.url) < (held.depth, length(held.url), held.url)
"""
# Gives pages to other URLs: pairs of an old id and a new one.
_MOVED = "(SELECT value->>0 AS old, value->>1 AS heir FROM json_each(:moves)) AS m"
MOVES = (
    f"UPDATE pages SET similar_to = NULL WHERE similar_to IN (SELECT old FROM {_MOVED})",
    f"UPDATE pages SET id = m.heir, url = urls.url, site = urls.host FROM {_MOVED}, urls "
    "WHERE pages.id = m.old AND urls.id = m.heir",
    f"UPDATE sections SET page = m.heir FROM {_MOVED} WHERE page = m.old",
    f"UPDATE urls SET same_as = m.heir, reason = 'duplicate' FROM {_MOVED} WHERE urls.id = m.old AND :stays",
    f"UPDATE urls SET same_as = m.heir FROM {_MOVED} WHERE urls.same_as = m.old AND urls.id <> m.heir",
    f"UPDATE urls SET same_as = NULL, reason = '' FROM {_MOVED} WHERE urls.id = m.heir",
)

# The texts come end to end in one blob, and rows say where in it theirs are: text is most of what is stored, and need
# not be escaped and unescaped on its way.
SECTIONS = """
INSERT INTO sections(page, "order", level, anchor, title, heading, ids, terms, text, forms)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
    CAST(substr(:texts, value->>8, value->>9) AS TEXT), value->>10
FROM json_each(:sections)
"""

# What is known of fetched URLs; the depth may be smaller by now than when they were handed out.
KNOWN = """
SELECT json_group_object(urls.id, json_array(depth, urls.fetched_at, detail, same_as, body_hash, text_hash,
    changed_at, pages.id IS urls.id))
FROM urls LEFT JOIN pages ON pages.id = coalesce(same_as, urls.id) WHERE urls.id IN (SELECT value FROM json_each(?))
"""

TARGETS = f"""
INSERT INTO urls(url, host, depth, state, reason, redirects, found_on, found_at, sitemap)
SELECT t.url, t.host, t.depth, CASE WHEN t.refused IS NOT NULL OR t.depth > :deepest THEN 'skipped' ELSE 'queued' END,
    coalesce(t.refused, CASE WHEN t.depth > :deepest THEN 'depth' END, ''), t.redirects, t.source, :now, t.sitemap
FROM (SELECT value->>0 AS url, value->>1 AS host, value->>2 AS refused, value->>3 AS depth, value->>4 AS redirects,
    value->>5 AS source, value->>6 AS sitemap FROM json_each(:targets)) AS t WHERE true
ON CONFLICT(url) DO UPDATE SET depth = excluded.depth, found_on = excluded.found_on, redirects = excluded.redirects,
    sitemap = coalesce(urls.sitemap, excluded.sitemap),
    reason = CASE WHEN {OPEN} THEN excluded.reason ELSE urls.reason END,
    state = CASE WHEN {OPEN} THEN excluded.state ELSE urls.state END
WHERE excluded.depth < urls.depth OR (urls.depth IS NULL AND excluded.depth IS NOT NULL)
"""

# Links name their targets by their place in the list of the batch's targets: a URL is looked up once a batch.
PLACES_OF_TARGETS = """
INSERT INTO temp.target SELECT json_each.key, urls.id FROM json_each(?) CROSS JOIN urls ON urls.url = json_each.value
"""
LINKS = """
INSERT INTO links(source, target, fragment, text, rel, hops)
SELECT value->>0, target.id, value->>2, value->>3, value->>4, value->>5
FROM json_each(?) CROSS JOIN temp.target ON target.place = value->>1
"""

# One step of a breadth-first relaxation: what the URLs of the wave link to is at most their depth plus the hops.
RELAX = f"""
UPDATE urls SET depth = n.depth, found_on = n.source,
    state = CASE WHEN {OPEN} AND n.depth <= :deepest THEN 'queued' ELSE urls.state END,
    reason = CASE WHEN {OPEN} AND n.depth <= :deepest THEN '' ELSE urls.reason END
FROM (SELECT links.target, min(source.depth + links.hops) AS depth, source.id AS source
    FROM temp.wave CROSS JOIN urls AS source ON source.id = wave.id
    CROSS JOIN links ON links.source = source.id AND links.hops IS NOT NULL GROUP BY links.target) AS n
WHERE urls.id = n.target AND n.depth < urls.depth
"""

# What a fetcher needs of a URL. Validators only where there is something stored that a "not modified" would refer to.
_HANDED = """
json_array(id, url, coalesce(depth, 0) + crowd, redirects, coalesce(iif(kept, etag, ''), ''),
    coalesce(iif(kept, last_modified, ''), ''), coalesce(sitemap, ''), visits)
"""
_KEPT = "(same_as IS NOT NULL OR EXISTS (SELECT 1 FROM pages WHERE pages.id = urls.id)) AS kept"

HAND_BACK = f"""
SELECT json_group_array({_HANDED}), (SELECT count(*) FROM temp.offered)
FROM (SELECT urls.*, {_KEPT} FROM temp.offered CROSS JOIN urls ON urls.id = offered.id
    ORDER BY urls.depth + urls.crowd, urls.id LIMIT ?)
"""

# What became available and was never fetched; and by how much its turn is later.
NEWCOMERS = """
SELECT json_group_array(json_array(urls.id, url)) FROM temp.offered CROSS JOIN urls ON urls.id = offered.id
WHERE fetched_at IS NULL
"""
CROWDED = """
UPDATE urls SET crowd = n.crowd FROM (SELECT value->>0 AS id, value->>1 AS crowd FROM json_each(?)) AS n
WHERE urls.id = n.id
"""

# A host at a time, by the index of what waits, so that one host with a million URLs does not hide the others.
WAITING = f"""
WITH RECURSIVE waiting(host) AS (
    SELECT min(host) FROM urls WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min(host) FROM urls WHERE state = 'queued' AND host > waiting.host) FROM waiting
    WHERE waiting.host IS NOT NULL)
SELECT json_group_array({_HANDED}) FROM (
    SELECT urls.*, {_KEPT} FROM waiting CROSS JOIN urls ON urls.id IN (
        SELECT id FROM urls AS mine WHERE mine.state = 'queued' AND mine.host = waiting.host
            AND mine.id NOT IN (SELECT value FROM json_each(:held))
            ORDER BY mine.depth + mine.crowd, mine.id LIMIT :share)
    WHERE waiting.host NOT IN (SELECT value FROM json_each(:full))
    ORDER BY urls.depth + urls.crowd, urls.id LIMIT :room)
"""

# Which section each fragment of a page opens; none opens its first. Ids are separated by spaces, and mostly alone.
PLACES = (
    "CREATE TEMP TABLE places(page INT, fragment TEXT, section INT, PRIMARY KEY (page, fragment)) WITHOUT ROWID",
    """
INSERT INTO temp.places
SELECT page, ids, id FROM sections WHERE ids <> '' AND instr(ids, ' ') = 0
UNION ALL
SELECT page, json_each.value, named.id
FROM (SELECT id, page,
        '["' || replace(replace(replace(ids, '\\', '\\\\'), '"', '\\"'), ' ', '","') || '"]' AS names
    FROM sections WHERE instr(ids, ' ') > 0) AS named, json_each(CASE WHEN json_valid(names) THEN names ELSE '[]' END)
UNION ALL
SELECT page, '', id FROM sections WHERE "order" = 0
ON CONFLICT DO UPDATE SET section = min(section, excluded.section)
""",
    # A link to a URL that shows the same as another points to the page that stands for both.
    """
INSERT OR IGNORE INTO temp.places SELECT alias.id, places.fragment, places.section
FROM urls AS alias CROSS JOIN temp.places ON places.page = alias.same_as WHERE alias.same_as IS NOT NULL
""",
)

# Texts of the links that point to each section, where they call it something that it does not call itself. Texts that
# point to more than ten pages ("next", "top") say nothing. CROSS JOIN fixes the order of the loops: a planner that goes
# by statistics from when the file was small makes them quadratic.
LINK_TEXTS = """
WITH telling AS MATERIALIZED (SELECT links.text, json_group_array(DISTINCT section) AS told
    FROM links CROSS JOIN temp.places ON places.page = links.target AND places.fragment = links.fragment
    WHERE links.text <> '' AND source <> target GROUP BY links.text HAVING count(DISTINCT target) <= 10)
INSERT INTO called(section, links, forms)
SELECT sections.id, spaced(group_concat(telling.text, ' · ')), forms(group_concat(telling.text, ' · '),
    (SELECT lang FROM pages WHERE pages.id = sections.page))
FROM telling CROSS JOIN json_each(telling.told) CROSS JOIN sections ON sections.id = json_each.value
WHERE instr(lower(replace(sections.heading || ' ' || sections.ids || ' ' || sections.title, char(0x200B), '')),
    lower(rtrim(telling.text, '()'))) = 0
GROUP BY sections.id
"""

RETRIED = """
UPDATE urls SET state = 'queued', reason = '', detail = '' WHERE state IN ('failed', 'skipped')
    AND reason IN (SELECT value FROM json_each(?))
"""

# What was asked once is asked again: when it is due, or when the last time was before the time given. What was known of
# it stays until there is an answer. Sitemaps are always asked, if at all: they say what
# else is due.
REVISITED = """
UPDATE urls SET state = 'queued' WHERE state <> 'queued' AND fetched_at IS NOT NULL AND depth IS NOT NULL
    AND reason NOT IN ('unreached', 'trap-shape') AND CASE WHEN sitemap IS NOT NULL THEN :sitemaps
        WHEN :before IS NULL THEN coalesce(due_at, fetched_at) <= :now ELSE fetched_at <= :before END
"""

# What a sitemap says to have changed since the last visit, if that was before the present crawl.
MODIFIED = """
UPDATE urls SET state = 'queued' FROM (SELECT value->>0 AS url, value->>1 AS at FROM json_each(:modified)) AS said
WHERE urls.url = said.url AND state <> 'queued' AND fetched_at < said.at AND fetched_at < :began
    AND depth IS NOT NULL AND reason <> 'unreached'
"""

# Where sitemaps may be, with the origins that they speak for; and of those, where none was and no page leads to.
SITEMAPS = """
INSERT INTO urls(url, host, depth, state, reason, found_at, sitemap)
SELECT value->>0, value->>1, 0, 'queued', '', ?, value->>2 FROM json_each(?) WHERE true
ON CONFLICT(url) DO UPDATE SET depth = 0, found_on = NULL, state = 'queued', reason = '', sitemap = excluded.sitemap
"""
NO_SITEMAP = """
DELETE FROM urls WHERE id IN (SELECT value FROM json_each(?)) AND visits <= 1
    AND NOT EXISTS (SELECT 1 FROM links WHERE links.source = urls.id)
    AND NOT EXISTS (SELECT 1 FROM links WHERE links.target = urls.id)
"""
TRAPPED = "SELECT url FROM urls WHERE state = 'skipped' AND reason = 'trap-shape' LIMIT 200000"
CROWDS = "SELECT url, crowd FROM urls WHERE crowd > 0 LIMIT 200000"

# Every table that holds something of a page, and by which column.
OF_A_PAGE = (("sections", "page"), ("pages", "id"))

# Pages whose group lost the page that stood for it; then those not compared yet, in the order in which they are: first
# what is an original by its own words, near to a seed, short.
UNGROUPED = """
UPDATE pages SET similar_to = NULL
WHERE similar_to <> id AND similar_to NOT IN (SELECT id FROM pages WHERE similar_to = id)
"""
TO_GROUP = """
SELECT pages.id, sketch FROM pages JOIN urls ON urls.id = pages.id WHERE similar_to IS NULL AND sketch IS NOT NULL
ORDER BY canonical NOT IN ('', pages.url), instr(lower(pages.url), '/' || lang) = 0, depth, length(pages.url), pages.url
LIMIT 10000
"""
ALIKE = " UNION ".join(
    f"SELECT id, sketch FROM pages WHERE similar_to = id AND {quarter} = {quarter.replace('sketch', ':sketch')}"
    for quarter in QUARTERS
)
TEXT = f"SELECT {TEXT_OF_PAGE} FROM pages WHERE id = ?"

UNREACHED = f"""
SELECT id FROM urls WHERE state = 'skipped' AND reason = 'unreached'
    AND NOT EXISTS (SELECT 1 FROM urls WHERE state = 'failed' AND reason NOT IN {GONE})
"""

REASONS = """
SELECT reason, count(*) FROM urls WHERE state IN ('failed', 'skipped', 'gone') GROUP BY 1 ORDER BY 2 DESC
"""

NAMED = """
SELECT DISTINCT seed.value FROM crawls, json_each(crawls.rules, '$.seeds') AS seed
"""
FATES = """
SELECT url, state || iif(reason = '', '', ': ' || reason) || iif(coalesce(detail, '') = '', '', ': ' || detail)
FROM urls WHERE url IN (SELECT value FROM json_each(?))
"""

SEEDS = """
INSERT INTO urls(url, host, depth, state, reason, found_at)
SELECT value->>0, value->>1, 0, 'queued', '', ? FROM json_each(?) WHERE true
ON CONFLICT(url) DO UPDATE SET depth = 0, found_on = NULL,
    state = CASE WHEN state IN ('done', 'gone') THEN state ELSE 'queued' END,
    reason = CASE WHEN state IN ('done', 'gone') THEN reason ELSE '' END WHERE true
"""

ROBOTS = """
INSERT INTO hosts(origin, robots_status, robots_detail, robots_txt, robots_at, usage)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?) WHERE true
ON CONFLICT(origin) DO UPDATE SET robots_status = excluded.robots_status, robots_detail = excluded.robots_detail,
    robots_txt = excluded.robots_txt, robots_at = excluded.robots_at, usage = excluded.usage
"""

PACES = """
INSERT INTO hosts(origin, delay, rests_until)
SELECT value->>0, nullif(value->>1, 0), value->>2 FROM json_each(?) WHERE true
ON CONFLICT(origin) DO UPDATE SET delay = excluded.delay, rests_until = excluded.rests_until
"""
