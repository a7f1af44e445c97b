// SPDX-License-Identifier: Apache-2.0
// What the tests of the status page and of the HTML report have in common: the browser, what a page must keep however it
// looks, and running one test after the other. A test ends with 77 (skipped) where chromium or the node modules are missing.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

const SKIPPED = 77;

export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(SKIPPED);
}

const chromiumPath = ["/usr/bin/chromium", "/usr/bin/chromium-headless-shell"].find(existsSync);
if (!chromiumPath) skip("there is no chromium");
let chromium;
try {
  ({ chromium } = await import("playwright-core"));
} catch {
  skip("there are no node modules: run npm ci in tests/browser");
}

// Its profile lies in `folder`.
export async function launch(folder) {
  const context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: chromiumPath, headless: true, timezoneId: "Asia/Kolkata",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  return context.browser();
}

// ---- what runs in a page ----

// Texts that stick out of the card they stand in.
export function textsOutsideOfTheirCards() {
  const out = [];
  for (const card of document.querySelectorAll(".card, .now, .top")) {
    const box = card.getBoundingClientRect();
    for (const e of card.querySelectorAll("p, li, h1, h2, h3, dd, button, summary, svg, .name, .tag")) {
      if (e.closest(".scroll") || e.ownerSVGElement) continue; // can be scrolled to; cut off by its drawing
      const r = e.getBoundingClientRect();
      if (r.width > 1 && (r.left < box.left - 1 || r.right > box.right + 1)) out.push(`${card.id}: ${e.tagName}.${e.className} ${r.left}-${r.right}`);
    }
  }
  return out.slice(0, 5);
}

// What a screen reader would have no name for, and ids that are there twice.
export function unnamed() {
  const out = [];
  const text = (e) => (e.getAttribute("aria-label") || e.textContent).trim();
  for (const e of document.querySelectorAll("button, a, summary, h1, h2, h3, label, caption, th"))
    if (!e.closest("dialog") && text(e) === "") out.push(`${e.tagName} without a name`);
  for (const e of document.querySelectorAll("svg"))
    if (e.ownerSVGElement === null && e.getAttribute("aria-hidden") !== "true" && !(e.getAttribute("role") === "img" && (e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")))) out.push("svg without a name");
  for (const e of document.querySelectorAll("input"))
    if (!e.labels || e.labels.length === 0) out.push(`input ${e.id} without a label`);
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (e.getAttribute("aria-labelledby") || e.getAttribute("aria-describedby")).split(" "))
      if (!document.getElementById(id)) out.push(`no ${id}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return out.concat(ids.filter((id, i) => ids.indexOf(id) !== i));
}

// Texts whose colour is too near to what is behind them: WCAG AA, 4.5, or 3 for large ones.
export function poorContrast() {
  const parse = (c) => {
    const m = c.match(/[\d.]+/g).map(Number);
    return { r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1 };
  };
  const channel = (x) => (x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * channel(c.r) + 0.7152 * channel(c.g) + 0.0722 * channel(c.b);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a === 1) return c;
      if (c.a > 0) return null; // half see-through: not judged
    }
    return parse("rgb(255, 255, 255)");
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (node.textContent.trim() === "" || !e.checkVisibility() || e.closest(".unseen, .skip, dialog, script, noscript")) continue;
    const style = getComputedStyle(e), back = behind(e);
    if (!back) continue;
    const a = light(parse(style.color)), b = light(back);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.add(`${e.tagName}.${e.className}: ${ratio.toFixed(2)}`);
  }
  return [...poor];
}

// ---- one test after the other ----

// Only those whose name holds the first argument, where there is one. Returns how many failed.
export async function runAll(tests, complaints) {
  let failed = 0, passed = 0;
  const began = Date.now();
  for (const [name, run] of Object.entries(tests)) {
    if (process.argv[2] && !name.includes(process.argv[2])) continue;
    complaints.length = 0;
    const since = Date.now();
    try {
      await run();
      assert.deepEqual(complaints, []);
      passed++;
      console.log(`ok ${name} (${Date.now() - since} ms)`);
    } catch (e) {
      failed++;
      console.log(`FAILED ${name}: ${e.message.slice(0, 2000)}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed in ${Math.round((Date.now() - began) / 1000)} s`);
  return failed;
}
