// spider-rs, as contenders.py runs it: crawls a site, and writes each HTML page to standard output, as a line of JSON
// with its URL and its number of bytes, and the bytes.
const fs = require("node:fs");
const { Website } = require("@spider-rs/spider-rs");

const QUIET = 500; // milliseconds without a page, after which no late one comes any more

async function main(seed) {
  let received = 0;
  let last = Date.now();
  const website = new Website(seed, true).withRespectRobotsTxt(true).build();
  await website.crawl((error, page) => {
    received += 1;
    last = Date.now();
    if (error || page.statusCode !== 200 || !/html/.test(page.headers?.["content-type"] ?? "html")) return;
    write(Buffer.from(`${JSON.stringify([page.url, page.rawContent.length])}\n`));
    write(page.rawContent);
  });
  // The crawl is over before its last pages were handed over.
  while (received < website.size && Date.now() - last < QUIET) await new Promise((done) => setTimeout(done, 5));
  process.exit(0); // it would not end by itself
}

function write(bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at);
}

main(process.argv[2]);
