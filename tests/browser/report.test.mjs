// Tests report.html in headless Chromium: light and dark, narrow and wide, and printed. tests/suite tests its content.
// BUNDLES has the bundles' folders, separated by colons; CHROMIUM is the browser's path.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

// Hide pdf.js's warnings about a missing canvas: these tests read only text from PDFs.
const { log } = console;
console.log = () => {};
const { getDocument } = await import("pdfjs-dist/legacy/build/pdf.mjs");
console.log = log;

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const bundles = (process.env.BUNDLES ?? "").split(":").filter(Boolean);
assert.ok(bundles.length > 0, "BUNDLES is empty; expected folders of bundles, separated by colons");

let browser;
before(async () => {
  // Chromium's sandbox does not work for root (as in most containers).
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", chromiumSandbox: false });
});
after(() => browser?.close());

for (const bundle of bundles) {
  const url = pathToFileURL(resolve(bundle, "report.html")).href;

  /** Opens the report and collects console messages, errors and network requests. */
  const open = async (options, use) => {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const messages = [];
      page.on("console", (message) => messages.push(message.text()));
      page.on("pageerror", (error) => messages.push(String(error)));
      // Images of digits are data URLs, part of the page itself.
      page.on("request", (request) => {
        if (request.url() !== url && !request.url().startsWith("data:image/png;base64,")) messages.push(`request for ${request.url()}`);
      });
      await page.goto(url, { waitUntil: "load" });
      return await use(page, messages);
    } finally {
      await context.close();
    }
  };

  describe(basename(bundle), () => {
    for (const colorScheme of ["light", "dark"]) {
      test(`${colorScheme}: no console message, no network request, no axe violation`, () =>
        open({ colorScheme, viewport: { width: 1280, height: 900 } }, async (page, messages) => {
          assert.deepEqual(messages, []);
          // Run axe in an isolated world, because the page's content security policy forbids scripts.
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
          assert.ok(found.passes > 20, `axe checked only ${found.passes} rules`);
          assert.deepEqual(found.violations, []);
        }));
    }

    for (const width of [360, 400, 768, 1024, 1280, 1920]) {
      test(`${width} pixels wide: the page does not scroll sideways, figures are whole, and their labels have 12 pixels or more`, () =>
        open({ viewport: { width, height: 800 } }, async (page) => {
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          assert.ok(wide <= width, `the page is ${wide} pixels wide`);
          const figures = await page.evaluate(() => [...document.querySelectorAll("figure.picture:has(svg)")].map((figure) => ({
            id: figure.id,
            drawn: [...figure.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 0).map((svg) => {
              const [region, box] = [svg.closest(".scroll"), svg.getBoundingClientRect()];
              const sizes = [...svg.querySelectorAll("text")].map((text) => Number(text.getAttribute("font-size")));
              const beyond = [...svg.querySelectorAll("text")].map((text) => [text.textContent.trim(), text.getBoundingClientRect()])
                .filter(([, t]) => t.left < box.left - 2 || t.right > box.right + 2 || t.top < box.top - 2 || t.bottom > box.bottom + 2);
              return {
                cut: region.scrollWidth - region.clientWidth,
                label: Math.min(...sizes, 99) * box.width / svg.viewBox.baseVal.width,
                beyond: beyond.map(([words]) => words),
              };
            }),
          })));
          assert.ok(figures.length > 0);
          for (const { id, drawn } of figures) {
            assert.equal(drawn.length, 1, `${id} is drawn ${drawn.length} times`);
            assert.ok(drawn[0].cut <= 1, `${id} is cut by ${drawn[0].cut} pixels`);
            assert.ok(drawn[0].label >= 11.9, `${id} has labels of ${drawn[0].label} pixels`);
            assert.deepEqual(drawn[0].beyond, [], id);
          }
          // A table or a badge that is cut is in a region that scrolls, and says so.
          const cut = await page.evaluate(() => [...document.querySelectorAll("table, .badge, .verdict, .key-figures dd")]
            .filter((element) => !element.closest(".unseen") && !element.closest(".scroll[tabindex='0'][role='region']"))
            .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
            .map((element) => element.textContent.slice(0, 80)));
          assert.deepEqual(cut, []);
        }));
    }

    test("printed text has 10 points or more, that of tables 8.5, labels of figures 8, programs 7.5", () =>
      open({}, async (page) => {
        await page.emulateMedia({ media: "print" });
        const points = await page.evaluate(() => {
          const sizes = (selector) => [...document.querySelectorAll(selector)].filter((element) => !element.closest(".unseen"))
            .map((element) => parseFloat(getComputedStyle(element).fontSize) * 0.75);
          return {
            text: Math.min(...sizes("main > section:not([aria-labelledby='inputs'], [aria-labelledby='verify']) > p, .findings li, .found > p")),
            programs: Math.min(...sizes("pre.code, pre.code code"), 99),
            tables: Math.min(...sizes("td, th, table code, figcaption, dd, dt, .badge, .verdict .none"), 99),
          };
        });
        assert.ok(points.text >= 9.99, `text of ${points.text} points`);
        assert.ok(points.tables >= 8.49, `tables of ${points.tables} points`);
        assert.ok(points.programs >= 7.49, `programs of ${points.programs} points`);
        const labels = await page.evaluate(() => [...document.querySelectorAll("figure.picture svg")]
          .filter((svg) => svg.getBoundingClientRect().width > 0)
          .map((svg) => 12 * 0.75 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width));
        assert.ok(labels.length > 0 && Math.min(...labels) >= 8, `labels of ${Math.min(...labels)} points`);
      }));

    test("1280 pixels wide: every table and figure fits", () =>
      open({ viewport: { width: 1280, height: 800 } }, async (page) => {
        const cut = await page.evaluate(() => [...document.querySelectorAll(".scroll")]
          .filter((region) => region.clientWidth > 0 && region.scrollWidth > region.clientWidth + 1).map((region) => region.getAttribute("aria-label")));
        assert.deepEqual(cut, []);
      }));

    test("every figure is visible and has a name and a description", () =>
      open({ viewport: { width: 1280, height: 900 } }, async (page) => {
        const figures = await page.evaluate(() => [...document.querySelectorAll("figure svg")].filter((svg) => svg.checkVisibility()).map((svg) => {
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

    test("heading levels do not skip, and links have targets", () =>
      open({}, async (page) => {
        const outline = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3")].map((h) => Number(h.tagName[1])));
        assert.equal(outline.filter((level) => level === 1).length, 1);
        outline.slice(1).forEach((level, i) => assert.ok(level <= outline[i] + 1, `an h${level} after an h${outline[i]}`));
        // A link to the report in another language leads to a file beside this one.
        const others = await page.evaluate(() => [...document.querySelectorAll("a[hreflang]")].map((a) => a.getAttribute("href")));
        others.forEach((file) => assert.ok(existsSync(join(bundle, file)), file));
        const lost = await page.evaluate(() => [...document.querySelectorAll("a[href]:not([hreflang])")]
          .filter((a) => !document.getElementById(a.getAttribute("href").slice(1))).map((a) => a.outerHTML));
        assert.deepEqual(lost, []);
      }));

    test("no printed page is blank, and its text can be selected", () =>
      open({}, async (page) => {
        const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: false });
        const document = await getDocument({ data: new Uint8Array(pdf), verbosity: 0 }).promise;
        const pages = [];
        for (let i = 1; i <= document.numPages; i++) {
          const { items } = await (await document.getPage(i)).getTextContent();
          pages.push(items.map((item) => item.str).join(" ").replace(/\s+/g, " ").trim());
        }
        const { digests, title } = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
        const hasTitlePage = await page.evaluate(() => document.querySelector("dl.meta") !== null);
        pages.forEach((text, i) => {
          // A title page has the title and who wrote it.
          const least = hasTitlePage && i === 0 ? title.length + 20 : 150;
          assert.ok(text.length > least, `page ${i + 1} of ${pages.length} has only: ${text}`);
        });
        if (hasTitlePage) {
          const headings = await page.evaluate(() => [...document.querySelectorAll("section > h2")].map((h2) => h2.textContent));
          const missing = headings.filter((heading) => !pages[0].replaceAll(" ", "").includes(heading.replace(/\s/g, "")));
          assert.deepEqual(missing, [], "headings that are not in the contents of the title page");
        }
        const { runs } = JSON.parse(readFileSync(join(bundle, "results.json"), "utf8"));
        const limit = Number(process.env.PAGES ?? (Object.keys(runs).length > 6 ? 20 : 15));
        assert.ok(pages.length <= limit, `${pages.length} pages, expected at most ${limit}`);
        assert.match(pages.join(" "), /sha256sum -c SHA256SUMS/);
        if (basename(bundle).startsWith("coursework")) {
          // Neither a title page nor the programs count.
          await page.addStyleTag({ content: "section[aria-labelledby='code'] { display: none }" });
          const short = await getDocument({ data: new Uint8Array(await page.pdf({ preferCSSPageSize: true })), verbosity: 0 }).promise;
          const counted = short.numPages - (hasTitlePage ? 1 : 0);
          assert.ok(counted <= 9, `${counted} pages without the programs, expected at most 9`);
        }
        // A title page has nothing in its margins.
        pages.forEach((text, i) => {
          // pdf.js may return a word in parts.
          const joined = text.replaceAll(" ", "");
          const inMargins = [`${i + 1}/${pages.length}`, digests.measured];
          const expected = inMargins.map(() => !(hasTitlePage && i === 0));
          assert.deepEqual(inMargins.map((part) => joined.includes(part)), expected, `page ${i + 1}: number and digest`);
          // A ligature may split a word, too.
          assert.ok(joined.includes(title.replaceAll(" ", "")), `page ${i + 1} has no title`);
        });
      }));

    test("the page is below 1 MB and declares its language", () =>
      open({}, async (page) => {
        assert.ok(statSync(join(bundle, "report.html")).size < 1_000_000);
        const { languages } = JSON.parse(readFileSync(join(bundle, "manifest.json"), "utf8"));
        assert.equal(await page.evaluate(() => document.documentElement.lang), languages[0]);
      }));

    test("make pdf prints a tagged PDF with an outline, or explains how to print without Chromium", async () => {
      const folder = mkdtempSync(join(tmpdir(), "pdf-"));
      try {
        const file = join(folder, "a report #1.pdf");
        const script = resolve("../../scripts/pdf.sh");
        assert.equal(execFileSync(script, [bundle, file], { encoding: "utf8" }).trim(), file);
        const document = await getDocument({ data: new Uint8Array(readFileSync(file)), verbosity: 0 }).promise;
        assert.equal((await document.getMarkInfo())?.Marked, true);
        assert.ok((await document.getOutline()).length > 0);
        const env = { ...process.env, CHROMIUM: join(folder, "no browser") };
        const without = spawnSync(script, [bundle, join(folder, "none.pdf")], { env, encoding: "utf8" });
        assert.equal(without.status, 2);
        assert.match(without.stderr, /^error: no Chromium here: open .*report\.html in any browser and print it/);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}
