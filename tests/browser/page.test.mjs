// SPDX-License-Identifier: Apache-2.0
// The status page in a real browser, served by page_server through the real HTTP door. Ends with 77 (skipped) where
// chromium or the node modules are missing.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launch, poorContrast, runAll, skip, textsOutsideOfTheirCards, unnamed } from "./looks.mjs";

const TOKEN = "browser-token-0123456789";
const SCENES = ["moving", "balanced", "empty", "unreachable", "paused", "held", "standby", "planning", "stopping", "many", "hostile"];
const MARKUP = "<script>alert(1)</script>";

if (!process.env.EVENKEEL_PAGE_SERVER) skip("EVENKEEL_PAGE_SERVER is not set");

// ---- the two sides ----

const folder = mkdtempSync(join(tmpdir(), "evenkeel-browser-"));
const tokenFile = join(folder, "token");
writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });

function serve(args) {
  const child = spawn(process.env.EVENKEEL_PAGE_SERVER, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = async (order) => {
    child.stdin.write(`${order}\n`);
    return (await lines.next()).value;
  };
  return { child, lines, say };
}

const server = serve(["moving", tokenFile]);
const port = (await server.lines.next()).value;
const origin = `http://127.0.0.1:${port}`;
const browser = await launch(folder);

// Every page is watched: nothing on the console, nothing that leaves the origin.
const complaints = [];
async function watch(page, allowed, home) {
  page.on("console", (m) => {
    if (["error", "warning"].includes(m.type()) && !allowed.some((a) => m.text().includes(a))) complaints.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => complaints.push(`script: ${e.message}`));
  await page.exposeFunction("violated", (what) => complaints.push(`policy: ${what}`));
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (e) => window.violated(`${e.violatedDirective} ${e.blockedURI}`)));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => {
    if (!r.url().startsWith(`${home}/`) && !r.url().startsWith("data:image/svg+xml,")) complaints.push(`left the origin: ${r.url()}`);
  });
}

async function open(options = {}, allowed = [], home = origin) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Asia/Kolkata", ...options });
  const page = await context.newPage();
  await watch(page, allowed, home);
  await page.goto(`${home}/`);
  if (options.javaScriptEnabled !== false) await page.waitForFunction(() => document.getElementById("live").classList.contains("on"));
  return page;
}

async function close(page) {
  await page.context().close();
}

// ---- tests ----

