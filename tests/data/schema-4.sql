-- An index file of schema 4, as crawlers that did not tell the languages of stems made it.
PRAGMA page_size = 8192;
CREATE TABLE "urls" (
   "id" INTEGER PRIMARY KEY,
   "url" TEXT NOT NULL,
   "host" TEXT NOT NULL,
   "depth" INTEGER,
   "state" TEXT NOT NULL,
   "reason" TEXT,
   "detail" TEXT,
   "status" INTEGER,
   "redirects" INTEGER NOT NULL DEFAULT 0,
   "redirect_to" TEXT,
   "found_on" INTEGER,
   "found_at" TEXT,
   "attempts" INTEGER,
   "fetched_at" TEXT,
   "seconds" REAL,
   "size" INTEGER,
   "content_type" TEXT,
   "etag" TEXT,
   "last_modified" TEXT,
   "same_as" INTEGER,
   "visits" INTEGER NOT NULL DEFAULT 0,
   "changes" INTEGER NOT NULL DEFAULT 0,
   "due_at" TEXT,
   "sitemap" TEXT,
   "crowd" INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX "urls_by_url"
    ON "urls" ("url");
CREATE INDEX urls_queued ON urls(host, depth + crowd, id) WHERE state = 'queued';
CREATE TABLE "pages" (
   "id" INTEGER PRIMARY KEY,
   "url" TEXT NOT NULL,
   "title" TEXT NOT NULL,
   "description" TEXT,
   "lang" TEXT,
   "site" TEXT,
   "fetched_at" TEXT,
   "canonical" TEXT,
   "encoding" TEXT,
   "robots" TEXT,
   "fields" TEXT,
   "changed_at" TEXT,
   "body_hash" TEXT,
   "text_hash" TEXT,
   "sketch" INTEGER,
   "similar_to" INTEGER,
   "usage" TEXT
);
CREATE UNIQUE INDEX "pages_by_url"
    ON "pages" ("url");
CREATE INDEX pages_by_title ON pages(title COLLATE NOCASE);
CREATE INDEX "pages_by_body"
    ON "pages" ("body_hash");
CREATE INDEX pages_by_lang ON pages(lang);
CREATE INDEX urls_same_as ON urls(same_as) WHERE same_as IS NOT NULL;
CREATE INDEX pages_by_similar ON pages(similar_to);
CREATE INDEX pages_alike_1 ON pages((sketch >> 48) & 0xFFFF) WHERE similar_to = id;
CREATE INDEX pages_alike_2 ON pages((sketch >> 32) & 0xFFFF) WHERE similar_to = id;
CREATE INDEX pages_alike_3 ON pages((sketch >> 16) & 0xFFFF) WHERE similar_to = id;
CREATE INDEX pages_alike_4 ON pages((sketch >> 0) & 0xFFFF) WHERE similar_to = id;
CREATE TABLE "versions" (
   "page" INTEGER PRIMARY KEY,
   "fetched_at" TEXT,
   "text" BLOB
);
CREATE TABLE "sections" (
   "id" INTEGER PRIMARY KEY,
   "page" INTEGER NOT NULL REFERENCES "pages"("id"),
   "order" INTEGER,
   "level" INTEGER,
   "anchor" TEXT,
   "title" TEXT,
   "heading" TEXT,
   "ids" TEXT,
   "terms" TEXT,
   "text" TEXT,
   "stems" TEXT
);
CREATE INDEX "sections_by_page"
    ON "sections" ("page", "order");
CREATE TABLE "links" (
   "id" INTEGER PRIMARY KEY,
   "source" INTEGER REFERENCES "urls"("id"),
   "target" INTEGER REFERENCES "urls"("id"),
   "fragment" TEXT,
   "text" TEXT,
   "rel" TEXT,
   "hops" INTEGER
);
CREATE INDEX "links_by_source"
    ON "links" ("source");
CREATE TABLE "hosts" (
   "origin" TEXT PRIMARY KEY,
   "robots_status" INTEGER,
   "robots_detail" TEXT,
   "robots_txt" TEXT,
   "robots_at" TEXT,
   "usage" TEXT,
   "delay" REAL,
   "rests_until" TEXT
);
CREATE TABLE "crawls" (
   "id" INTEGER PRIMARY KEY,
   "started_at" TEXT,
   "finished_at" TEXT,
   "rules" TEXT,
   "report" TEXT
);
CREATE TABLE "called" (
   "section" INTEGER PRIMARY KEY REFERENCES "sections"("id"),
   "links" TEXT
);
CREATE TABLE words (word TEXT PRIMARY KEY, sections INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX words_by_sections ON words(sections DESC);
CREATE VIRTUAL TABLE "sections_fts" USING FTS5 (title, heading, ids, terms, text, stems, tokenize='porter unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''', content="sections", content_rowid='id');
CREATE VIRTUAL TABLE called_fts USING fts5(links, content='called', content_rowid='section', tokenize='porter unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''');
CREATE VIRTUAL TABLE words_fts USING fts5(title, heading, ids, text, content='sections', content_rowid='id', detail=none, columnsize=0, tokenize='unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''');
CREATE TRIGGER sections_ai AFTER INSERT ON sections BEGIN INSERT INTO sections_fts(rowid, title, heading, ids, terms, text, stems) VALUES (new.id, new.title, new.heading, new.ids, new.terms, new.text, new.stems); INSERT INTO words_fts(rowid, title, heading, ids, text) VALUES (new.id, new.title, new.heading, new.ids, new.text); END;
CREATE TRIGGER sections_ad AFTER DELETE ON sections BEGIN INSERT INTO sections_fts(sections_fts, rowid, title, heading, ids, terms, text, stems) VALUES ('delete', old.id, old.title, old.heading, old.ids, old.terms, old.text, old.stems); INSERT INTO words_fts(words_fts, rowid, title, heading, ids, text) VALUES ('delete', old.id, old.title, old.heading, old.ids, old.text); END;
CREATE TRIGGER sections_au AFTER UPDATE OF title, heading, ids, terms, text, stems ON sections BEGIN INSERT INTO sections_fts(sections_fts, rowid, title, heading, ids, terms, text, stems) VALUES ('delete', old.id, old.title, old.heading, old.ids, old.terms, old.text, old.stems); INSERT INTO words_fts(words_fts, rowid, title, heading, ids, text) VALUES ('delete', old.id, old.title, old.heading, old.ids, old.text); INSERT INTO sections_fts(rowid, title, heading, ids, terms, text, stems) VALUES (new.id, new.title, new.heading, new.ids, new.terms, new.text, new.stems); INSERT INTO words_fts(rowid, title, heading, ids, text) VALUES (new.id, new.title, new.heading, new.ids, new.text); END;
INSERT INTO sections_fts(sections_fts, rank) VALUES ('rank', 'bm25(2.0, 5.0, 3.0, 3.0, 1.0, 0.5)');
PRAGMA application_id = 1668446060;
PRAGMA user_version = 4;
