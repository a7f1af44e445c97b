// SPDX-License-Identifier: Apache-2.0
// Keeps the page live. Every two seconds the status is asked for; when it says something new, the page is fetched again
// and what differs is put in place, so that focus, scrolling and opened parts stay. The server alone makes markup and
// escapes names; nothing here does more than move its elements or set text.
"use strict";

(() => {
  const POLL_MS = 2000;
  const PATIENCE_MS = 8000;
  const TOKEN_KEY = "evenkeel.token";
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const $ = (id) => document.getElementById(id);

  let lastAnswer = 0; // by performance.now()
  let lastState = null;
  let lastKey = null;
  let clockSkew = 0; // reader's clock less the server's, in ms
  let timer = 0;
  let busy = false;

  // ---- times ----

  const two = (n) => String(n).padStart(2, "0");

  function about(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }

  function ago(ms, now) {
    const seconds = Math.trunc((ms - now) / 1000);
    if (seconds === 0) return "now";
    return seconds > 0 ? `in ${about(seconds)}` : `${about(-seconds)} ago`;
  }

  function clock(ms, now) {
    const t = new Date(ms);
    const today = new Date(now);
    const time = `${two(t.getHours())}:${two(t.getMinutes())}`;
    if (t.toDateString() === today.toDateString()) return time;
    const day = `${t.getDate()} ${MONTHS[t.getMonth()]}`;
    return t.getFullYear() === today.getFullYear() ? `${day} ${time}` : `${day} ${t.getFullYear()} ${time}`;
  }

  // In the reader's own time zone; the server's UTC stays in the title.
  function showTimes(root) {
    const now = Date.now() - clockSkew;
    for (const element of root.querySelectorAll("time[data-as]")) {
      const ms = Date.parse(element.dateTime);
      if (Number.isNaN(ms)) continue;
      const text = element.dataset.as === "ago" ? ago(ms, now) : clock(ms, now);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // ---- putting a newer page in the place of this one ----

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function copyAttributes(from, to) {
    for (const { name } of [...to.attributes])
      if (!from.hasAttribute(name) && name !== "open") to.removeAttribute(name);
    for (const { name, value } of from.attributes)
      if (to.getAttribute(name) !== value) to.setAttribute(name, value);
  }

  function morph(to, from) {
    if (to.nodeType !== Node.ELEMENT_NODE) {
      if (to.nodeValue !== from.nodeValue) to.nodeValue = from.nodeValue;
      return;
    }
    copyAttributes(from, to);
    let at = to.firstChild;
    for (const wanted of [...from.childNodes]) {
      let match = at;
      if (keyOf(wanted) !== "") while (match && !alike(match, wanted)) match = match.nextSibling;
      if (match && alike(match, wanted)) {
        if (match !== at) to.insertBefore(match, at);
        else at = at.nextSibling;
        morph(match, wanted);
      } else {
        to.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function take(page) {
    showTimes(page);
    for (const id of ["main", "of", "version"]) morph($(id), page.getElementById(id));
    $("icon").href = page.getElementById("icon").getAttribute("href");
    document.title = page.title;
    const state = $("state").textContent;
    if (lastState !== null && state !== lastState) $("say").textContent = state;
    lastState = state;
  }

  // ---- asking the service ----

  async function ask(path, options) {
    const answer = await fetch(path, {
      cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS), ...options,
    });
    return answer;
  }

  // What of a status makes the page look different: all but the time, the process and the counters.
  function keyOfStatus(status) {
    const { at, process, counters, ...rest } = status;
    const moving = status.migrations.length > 0 ? at : "";
    return JSON.stringify([moving, rest]);
  }

  async function poll() {
    if (busy) return;
    busy = true;
    clearTimeout(timer);
    try {
      const answer = await ask("/api/v1/status");
      if (!answer.ok) throw new Error(String(answer.status));
      const status = await answer.json();
      clockSkew = Date.now() - Date.parse(status.at);
      if (Math.abs(clockSkew) < 5000) clockSkew = 0;
      const key = keyOfStatus(status);
      if (key !== lastKey) {
        const page = await ask("/");
        if (!page.ok) throw new Error(String(page.status));
        take(new DOMParser().parseFromString(await page.text(), "text/html"));
        lastKey = key;
      }
      lastAnswer = performance.now();
    } catch {
      // The service is away, or too slow: showFreshness() says so, and it is asked again.
    }
    busy = false;
    showFreshness();
    timer = setTimeout(poll, POLL_MS);
  }

  function showFreshness() {
    const silent = Math.round((performance.now() - lastAnswer) / 1000);
    const off = silent > 7;
    const live = $("live");
    if (off !== live.classList.contains("off")) {
      live.classList.toggle("off", off);
      $("say").textContent = off ? "The service does not answer" : "The service answers again";
    }
    live.classList.toggle("on", !off);
    document.documentElement.classList.toggle("stale", off);
    $("live-text").textContent = off ? `no answer for ${about(silent)}` : "live";
  }

  // ---- the buttons ----

  const questions = {
    round: { title: "Run a round now?", text: "The cluster is read and planned for, and what should move is moved.", go: "Run a round", done: "The round is asked for." },
    pause: { title: "Pause balancing?", text: "What is under way is finished; nothing new starts until someone resumes.", go: "Pause", done: "Paused." },
    resume: { title: "Resume balancing?", text: "Migrations may start again.", go: "Resume", done: "Resumed." },
  };
  let asked = null;

  function openQuestion(which) {
    const q = questions[which];
    asked = which;
    $("ask-title").textContent = q.title;
    $("ask-text").textContent = q.text;
    $("ask-go").textContent = q.go;
    $("ask-options").hidden = which !== "round";
    $("ask-window").checked = $("ask-dry").checked = false;
    $("ask-reason").value = "";
    $("ask-error").textContent = "";
    showTokenField(sessionStorage.getItem(TOKEN_KEY) === null);
    $("ask").showModal();
  }

  function showTokenField(yes) {
    $("ask-token-field").hidden = !yes;
    $("ask-token").value = "";
  }

  function bodyOf(which) {
    const body = {};
    const reason = $("ask-reason").value.trim();
    if (reason !== "") body.reason = reason;
    if (which === "round") Object.assign(body, { ignoreWindow: $("ask-window").checked, dryRun: $("ask-dry").checked });
    return JSON.stringify(body);
  }

  async function messageOf(answer) {
    try {
      return (await answer.json()).error.message;
    } catch {
      return `the service answered ${answer.status}`;
    }
  }

  async function carryOut() {
    const typed = $("ask-token").value.trim();
    const token = typed !== "" ? typed : sessionStorage.getItem(TOKEN_KEY);
    if (token === null || token === "") {
      showTokenField(true);
      $("ask-error").textContent = "Please enter the token.";
      $("ask-token").focus();
      return;
    }
    if (!/^[\x21-\x7e]+$/.test(token)) {
      $("ask-error").textContent = "A token has visible ASCII characters only.";
      return;
    }
    const answer = await ask(`/api/v1/${asked}`, {
      method: "POST", headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, body: bodyOf(asked),
    });
    if (answer.ok) {
      sessionStorage.setItem(TOKEN_KEY, token);
      $("ask").close();
      toast(questions[asked].done);
      lastKey = null;
      poll();
      return;
    }
    if (answer.status === 401) {
      sessionStorage.removeItem(TOKEN_KEY);
      showTokenField(true);
      $("ask-token").focus();
    }
    const message = await messageOf(answer);
    $("ask-error").textContent = message.charAt(0).toUpperCase() + message.slice(1) + ".";
  }

  let toastTimer = 0;
  function toast(text) {
    $("toast").textContent = text;
    $("toast").hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { $("toast").hidden = true; }, 4000);
  }

  async function submitted(event) {
    event.preventDefault();
    $("ask-go").disabled = true;
    $("ask-error").textContent = "";
    try {
      await carryOut();
    } catch {
      $("ask-error").textContent = "The service does not answer.";
    }
    $("ask-go").disabled = false;
  }

  // ---- start ----

  document.documentElement.classList.add("live-page");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-ask]");
    if (button) openQuestion(button.dataset.ask);
  });
  $("ask-form").addEventListener("submit", submitted);
  $("ask-cancel").addEventListener("click", () => $("ask").close());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  lastAnswer = performance.now();
  lastState = $("state").textContent;
  showTimes(document);
  showFreshness();
  setInterval(() => { showTimes(document); showFreshness(); }, 1000);
  poll();
})();
