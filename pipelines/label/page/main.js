// Starts the page, asks the server what is new, and ties the parts together.

import { get, post, leave, why, Refused } from "./api.js";
import { store, on, tell, take, remembered, flush, answered, isSending, pending, nextOpen, points, undo, redo, isDone, same } from "./store.js";
import * as pictures from "./pictures.js";
import * as view from "./view.js";
import * as panels from "./panels.js";
import * as strip from "./strip.js";
import * as model from "./model.js";
import * as keys from "./keys.js";
import * as proofread from "./proofread.js";
import * as corrections from "./corrections.js";
import { abandon, dragging } from "./pointer.js";

const byId = (id) => document.getElementById(id);
const EVERY = 700; // milliseconds between two questions to the server

// ---- going to a frame

function go(frame) {
  if (!frame || proofread.isOpen()) return;
  strip.clear();
  const other = frame !== store.current;
  if (frame.key !== store.current?.key) abandon();
  store.current = frame;
  if (other && !(store.point && points().some((point) => same(point, store.point)))) store.point = null;
  if (other) store.point = nextOpen(frame, null) ?? store.point ?? points()[0];
  view.show(() => pictures.ofFrame(frame.key), frame.key, `${frame.folder} · ${frame.number === null ? frame.image : `frame ${frame.number}`}`);
  view.redrawPoints();
  panels.drawParts();
  const row = document.querySelector(".frame.on");
  row?.classList.remove("on");
  tell("changed", frame.key);
  document.querySelector(".frame.on")?.scrollIntoView({ block: "nearest" });
  model.drawSwap();
  clearTimeout(settled);
  settled = setTimeout(() => {
    strip.drawStrip();
    ahead(frame);
  }, 60);
  try {
    sessionStorage.setItem("frame", frame.key);
  } catch {
    // Only convenience.
  }
}
let settled = 0;

// Pictures that are likely to be seen next.
function ahead(frame) {
  const found = panels.listed();
  const place = found.indexOf(frame);
  const best = store.next.map((key) => store.byKey.get(key)).find((one) => one && one !== frame);
  for (const one of [found[place + 1], best, found[place - 1], found[place + 2]]) {
    if (one) pictures.ofFrame(one.key).catch(() => {});
  }
}

// ---- news of the server

let version = 0;
let lost = false;
let silence = ""; // what was said of it
let told = false;
let finished = null; // how the last run ended
let takenUp = 0;
let restarted = false; // the server: what is shown may be of other files
let noted = "";
let newest = ""; // as it was shown
let outdated = false; // the list, while predictions are shown

async function ask(taking = false) {
  let news;
  const [answers, busy] = [answered(), isSending()];
  try {
    news = await post("state", { version, frame: proofread.isOpen() ? "" : (store.current?.key ?? ""), take: taking });
  } catch (error) {
    if (!lost) notice((silence = error instanceof Refused ? error.message : "The server does not answer. Labels are kept here until it does."), true);
    lost = true;
    store.writing = store.writing && !(error instanceof Refused);
    return;
  }
  const back = lost;
  // A page that slept did not see that the server was away.
  if (pictures.since(news.pictures)) restarted = true;
  const { code } = store.project;
  const other = restarted || news.code !== code;
  // Suggestions of another start may be of other names, and are counted anew.
  if (other) version = 0;
  if (back || other) {
    lost = false;
    unsay(silence);
    outdated = true;
    await reload();
    if (store.project.code !== code) notice("`beampose label` was started again with other bodyparts or animals in config.yaml: this page shows these now.");
    if (!proofread.isOpen() && (restarted || (store.looking === null && !view.isCurrent()))) go(store.current);
    if (restarted) await proofread.refresh().catch(() => {});
    restarted = false;
  }
  const before = told ? store.writing : null;
  told = true;
  if (news.writing) unsay(store.why);
  [store.writing, store.why] = [news.writing, news.why];
  byId("take").hidden = news.writing || !news.why.startsWith("another page");
  if (before !== news.writing) {
    saving(news.writing ? "saved" : `${unsent()}Read-only: ${news.why}`, !news.writing);
    panels.drawParts();
    panels.drawTop();
    proofread.offer();
  }
  if (back && news.writing) saving("saved");
  if (finished !== news.run.code) proofread.offer();
  finished = news.run.code;
  if (news.writing && pending.size) flush();
  // What another page wrote meanwhile is not known here.
  if (before === false && news.writing) {
    outdated = true;
    await proofread.refresh();
  }
  if (news.taken_up !== takenUp) outdated = true;
  takenUp = news.taken_up;
  // What was changed while this page slept; while its own changes are on their way, it is told next.
  if (!busy && !isSending() && answers === answered()) {
    if (news.written !== store.written) outdated = true;
    store.written = news.written;
  }
  if (!proofread.isOpen() && (outdated || news.frames !== store.frames.length)) await reload();
  const text = news.notes.join("\n");
  if (text && text !== noted) {
    unsay(newest);
    notice((newest = news.notes.at(-1) + (news.notes.length > 1 ? ` (and ${news.notes.length - 1} more: see the terminal)` : "")));
  }
  noted = text;
  if (!other) takeNews(news);
  model.drawModel(news.model);
  model.drawRun(news.run);
}

