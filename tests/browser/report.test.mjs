// SPDX-License-Identifier: Apache-2.0
// The HTML report in a real browser, of the recorded clusters and of hostile names, opened as a file is. Ends with 77
// (skipped) where chromium or the node modules are missing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, poorContrast, runAll, skip, textsOutsideOfTheirCards, unnamed } from "./looks.mjs";

if (!process.env.EVENKEEL) skip("EVENKEEL is not set");

const folder = mkdtempSync(join(tmpdir(), "evenkeel-report-"));
const data = (state) => new URL(`../data/real-4.2/${state}/snapshot.json`, import.meta.url).pathname;
const MARKUP = "<script>alert(1)</script>";

// ---- the reports ----

// Everything that has a name gets a bad one; the bounds and the rest stay.
function hostileSnapshot() {
  const names = {
    "shop.users": `shop.${MARKUP}<img src=x onerror=alert(2)>`, "shop.carts": "shop.\u202eright-to-left\u2066",
    "telemetry.events": `telemetry.${"very-long-".repeat(20)}`, "telemetry.logs": "telemetry.\u001b[31mred\u0007",
    shard0: `"><script>alert(3)</script>`, shard2: "shard2-with-a-name-that-goes-on-and-on-and-on-without-a-single-space",
    ARCHIVE: "</style><script>alert(4)</script>", EU: "javascript:alert(5)",
  };
  const rename = (x) => {
    if (typeof x === "string") return names[x] ?? x;
    if (Array.isArray(x)) return x.map(rename);
    if (x === null || typeof x !== "object") return x;
    return Object.fromEntries(Object.entries(x).map(([key, value]) => [names[key] ?? key, rename(value)]));
  };
  const path = join(folder, "hostile.json");
  writeFileSync(path, JSON.stringify(rename(JSON.parse(readFileSync(data("imbalanced"), "utf8")))));
  return path;
}

// 40 shards and 30 collections of one database, uneven: what many rows look like, and grouped migrations.
function wideSnapshot() {
  const shards = Array.from({ length: 40 }, (_, i) => ({ _id: `rs-region${i % 4}-node${i}`, tags: [`region${i % 4}`] }));
  const collections = [], chunks = [], tags = [];
  for (let c = 0; c < 30; c++) {
    const ns = `shop.collection${c}`;
    collections.push({ _id: ns, key: { k: 1 }, lastmodEpoch: { $oid: "6b00c3e850c750591077e23d" } });
    const bound = (i) => ({ k: i === 0 ? { $minKey: 1 } : i === 60 ? { $maxKey: 1 } : i * 100 });
    for (let i = 0; i < 60; i++)
      chunks.push({ ns, min: bound(i), max: bound(i + 1), shard: shards[(i * i * (c + 1)) % 7]._id, lastmod: { $timestamp: { t: 1, i } } });
    if (c % 3 === 0)
      for (let z = 0; z < 4; z++) tags.push({ ns, min: bound(z * 15), max: bound(z * 15 + 10), tag: `region${z}` });
  }
  const path = join(folder, "wide.json");
  writeFileSync(path, JSON.stringify({ evenkeelSnapshot: 1, serverVersion: "6.0.1", shards, collections, chunks, tags }));
  return path;
}

const sources = { imbalanced: data("imbalanced"), "after-moves": data("after-moves"), draining: data("draining"), balanced: data("balanced"), hostile: hostileSnapshot(), wide: wideSnapshot() };
const urls = {};
for (const [name, snapshot] of Object.entries(sources)) {
  const file = join(folder, `${name}.html`);
  execFileSync(process.env.EVENKEEL, ["plan", "--snapshot", snapshot, "--until-balanced", "--format", "html", "-o", file]);
  urls[name] = pathToFileURL(file).href;
}

const browser = await launch(folder);
const complaints = [];

async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (m) => complaints.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(`script: ${e.message}`));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (r.url() !== urls[name]) complaints.push(`loads ${r.url()}`); });
  await page.goto(urls[name]);
  return page;
}

const close = (page) => page.context().close();
const openAll = (page) => page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

// ---- tests ----

