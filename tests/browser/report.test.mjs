// The report as a reader's browser shows it: bundles' report.html in headless Chromium, light and dark, narrow and wide,
// and printed. Bundles are named by BUNDLES (folders, parted by colons); the browser by CHROMIUM.
//
// Owns what only a browser can tell. What the page must say is tests/suite/report.rs's.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

// Only text is read from PDFs: what the library says of a missing canvas is kept out of the test's output.
const { log } = console;
console.log = () => {};
const { getDocument } = await import("pdfjs-dist/legacy/build/pdf.mjs");
console.log = log;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const bundles = (process.env.BUNDLES ?? "").split(":").filter(Boolean);
assert.ok(bundles.length > 0, "BUNDLES names no bundle");

let browser;
before(async () => {
  // As root, as in most containers, Chromium has no sandbox.
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", chromiumSandbox: false });
});
after(() => browser?.close());

for (const bundle of bundles) {
  const url = pathToFileURL(resolve(bundle, "report.html")).href;

  /** Opens the report; whatever the browser says or asks for is kept. */
  const open = async (options, use) => {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const said = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      // Pictures of digits are part of the page itself.
      page.on("request", (request) => {
        if (request.url() !== url && !request.url().startsWith("data:image/png;base64,")) said.push(`asks for ${request.url()}`);
      });
      await page.goto(url, { waitUntil: "load" });
      return await use(page, said);
    } finally {
      await context.close();
    }
  };

  describe(basename(bundle), () => {
    for (const colorScheme of ["light", "dark"]) {
      test(`${colorScheme}: nothing is said, nothing asked for, nothing in the way of anyone`, () =>
        open({ colorScheme, viewport: { width: 1280, height: 900 } }, async (page, said) => {
          assert.deepEqual(said, []);
          // In a world of its own, since the page's policy forbids scripts.
          const session = await page.context().newCDPSession(page);
          const { frameTree } = await session.send("Page.getFrameTree");
          const world = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
          const run = async (expression) => {
            const answer = await session.send("Runtime.evaluate", {
              contextId: world.executionContextId, expression, awaitPromise: true, returnByValue: true,
            });
            assert.equal(answer.exceptionDetails, undefined, JSON.stringify(answer.exceptionDetails));
            return answer.result.value;
          };
          await run(axe);
          const found = JSON.parse(await run(`axe.run().then((r) => JSON.stringify({
            passes: r.passes.length,
            violations: r.violations.map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map((n) => n.html).join(" ")),
          }))`));
          assert.ok(found.passes > 20, `axe looked at ${found.passes} rules`);
          assert.deepEqual(found.violations, []);
        }));
    }

    for (const width of [360, 768, 1280]) {
      test(`${width} pixels wide: the page does not scroll sideways`, () =>
        open({ viewport: { width, height: 800 } }, async (page) => {
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `the page is ${wide} pixels wide`);
        }));
    }

    test("every figure is seen, and has a name", () =>
      open({ viewport: { width: 1280, height: 900 } }, async (page) => {
        const figures = await page.evaluate(() => [...document.querySelectorAll("figure svg")].map((svg) => {
          const box = svg.getBoundingClientRect();
          const names = (svg.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
          return { name: names[0], described: names[1], width: box.width, height: box.height, role: svg.getAttribute("role") };
        }));
        assert.ok(figures.length > 0);
        for (const f of figures) {
          assert.ok(f.name && f.described && f.role === "img", JSON.stringify(f));
          assert.ok(f.width > 200 && f.height > 50, JSON.stringify(f));
        }
        const broken = await page.evaluate(() => [...document.querySelectorAll("svg image")].filter((i) => !i.getAttribute("href")).length);
        assert.equal(broken, 0);
      }));

    test("headings lead, and links arrive", () =>
      open({}, async (page) => {
        const outline = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3")].map((h) => Number(h.tagName[1])));
        assert.equal(outline.filter((level) => level === 1).length, 1);
        outline.slice(1).forEach((level, i) => assert.ok(level <= outline[i] + 1, `an h${level} after an h${outline[i]}`));
        const lost = await page.evaluate(() => [...document.querySelectorAll("a[href]")]
          .filter((a) => !document.getElementById(a.getAttribute("href").slice(1))).map((a) => a.outerHTML));
        assert.deepEqual(lost, []);
      }));

    test("printed, no page is blank, and the text can be selected", () =>
      open({}, async (page) => {
        const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: false });
        const document = await getDocument({ data: new Uint8Array(pdf), verbosity: 0 }).promise;
        const pages = [];
        for (let i = 1; i <= document.numPages; i++) {
          const { items } = await (await document.getPage(i)).getTextContent();
          pages.push(items.map((item) => item.str).join(" ").replace(/\s+/g, " ").trim());
        }
        pages.forEach((text, i) => assert.ok(text.length > 150, `page ${i + 1} of ${pages.length} holds: ${text}`));
        const limit = Number(process.env.PAGES ?? 15);
        assert.ok(pages.length <= limit, `${pages.length} pages, at most ${limit} are wanted`);
        assert.match(pages.join(" "), /sha256sum -c SHA256SUMS/);
        pages.forEach((text, i) => assert.ok(text.includes(`${i + 1} / ${pages.length}`), `page ${i + 1} has no number`));
        const { digests, title } = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
        pages.forEach((text, i) => {
          assert.ok(text.includes(digests.measured), `page ${i + 1} does not name the results`);
          assert.ok(text.includes(title), `page ${i + 1} has no title`);
        });
      }));

    test("the page is light, and says which language it speaks", () =>
      open({}, async (page) => {
        assert.ok(statSync(join(bundle, "report.html")).size < 1_000_000);
        const { language } = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
        assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      }));

    test("make pdf prints a tagged PDF with an outline, or says how to print without a browser", async () => {
      const folder = mkdtempSync(join(tmpdir(), "pdf-"));
      try {
        const file = join(folder, "a report #1.pdf");
        const script = resolve("../../scripts/pdf.sh");
        assert.equal(execFileSync(script, [bundle, file], { encoding: "utf8" }).trim(), file);
        const document = await getDocument({ data: new Uint8Array(readFileSync(file)), verbosity: 0 }).promise;
        assert.equal((await document.getMarkInfo())?.Marked, true);
        assert.ok((await document.getOutline()).length > 0);
        const env = { ...process.env, CHROMIUM: "/nonexistent" };
        const without = spawnSync(script, [bundle, join(folder, "none.pdf")], { env, encoding: "utf8" });
        assert.equal(without.status, 2);
        assert.match(without.stderr, /^error: no Chromium here: open .*report\.html in any browser and print it/);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}