function takeNews(news) {
  if (news.version < version) store.suggestions.clear();
  version = news.version;
  const found = Object.entries(news.suggestions ?? {});
  for (const [key, said] of found) store.suggestions.set(key, said);
  if (news.radius) store.radius = news.radius;
  if (news.next) store.next = news.next;
  if (news.doubts) {
    store.doubts = news.doubts;
    model.drawDoubts();
  }
  if (found.length || news.next || news.doubts) {
    view.redrawPoints();
    if (!proofread.isOpen()) tell("suggestions");
  }
}

async function reload() {
  if (proofread.isOpen()) {
    outdated = true;
    return;
  }
  let project, before;
  do {
    // What was saved while the server answered may be missing in its answer.
    before = answered();
    project = await get("project");
  } while (before !== answered());
  if (proofread.isOpen()) {
    outdated = true;
    return;
  }
  outdated = false;
  takenUp = project.taken_up;
  store.written = project.written;
  take(project);
  if (!store.current && store.frames.length) go(store.frames[0]);
  // Of other names none is chosen.
  if (store.current) store.point ??= nextOpen(store.current, null) ?? points()[0];
  panels.drawFrames();
  panels.drawParts();
  panels.drawTop();
  view.redrawPoints();
  tell("frames");
}

// ---- words for the person

// What a person has not put away yet: a newer sentence does not take an older one's place.
let notices = [];
const MOST_NOTICES = 5;

function notice(text, bad = false) {
  notices = [...notices.filter((one) => one.text !== text), { text, bad }];
  drawNotices();
}

function unsay(text) {
  notices = notices.filter((one) => one.text !== text);
  drawNotices();
}

function drawNotices() {
  const box = byId("notice");
  box.hidden = !notices.length;
  box.classList.toggle("bad", notices.some((one) => one.bad));
  const lines = notices.slice(-MOST_NOTICES).map((one) => one.text);
  if (notices.length > MOST_NOTICES) lines.unshift(`(${notices.length - MOST_NOTICES} earlier ones)`);
  const close = panels.make("button", { textContent: "✕", title: "Hide" });
  close.addEventListener("click", () => {
    notices = [];
    drawNotices();
  });
  box.replaceChildren(panels.make("span", { textContent: lines.join("\n") }), close);
}

function saving(what, bad = false) {
  if (what === "saved" && unsaved()) what = "saving";
  const text = { saved: "All saved", saving: "Saving …" }[what] ?? what;
  byId("saved").textContent = text;
  byId("saved").title = text;
  byId("saved").classList.toggle("bad", bad || what.startsWith("Not saved"));
}

const unsaved = () => pending.size + corrections.waiting();
const unsent = () => (unsaved() ? `${unsaved()} not saved yet · ` : "");

let hiding = 0;
function say(text) {
  byId("hint").textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => (byId("hint").textContent = ""), 3500);
}

// ---- wiring

on("go", go);
on("said", say);
on("refused", (text) => notice(text, true));
on("saving", (what) => saving(what));
on("stale", reload);
on("point", () => view.redrawPoints());
on("went", ({ frame, point }) => {
  const there = store.byKey.get(frame);
  if (there !== store.current) go(there);
  store.point = point;
  tell("point");
});
on("added", async (added) => {
  await taken(added);
  if (added.length) go(store.byKey.get(added[0]));
  say(added.length ? "1 frame added" : "No frame was added.");
});
on("more", more);
on("back", async () => {
  outdated = true;
  // Without an answer the frames are those of before, until the next question.
  await reload().catch(panels.drawFrames);
  go(store.byKey.get(store.current?.key) ?? store.frames[0]);
});

