"""The statements of the SQLite store. No values are ever put into their text: values travel as parameters."""

# Whether a URL is wanted again can change with the path that leads to it: while it has no depth (only links that are
# not followed lead to it) or is too deep. All other states stand.
OPEN = "(urls.depth IS NULL OR urls.reason = 'depth')"
TRANSIENT = (
    "connect-error", "timeout", "dns-error", "truncated", "robots-unreachable", "robots", "private-address",
    "http-429", "http-500", "http-502", "http-503", "http-504",
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
UPDATE urls SET state = iif(o.gone AND EXISTS (SELECT 1 FROM pages WHERE pages.id = o.id), 'gone', o.state),
    reason = o.reason, detail = o.detail, status = o.status, attempts = o.attempts,
    fetched_at = o.fetched_at, seconds = o.seconds, size = o.size, content_type = o.content_type, etag = o.etag,
    last_modified = o.last_modified, redirect_to = o.redirect_to
FROM (SELECT value->>0 AS id, value->>1 AS state, value->>2 AS reason, value->>3 AS detail, value->>4 AS status,
        value->>5 AS attempts, value->>6 AS fetched_at, value->>7 AS seconds, value->>8 AS size,
        value->>9 AS content_type, value->>10 AS etag, value->>11 AS last_modified, value->>12 AS redirect_to,
        value->>13 AS gone
    FROM json_each(?)) AS o
WHERE urls.id = o.id
"""

PAGES = """
INSERT INTO pages(id, url, title, description, lang, site, fetched_at, canonical, encoding, robots, fields)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
    value->>10 FROM json_each(?)
"""

# The texts come end to end in one blob, and rows say where in it theirs are: text is most of what is stored, and need
# not be escaped and unescaped on its way.
SECTIONS = """
INSERT INTO sections(page, "order", level, anchor, title, heading, ids, terms, text)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
    CAST(substr(:texts, value->>8, value->>9) AS TEXT)
FROM json_each(:sections)
"""

# The depths of fetched URLs as they are in the file, which may be smaller than when the URLs were handed out.
DEPTHS = """
SELECT json_group_object(id, depth) FROM urls WHERE id IN (SELECT value FROM json_each(?))
"""

TARGETS = f"""
INSERT INTO urls(url, host, depth, state, reason, redirects, found_on, found_at)
SELECT t.url, t.host, t.depth, CASE WHEN t.refused IS NOT NULL OR t.depth > :deepest THEN 'skipped' ELSE 'queued' END,
    coalesce(t.refused, CASE WHEN t.depth > :deepest THEN 'depth' END, ''), t.redirects, t.source, :now
FROM (SELECT value->>0 AS url, value->>1 AS host, value->>2 AS refused, value->>3 AS depth, value->>4 AS redirects,
    value->>5 AS source FROM json_each(:targets)) AS t WHERE true
ON CONFLICT(url) DO UPDATE SET depth = excluded.depth, found_on = excluded.found_on, redirects = excluded.redirects,
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

HAND_BACK = """
SELECT json_group_array(json_array(id, url, depth, redirects)), (SELECT count(*) FROM temp.offered)
FROM (SELECT urls.* FROM temp.offered CROSS JOIN urls ON urls.id = offered.id ORDER BY urls.depth, urls.id LIMIT ?)
"""

# A host at a time, by the index of what waits, so that one host with a million URLs does not hide the others.
WAITING = """
WITH RECURSIVE waiting(host) AS (
    SELECT min(host) FROM urls WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT min(host) FROM urls WHERE state = 'queued' AND host > waiting.host) FROM waiting
    WHERE waiting.host IS NOT NULL)
SELECT json_group_array(json_array(id, url, depth, redirects)) FROM (
    SELECT urls.id, urls.url, urls.depth, urls.redirects FROM waiting CROSS JOIN urls ON urls.id IN (
        SELECT id FROM urls AS mine WHERE mine.state = 'queued' AND mine.host = waiting.host
            AND mine.id NOT IN (SELECT value FROM json_each(:held)) ORDER BY mine.depth, mine.id LIMIT :share)
    WHERE waiting.host NOT IN (SELECT value FROM json_each(:full))
    ORDER BY urls.depth, urls.id LIMIT :room)
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
SELECT page, '', id FROM sections WHERE "order" = 0 AND ids <> ''
ON CONFLICT DO UPDATE SET section = min(section, excluded.section)
""",
)

# Texts of the links that point to each section, where they call it something that it does not call itself. Texts that
# point to more than ten pages ("next", "top") say nothing. CROSS JOIN fixes the order of the loops: a planner that goes
# by statistics from when the file was small makes them quadratic.
LINK_TEXTS = """
WITH telling AS MATERIALIZED (SELECT links.text, json_group_array(DISTINCT section) AS told
    FROM links CROSS JOIN temp.places ON places.page = links.target AND places.fragment = links.fragment
    WHERE links.text <> '' AND source <> target GROUP BY links.text HAVING count(DISTINCT target) <= 10)
INSERT INTO called(section, links)
SELECT sections.id, group_concat(telling.text, ' · ')
FROM telling CROSS JOIN json_each(telling.told) CROSS JOIN sections ON sections.id = json_each.value
WHERE instr(lower(sections.heading || ' ' || sections.ids || ' ' || sections.title),
    lower(rtrim(telling.text, '()'))) = 0
GROUP BY sections.id
"""

RETRIED = """
UPDATE urls SET state = 'queued', reason = '', detail = '' WHERE state IN ('failed', 'skipped')
    AND reason IN (SELECT value FROM json_each(?))
"""

# Every table that holds something of a page, and by which column.
OF_A_PAGE = (("sections", "page"), ("pages", "id"), ("links", "source"))

UNREACHED = f"""
SELECT id FROM urls WHERE state = 'skipped' AND reason = 'unreached'
    AND NOT EXISTS (SELECT 1 FROM urls WHERE state = 'failed' AND reason NOT IN {GONE})
"""

REASONS = """
SELECT reason, count(*) FROM urls WHERE state IN ('failed', 'skipped', 'gone') GROUP BY 1 ORDER BY 2 DESC
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
INSERT INTO hosts SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
ON CONFLICT(origin) DO UPDATE SET robots_status = excluded.robots_status, robots_detail = excluded.robots_detail,
    robots_txt = excluded.robots_txt, robots_at = excluded.robots_at
"""