const tests = {
  async "every scene fits every screen, without sideways scrolling"() {
    const page = await open();
    for (const [width, height] of [[320, 640], [390, 844], [1024, 768], [1920, 1080], [3840, 2160]]) {
      await page.setViewportSize({ width, height });
      for (const scene of SCENES) {
        await server.say(`scene ${scene}`);
        await page.reload();
        await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
        const found = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(found <= width, `${scene}: ${found} pixels wide at ${width}`);
        const outside = await page.evaluate(textsOutsideOfTheirCards);
        assert.deepEqual(outside, [], `${scene} at ${width}`);
      }
    }
    await close(page);
  },

  async "a wall screen is read from afar"() {
    await server.say("scene moving");
    const page = await open({ viewport: { width: 3840, height: 2160 } });
    const sizes = await page.evaluate(() => [".lead", ".card .meta", "h1"].map((q) => parseFloat(getComputedStyle(document.querySelector(q)).fontSize)));
    assert.ok(sizes[0] >= 30 && sizes[1] >= 24 && sizes[2] >= 60, String(sizes));
    for (const id of ["now", "moves", "imbalance", "shards", "zones", "blocked"]) {
      const top = await page.evaluate((name) => document.getElementById(name).getBoundingClientRect().top, id);
      assert.ok(top < 2160 * 0.8, `${id} begins at ${top}`);
    }
    await close(page);
  },

  async "light and dark follow the reader"() {
    const background = async (colorScheme) => {
      const page = await open({ colorScheme });
      const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await close(page);
      return color.match(/\d+/g).reduce((sum, x) => sum + Number(x), 0) / 3;
    };
    assert.ok((await background("light")) > 200);
    assert.ok((await background("dark")) < 50);
  },

  async "landmarks, headings and names for those who do not see it"() {
    for (const scene of ["moving", "hostile", "empty"]) {
      await server.say(`scene ${scene}`);
      const page = await open();
      for (const role of ["banner", "main", "contentinfo", "navigation"])
        assert.equal(await page.getByRole(role).count(), 1, `${scene}: ${role}`);
      assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1);
      for (const name of ["Under way", "Last rounds", "Imbalance over time", "Collections", "Zones over the key space", "Blocked"])
        assert.equal(await page.getByRole("region", { name, exact: true }).count(), 1, `${scene}: ${name}`);
      assert.deepEqual(await page.evaluate(unnamed), [], scene);
      assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
      await close(page);
    }
  },

  async "every text has contrast, light and dark"() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ colorScheme });
      for (const scene of ["moving", "held", "unreachable", "balanced", "empty", "hostile"]) {
        await server.say(`scene ${scene}`);
        await page.reload();
        await page.waitForFunction(() => document.getElementById("live").classList.contains("on"));
        const poor = await page.evaluate(poorContrast);
        assert.deepEqual(poor, [], `${scene}, ${colorScheme}`);
      }
      await close(page);
    }
  },

  async "all is there without JavaScript, and is loaded anew by itself"() {
    await server.say("scene moving");
    const page = await open({ javaScriptEnabled: false });
    const text = await page.textContent("main");
    for (const words of ["Moving data", "rs-eu-1", "shop.orders", "41 of 128 steps done", "eu-central", "marked jumbo", "24.1"])
      assert.ok(text.includes(words), words);
    const html = await (await fetch(`${origin}/`)).text();
    assert.match(html, /<noscript><meta http-equiv="refresh" content="\d+"><\/noscript>/);
    assert.equal(await page.locator(".actions").first().isVisible(), false, "buttons need the script");
    assert.ok((await page.textContent("#live")).includes("UTC"));
    await close(page);
  },

  async "with and without JavaScript it says the same"() {
    await server.say("scene moving");
    const plain = await open({ javaScriptEnabled: false });
    const live = await open();
    const words = async (page) => (await page.textContent("#shards")) + (await page.textContent("#collections")) + (await page.textContent("#zones"));
    assert.equal(await words(live), await words(plain));
    await close(plain);
    await close(live);
  },

  async "hostile names are shown as text"() {
    await server.say("scene hostile");
    const page = await open();
    for (const section of ["#of", "#now", "#moves", "#shards", "#collections", "#zones", "#blocked", "#rounds"])
      assert.ok((await page.textContent(section)).includes(MARKUP), section);
    assert.ok((await page.textContent("#shards")).includes("safe\\u{202E}gnp.exe"));
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.locator("script").count(), 1);
    assert.equal(await page.evaluate(() => /\u202e/.test(document.documentElement.outerHTML)), false);
    const wide = page.locator("#moves .name", { hasText: "wwwwwwwwww" }).first();
    const whole = (await wide.getAttribute("title")).length;
    assert.ok(whole >= 300 && whole < 1000, `${whole} characters of 1000`);
    assert.ok(await wide.evaluate((e) => e.scrollWidth > e.clientWidth && getComputedStyle(e).textOverflow === "ellipsis"));
    await close(page);
  },

  async "it follows the service, and keeps what was opened and focused"() {
    await server.say("scene moving");
    const page = await open();
    const polled = [];
    page.on("request", (r) => polled.push(new URL(r.url()).pathname));
    await page.locator("#collections summary").first().click();
    await page.locator("#zones summary").first().focus();
    await page.evaluate(() => { window.kept = document.querySelector("#collections details"); });
    await server.say("scene held");
    await page.waitForFunction(() => document.getElementById("state").textContent === "Held back");
    assert.equal(await page.title(), "Held back \u00b7 evenkeel");
    assert.equal(await page.textContent("#say"), "Held back");
    assert.ok((await page.textContent("#now")).includes("replicationLag"));
    assert.ok((await page.textContent("#moves")).includes("No migration is under way"));
    assert.ok(await page.evaluate(() => window.kept.isConnected && window.kept.open), "the opened collection");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
    await page.waitForResponse((r) => r.url().endsWith("/api/v1/status"));
    assert.ok(polled.includes("/api/v1/status"));
    const before = polled.filter((p) => p === "/").length;
    await page.waitForResponse((r) => r.url().endsWith("/api/v1/status"));
    assert.equal(polled.filter((p) => p === "/").length, before, "a page that says nothing new is not fetched");
    await server.say("scene balanced");
    await page.waitForFunction(() => document.getElementById("state").textContent === "In balance");
    await close(page);
  },

  async "after any change it looks as if it had been loaded anew"() {
    const page = await open();
    const fresh = await open();
    for (const scene of ["many", "hostile", "empty", "moving", "unreachable", "balanced"]) {
      await server.say(`scene ${scene}`);
      await fresh.reload();
      await fresh.waitForFunction(() => document.getElementById("live").classList.contains("on"));
      const want = await fresh.evaluate(shape);
      const deadline = Date.now() + 10000;
      while ((await page.evaluate(shape)) !== want && Date.now() < deadline) await page.waitForTimeout(50);
      assert.ok((await page.evaluate(shape)) === want, scene);
    }
    await close(page);
    await close(fresh);
  },

  async "times are the reader's"() {
    await server.say("scene moving");
    const page = await open();
    const finish = page.locator("#now .finish time").first();
    assert.equal(await finish.getAttribute("datetime"), "2026-11-21T03:50:05Z");
    // Without the day, once the service has told what time it is there.
    await page.waitForFunction(() => document.querySelector("#now .finish time").textContent === "09:20");
    assert.equal(await finish.getAttribute("title"), "2026-11-21T03:50:05Z");
    await close(page);
  },

  async "buttons ask for the token once, and do what they say"() {
    await server.say("scene moving");
    await server.say("asked");
    const page = await open({}, ["401"]);
    await page.getByRole("button", { name: "Pause" }).click();
    assert.ok(await page.getByRole("dialog", { name: "Pause balancing?" }).isVisible());
    await page.locator("#ask-go").click();
    assert.equal(await page.textContent("#ask-error"), "Please enter the token.");
    await page.fill("#ask-token", "not the token at all");
    await page.locator("#ask-go").click();
    await page.waitForFunction(() => document.getElementById("ask-error").textContent.includes("visible ASCII"));
    await page.fill("#ask-token", "not-the-token-at-all");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("ask-error").textContent.includes("not the one of http.tokenFile"));
    assert.equal(await server.say("asked"), "");
    await page.fill("#ask-reason", `maintenance ${MARKUP}`);
    await page.fill("#ask-token", TOKEN);
    await page.locator("#ask-go").click();
    await page.waitForFunction(() => !document.getElementById("ask").open);
    await page.getByRole("button", { name: "Resume" }).waitFor();
    assert.equal(await page.textContent("#state"), "Paused");
    assert.equal(await server.say("asked"), `pause by http 127.0.0.1: maintenance ${MARKUP}|`);
    await page.getByRole("button", { name: "Resume" }).click();
    assert.equal(await page.locator("#ask-token-field").isVisible(), false, "the token is known now");
    await page.locator("#ask-go").click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Run a round" }).click();
    await page.getByLabel("Only plan, move nothing").check();
    await page.locator("#ask-go").click();
    await page.waitForFunction(() => !document.getElementById("ask").open);
    assert.equal(await server.say("asked"), "resume by http 127.0.0.1: -|round dryRun by http 127.0.0.1: -|");
    assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
    await page.reload();
    assert.equal(await page.evaluate(() => sessionStorage.length), 1);
    await close(page);
    const other = await open();
    assert.equal(await other.evaluate(() => sessionStorage.length), 0, "another tab does not know it");
    await close(other);
  },

  async "a policy that is broken would be seen"() {
    const page = await open({}, ["Content Security Policy", "Refused to"]);
    await page.evaluate(() => {
      const image = new Image();
      image.src = "http://127.0.0.1:9/elsewhere.png";
      const script = document.createElement("script");
      script.textContent = "window.inline = true";
      document.body.append(script);
      document.body.setAttribute("onclick", "window.inline = true");
      document.body.click();
    });
    const deadline = Date.now() + 5000;
    const broken = () => complaints.filter((c) => c.startsWith("policy: ")).map((c) => c.split(" ")[1]).sort();
    while (broken().length < 3 && Date.now() < deadline) await page.waitForTimeout(20);
    assert.deepEqual(broken(), ["img-src", "script-src-attr", "script-src-elem"]);
    assert.equal(await page.evaluate(() => window.inline), undefined);
    complaints.length = 0;
    await close(page);
  },

  async "nothing is done without the token"() {
    await server.say("asked");
    for (const what of ["round", "pause", "resume"]) {
      const post = (headers) => fetch(`${origin}/api/v1/${what}`, { method: "POST", body: "{}", headers: { "Content-Type": "application/json", ...headers } });
      assert.equal((await post({})).status, 401);
      assert.equal((await post({ Authorization: `Bearer ${TOKEN}`, Origin: "http://elsewhere.example" })).status, 403);
    }
    assert.equal(await server.say("asked"), "");
  },

  async "it can be used with the keyboard alone"() {
    await server.say("scene moving");
    const page = await open();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Run a round");
    await page.keyboard.press("Enter");
    assert.ok(await page.locator("#ask").isVisible());
    assert.ok(await page.evaluate(() => document.getElementById("ask").contains(document.activeElement)));
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#ask").isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Run a round");
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.closest("section, footer, body").id || document.activeElement.tagName));
      const outline = await page.evaluate(() => document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none");
      assert.ok(outline, "what has the focus shows it");
    }
    for (const id of ["now", "collections", "zones", "rounds"]) assert.ok(reached.has(id), `${id} of ${[...reached]}`);
    await page.locator("#collections summary").first().focus();
    await page.keyboard.press("Enter");
    assert.ok(await page.locator("#collections details").first().evaluate((e) => e.open));
    await close(page);
  },

  async "without a token file there are no buttons"() {
    const readOnly = serve(["moving"]);
    const at = (await readOnly.lines.next()).value;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${at}/`);
    assert.equal(await page.locator("button[data-ask]").count(), 0);
    assert.ok((await page.textContent("#now")).includes("Read-only"));
    await context.close();
    readOnly.child.stdin.end();
  },

  async "it says when the service is gone, and when it is back"() {
    const page = await open({}, ["ERR_", "Failed to load resource"]);
    await page.clock.install();
    await page.reload();
    await page.waitForFunction(() => document.getElementById("live").classList.contains("on"));
    await page.route("**/*", (route) => route.abort());
    await page.clock.runFor(12000);
    await page.waitForFunction(() => document.getElementById("live").classList.contains("off"));
    assert.match(await page.textContent("#live"), /no answer for \d+ s/);
    assert.equal(await page.textContent("#say"), "The service does not answer");
    await page.unroute("**/*");
    await page.clock.runFor(4000);
    await page.waitForFunction(() => document.getElementById("live").classList.contains("on"));
    assert.equal(await page.textContent("#say"), "The service answers again");
    await close(page);
  },
};

// ---- the service itself, on a sandbox ----

const started = []; // so that none outlives a failed test

// Everything that a program wrote so far; `until` waits for a line that matches.
function start(args) {
  const child = spawn(process.env.EVENKEEL, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } });
  started.push(child);
  let text = "";
  const waiting = new Set();
  const check = () => waiting.forEach((w) => w());
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (d) => { text += d; check(); });
  const ended = new Promise((resolve) => child.on("close", (code) => { check(); resolve(code); }));
  const until = (pattern) => new Promise((resolve, reject) => {
    const patience = setTimeout(() => reject(new Error(`${args[0]} did not say ${pattern}: ${text.slice(-500)}`)), 30000);
    const look = () => {
      const found = text.match(pattern);
      if (!found) return;
      clearTimeout(patience);
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
  });
  return { child, until, ended };
}

if (process.env.EVENKEEL) {
  tests["the service balances the sandbox before one's eyes"] = async () => {
    const snapshot = new URL("../data/real-4.2/imbalanced/snapshot.json", import.meta.url).pathname;
    const sandbox = start(["sandbox", "--snapshot", snapshot, "--port", "0", "--latency", "20ms"]);
    const at = (await sandbox.until(/listening on (127\.0\.0\.1:\d+)/))[1];
    const config = join(folder, "evenkeel.yaml");
    writeFileSync(config, `cluster: {uri: "mongodb://${at}", builtinBalancer: stopAndRestore}
balancer: {interval: 1s, busyInterval: 10ms}
journal: {path: ${folder}/journal.db}
control: {socket: ${folder}/control.sock}
http: {listen: "127.0.0.1:0", tokenFile: ${tokenFile}}
`);
    const service = start(["run", "--config", config]);
    const own = `http://127.0.0.1:${(await service.until(/http\.listen .*address=127\.0\.0\.1:(\d+)/))[1]}`;
    const page = await open({}, [], own);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.fill("#ask-token", TOKEN);
    await page.fill("#ask-reason", "a look first");
    await page.locator("#ask-go").click();
    await page.getByRole("heading", { name: "Paused" }).waitFor();
    assert.ok((await page.textContent(".lead")).includes("a look first"));
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("#ask-go").click();
    await page.waitForFunction(() => /^(In balance|Idle)$/.test(document.getElementById("state").textContent) && document.querySelectorAll(".round").length > 3, null, { timeout: 60000 });
    assert.ok((await page.textContent("#rounds")).includes("the time promised"));
    assert.ok((await page.textContent("#shards")).includes("shard3"));
    const metrics = await (await fetch(`${own}/metrics`)).text();
    assert.match(metrics, /^evenkeel_forecast_migrations 0$/m);
    assert.match(metrics, /^evenkeel_migrations_total\{result="committed"\} [1-9]\d*$/m);
    const { rows } = await (await fetch(`${own}/api/v1/history?limit=5&state=committed`)).json();
    assert.equal(rows.length, 5);
    const { speed } = await (await fetch(`${own}/api/v1/status`)).json();
    assert.equal(speed.basis, "journal");
    await close(page);
    service.child.kill("SIGTERM");
    assert.equal(await service.ended, 0);
    sandbox.child.kill("SIGTERM");
    await sandbox.ended;
  };
}

// ---- what runs in the page ----

// The page's structure and words, times aside: they move on.
function shape() {
  const copy = document.getElementById("main").cloneNode(true);
  for (const t of copy.querySelectorAll("time")) t.textContent = "";
  for (const d of copy.querySelectorAll("details")) d.removeAttribute("open");
  return copy.innerHTML;
}

// ---- all of them, one after the other ----

const failed = await runAll(tests, complaints);
await browser.close();
server.child.stdin.end();
for (const child of started) child.kill("SIGKILL");
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
process.exit(failed === 0 ? 0 : 1);