const tests = {
  async "every report fits every screen, without sideways scrolling"() {
    for (const name of Object.keys(urls)) {
      const page = await open(name);
      await openAll(page);
      for (const width of [320, 390, 768, 1280, 1920]) {
        await page.setViewportSize({ width, height: 900 });
        const found = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(found <= width, `${name}: ${found} pixels wide at ${width}`);
        assert.deepEqual(await page.evaluate(textsOutsideOfTheirCards), [], `${name} at ${width}`);
      }
      await close(page);
    }
  },

  async "every text has contrast, light, dark, and on paper"() {
    for (const name of ["imbalanced", "draining", "balanced", "hostile", "wide"])
      for (const options of [{ colorScheme: "light" }, { colorScheme: "dark" }, { colorScheme: "dark", media: "print" }]) {
        const page = await open(name, { colorScheme: options.colorScheme });
        if (options.media) await page.emulateMedia({ media: options.media, colorScheme: "light" });
        await openAll(page);
        assert.deepEqual(await page.evaluate(poorContrast), [], `${name} ${JSON.stringify(options)}`);
        await close(page);
      }
  },

  async "landmarks, headings and names for those who do not see it"() {
    for (const name of Object.keys(urls)) {
      const page = await open(name);
      for (const role of ["banner", "main", "contentinfo", "navigation"])
        assert.equal(await page.getByRole(role).count(), 1, `${name}: ${role}`);
      assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
      assert.deepEqual(await page.evaluate(unnamed), [], name);
      const levels = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3")].map((h) => Number(h.tagName[1])));
      assert.ok(levels.every((l, i) => i === 0 || l <= levels[i - 1] + 1), String(levels));
      await close(page);
    }
    const page = await open("draining");
    for (const region of ["Chunks per shard", "Collections", "Schedule", "Migrations", "What this rests on"])
      assert.equal(await page.getByRole("region", { name: region, exact: true }).count(), 1, region);
    assert.equal(await page.getByRole("img", { name: "Schedule of the migrations by shard" }).count(), 1);
    assert.ok(await page.getByRole("img", { name: "Key space of shop.users" }).count() === 1);
    await close(page);
  },

  async "hostile names are shown as text"() {
    const page = await open("hostile");
    await openAll(page);
    const text = await page.textContent("body");
    for (const part of [MARKUP, `"><script>alert(3)</script>`, "</style><script>alert(4)</script>", "\\u{202E}right-to-left", "\\x1B[31mred"])
      assert.ok(text.includes(part), part);
    assert.equal(await page.locator("script").count(), 1);
    assert.equal(await page.locator("img").count(), 0);
    await close(page);
  },

  async "without JavaScript all is there, but for the sorting"() {
    const page = await open("draining", { javaScriptEnabled: false });
    assert.equal(await page.locator("th button").count(), 0);
    assert.ok(await page.locator("#c0 .map svg").first().isVisible());
    const folded = page.locator("details.part:not([open])").first();
    assert.equal(await folded.locator("table").isVisible(), false);
    await folded.locator("summary").first().click();
    assert.equal(await page.locator("details.part").nth(4).locator("table").isVisible(), true);
    assert.equal(await page.locator("#moves tbody tr").count(), 57);
    await close(page);
  },

  async "tables are sorted by their headings, with the keyboard too"() {
    const page = await open("draining");
    const column = (n) => page.locator(`#moves tbody tr td:nth-child(${n})`).allTextContents();
    const head = page.locator("#moves th", { hasText: "Data" });
    await head.getByRole("button").focus();
    await page.keyboard.press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    const bytes = await page.locator("#moves tbody td[data-v]:nth-child(7)").evaluateAll((cells) => cells.map((c) => Number(c.dataset.v)));
    assert.equal(bytes.length, 57);
    assert.ok(bytes.every((b, i) => i === 0 || b <= bytes[i - 1]), String(bytes));
    await page.keyboard.press("Enter");
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    await page.locator("#moves th", { hasText: "From" }).getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), null);
    const from = await column(5);
    assert.deepEqual(from, [...from].sort());
    await page.locator("#moves th", { hasText: "#" }).getByRole("button").click();
    assert.equal((await column(1))[0], "57");
    await close(page);
  },

  async "the keyboard reaches everything, and what has the focus shows it"() {
    const page = await open("draining");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.closest("details, section, nav, body").id || document.activeElement.tagName));
      const outline = await page.evaluate(() => document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none");
      assert.ok(outline, "what has the focus shows it");
    }
    for (const id of ["A", "shards", "collections", "c0", "c1"]) assert.ok(reached.has(id), `${id} of ${[...reached]}`);
    await close(page);
  },

  async "on paper nothing of a collection is folded away"() {
    const page = await open("draining");
    assert.ok(await page.locator("details.part:not([open])").count() > 0);
    await page.emulateMedia({ media: "print" });
    for (const table of await page.locator("details.part table").all()) assert.ok(await table.isVisible());
    assert.equal(await page.locator("nav").isVisible(), false);
    const paper = await page.pdf({ format: "A4" });
    assert.ok(paper.length > 20000, `${paper.length} bytes`);
    await close(page);
  },

  async "the policy lets nothing else run"() {
    const page = await open("balanced");
    await page.evaluate(() => {
      window.broken = [];
      addEventListener("securitypolicyviolation", (e) => window.broken.push(e.violatedDirective));
      const script = document.createElement("script");
      script.textContent = "window.inline = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", `<img src="https://example.invalid/x.png" alt=""><p style="color: red">x</p>`);
    });
    await page.waitForFunction(() => window.broken.length >= 3);
    assert.deepEqual((await page.evaluate(() => window.broken)).sort(), ["img-src", "script-src-elem", "style-src-attr"]);
    assert.equal(await page.evaluate(() => window.inline), undefined);
    complaints.length = 0;
    await close(page);
  },
};

const failed = await runAll(tests, complaints);
await browser.close();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
process.exit(failed === 0 ? 0 : 1);