// Frames that are new on the server.
async function taken(added) {
  await reload();
  for (const key of added) strip.forget(key.split("/")[0]);
}

async function more() {
  if (byId("more").disabled) return;
  byId("more").disabled = true;
  say("Choosing frames …");
  try {
    const { added } = await post("more", { count: 20 });
    await taken(added);
    // Whoever goes on labeling meanwhile stays at that frame.
    say(added.length ? `${added.length} ${added.length > 1 ? "frames" : "frame"} added · N: the one that teaches most` : "No frame was added: the project has all frames of its films.");
  } catch (error) {
    notice(why(error), true);
    say("");
  } finally {
    byId("more").disabled = false;
  }
}

byId("more").addEventListener("click", more);
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);
byId("accept").addEventListener("click", keys.accept);
byId("copy").addEventListener("click", keys.copyBefore);
byId("take").addEventListener("click", () => ask(true));
byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
for (const id of ["brightness", "contrast"]) {
  byId(id).addEventListener("input", () => view.light(Number(byId("brightness").value), Number(byId("contrast").value)));
}
byId("dot").addEventListener("input", () => {
  view.view.dot = Number(byId("dot").value);
  view.redrawPoints();
});
for (const name of ["names", "skeleton", "suggestions"]) {
  byId(`show-${name}`).addEventListener("change", () => keys.toggle(name));
}

function theme(which) {
  document.documentElement.dataset.theme = which;
  try {
    localStorage.setItem("theme", which);
  } catch {
    // Only convenience.
  }
  view.redraw();
  tell("resized");
}

const SIGNS = "[]{}"; // typed with Option on some keyboards
window.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input[type=text], input[type=number], textarea, select");
  if (typing || (event.altKey && !SIGNS.includes(event.key)) || (byId("help").open && event.key !== "?")) return;
  const act = keys.acting(event);
  if (!act) return;
  // A button that has the focus would be pressed besides.
  event.preventDefault();
  if (document.activeElement instanceof HTMLButtonElement) document.activeElement.blur();
  if (!dragging()) act();
});
window.addEventListener("pagehide", leave);
window.addEventListener("beforeunload", (event) => {
  if (pending.size || proofread.isSaving()) event.preventDefault();
});

// What an earlier visit left unsent is saved now: labels may have changed meanwhile.
function earlier({ found, unknown, newer }) {
  const refused = `Unsaved changes of an older version of this page, which do not name their bodyparts, are left out: look again at ${unknown.join(", ")}.`;
  const [many, be] = found === 1 ? ["change", "is"] : ["changes", "are"];
  const now = store.writing ? `${be} saved now` : `${be} kept until this page may write`;
  const words = [found ? `${found} ${many} of an earlier visit, not saved then, ${now}.` : "", unknown.length ? refused : ""];
  if (newer.length) words.push(`What an earlier visit left unsaved was labeled anew since then, and stays as it is now: look again at ${newer.join(", ")}.`);
  const left = Boolean(unknown.length || newer.length);
  if (found || left) notice(words.join(" ").trim(), left);
}

async function start() {
  theme(stored("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  keys.use(null);
  let kept;
  try {
    const project = await get("project");
    pictures.since(project.pictures);
    kept = remembered(project);
    [takenUp, store.written] = [project.taken_up, project.written];
    byId("project").textContent = project.name;
    byId("project").title = project.root;
    document.title = `${project.name} · label`;
    take(project);
  } catch (error) {
    notice(error.message, true);
    return;
  }
  const waiting = corrections.remembered();
  await ask();
  earlier(kept);
  if (waiting) notice(`${waiting} ${waiting === 1 ? "correction" : "corrections"} of predictions, not saved by an earlier visit: sent ${store.writing ? "now" : "as soon as this page may write"}.`);
  const last = store.byKey.get(session("frame"));
  panels.drawFrames();
  panels.drawTop();
  go(last ?? store.frames.find((frame) => points().some((point) => !isDone(frame, point))) ?? store.frames[0]);
  for (;;) {
    await new Promise((done) => setTimeout(done, EVERY));
    // It went away between two answers.
    await ask().catch(() => (lost = true));
  }
}

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
function session(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

// For tests and measurements from outside.
window.beampose = { store, view: view.view, timings: view.timings, toStage: view.toStage, isCurrent: view.isCurrent, pending };
start();
