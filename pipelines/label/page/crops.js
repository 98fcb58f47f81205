// Sorts crops: groups of what is alike, those first that the classifier is least sure of; one key
// marks a whole group.

import { address, get, leave, page, post, Refused } from "./api.js";
import { digit, printed } from "./layout.js";

const byId = (id) => document.getElementById(id);
const EVERY = 1500; // milliseconds between two questions to the server
const KEYS = [
  ["1 … 9", "mark the group, without what is crossed out"],
  ["P, N", "the same: the first class, the second"],
  ["Enter", "mark the group as it is guessed"],
  ["click", "leave a crop out of its group; in a class: the next class"],
  ["↓ ↑", "next group, group before"],
  ["Space", "other groups: what is least sure by now"],
  ["Ctrl Z", "undo"],
  ["?", "these keys"],
];

// Views of a class are its number, the others words: no class can have the name of one of them.
const TO_MARK = "to mark";
const LOOK_AGAIN = "look again";
const DOUBTS = "doubts"; // the server's word for what is to be looked at again

const state = { classes: [], names: [], code: "", view: TO_MARK, groups: [], at: 0, out: new Set(), marks: new Map(), counts: [], left: 0, text: "", doubts: 0, writing: false, why: "", written: 0 };
const undone = []; // of each change: pairs of a crop and its class before
let pending = []; // crop, class, and the classes that the server may have of it by now
let kept = "";
let sending = false;
let asked = 0;

// ---- marks

// What the page believes of a crop: what others mark is known to it a little later.
const before = (crop) => state.marks.get(crop) ?? null;

// Returns whether it was done: a page that only looks on marks nothing.
function mark(pairs, { undo = true } = {}) {
  if (!state.writing || !pairs.length) return false;
  if (undo) undone.push(pairs.map(([crop]) => [crop, before(crop)]));
  const waiting = new Map(pending.map(([crop, , was]) => [crop, was]));
  pending.push(...pairs.map(([crop, one]) => [crop, one, [...(waiting.get(crop) ?? []), before(crop)]]));
  for (const [crop, one] of pairs) state.marks.set(crop, one);
  keep();
  send();
  return true;
}

async function send() {
  if (sending || !pending.length) return;
  sending = true;
  const some = pending.slice(0, 2000);
  try {
    const said = await post("marks", { marks: some, of: state.code });
    pending = pending.slice(some.length);
    // Otherwise there are marks of others, which are asked for next.
    if (said.written === state.written + 1) state.written = said.written;
    keep();
    counted(said);
    says("");
    if (said.newer?.length) markedAnew(said.newer);
  } catch (error) {
    const refused = error instanceof Refused;
    if (refused && error.status === 400) pending = pending.slice(some.length);
    if (refused && error.status === 409) {
      state.writing = false;
      drawClasses();
    }
    says(`Not saved: ${refused ? error.message : "the server does not answer."}`);
    sending = false;
    return;
  }
  sending = false;
  send();
}

// What somebody else marked since this page saw it stays.
function markedAnew(newer) {
  const still = new Set(pending.map(([crop]) => crop));
  for (const [crop, now] of newer) if (!still.has(crop)) state.marks.set(crop, now);
  const first = state.names[newer[0][0]];
  note(`Marked anew meanwhile, and left as is: ${newer.length} ${newer.length === 1 ? "crop" : "crops"}, such as ${first}. Look again.`);
}

function keep() {
  try {
    // By names: after a restart the folder may hold others, and their numbers with them.
    const named = pending.map(([crop, one, was]) => [state.names[crop], nameOf(one), was.map(nameOf)]);
    if (pending.length) localStorage.setItem(kept, JSON.stringify(named));
    else localStorage.removeItem(kept);
  } catch {
    // A private window.
  }
}

const nameOf = (one) => (one === null ? null : state.classes[one]);

// Takes up what an earlier visit could not send, but for crops and classes that are gone and crops
// that were marked anew since then. Returns sentences of it.
function remembered(root) {
  let named = [];
  const all = `pending:${root}`;
  // Each page keeps its own: another one that saves does not take away what this one could not.
  kept = `${all}\n${page}`;
  for (const key of storedKeys().filter((one) => one === all || one.startsWith(`${all}\n`))) {
    try {
      named.push(...JSON.parse(stored(key) ?? "[]"));
      localStorage.removeItem(key);
    } catch {
      // Nothing that can be read was kept.
    }
  }
  const numbers = new Map(state.names.map((name, i) => [name, i]));
  const [gone, newer] = [new Set(), new Set()];
  for (const [name, one, was] of named) {
    const [crop, number] = [numbers.get(name), one === null ? null : state.classes.indexOf(one)];
    const now = nameOf(before(crop));
    if (crop === undefined || number === -1) gone.add(name);
    else if (was && ![one, ...was].includes(now)) newer.add(name);
    else {
      pending.push([crop, number, [before(crop)]]);
      state.marks.set(crop, number);
    }
  }
  const many = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  const words = [];
  if (gone.size) words.push(`Marks of an earlier visit that were not saved then are left out: of ${many(gone.size, "crop")} such as ${[...gone][0]}, which ${gone.size === 1 ? "is" : "are"} not here now, or whose class is not.`);
  if (newer.size) words.push(`${many(newer.size, "crop")} such as ${[...newer][0]} ${newer.size === 1 ? "was" : "were"} marked anew since an earlier visit left a mark unsaved, and ${newer.size === 1 ? "stays" : "stay"} as ${newer.size === 1 ? "it is" : "they are"}.`);
  if (pending.length) words.unshift(`${many(pending.length, "mark")} of an earlier visit, not saved then, ${pending.length === 1 ? "is" : "are"} saved as soon as this page may write.`);
  keep();
  return words;
}

// ---- what a person has to know, until it is put away

let notes = [];
let noted = new Set();

function note(text) {
  notes = [...notes.filter((one) => one !== text), text];
  drawNotes();
}

function drawNotes() {
  const lines = [...(state.writing ? [] : [`Read-only: ${state.why}.`]), ...notes];
  const text = Object.assign(document.createElement("span"), { textContent: lines.join("\n") });
  const close = Object.assign(document.createElement("button"), { textContent: "✕", title: "Hide" });
  close.addEventListener("click", () => {
    notes = [];
    drawNotes();
  });
  byId("notice").hidden = !lines.length;
  byId("notice").replaceChildren(text, ...(notes.length ? [close] : []));
}

function says(trouble) {
  const text = trouble || (pending.length ? "Saving …" : state.writing ? "All saved" : "Read-only");
  byId("saved").textContent = byId("saved").title = text;
  byId("saved").classList.toggle("bad", Boolean(trouble));
}

function counted(said) {
  state.counts = said.counts;
  state.left = said.left;
  drawClasses();
}

// ---- groups

// What the server says; null if it does not answer: then it is asked again once it does.
async function wanted(answer) {
  try {
    const said = await answer;
    missed = false;
    return said;
  } catch (error) {
    missed = true;
    says(error instanceof Refused ? error.message : "The server does not answer. Start it again: this page goes on.");
    return null;
  }
}
let missed = false;

async function more() {
  const number = ++asked;
  const said = await wanted(get("groups"));
  if (!said) return;
  if (number !== asked || state.view !== TO_MARK) return;
  const waiting = new Set(pending.map(([crop]) => crop));
  state.groups = said.groups
    .map((one) => ({ ...one, members: one.members.filter((crop) => !waiting.has(crop)) }))
    .filter((one) => one.members.length);
  state.at = 0;
  state.out.clear();
  state.text = said.text;
  state.doubts = said.doubts;
  counted(said);
  draw();
}

function markGroup(one) {
  const group = state.groups[state.at];
  if (state.view !== TO_MARK || !group || one === null || one >= state.classes.length) return;
  const members = group.members.filter((crop) => !state.out.has(crop));
  mark(members.map((crop) => [crop, one]));
  if (!state.writing) return;
  const rest = group.members.filter((crop) => state.out.has(crop));
  state.groups.splice(state.at, 1, ...(rest.length ? [{ members: rest, guess: null, sure: null }] : []));
  rest.forEach((crop) => state.out.delete(crop));
  state.at = Math.max(Math.min(state.at, state.groups.length - 1), 0);
  draw();
  if (!state.groups.length) settle().then(more);
}

// All marks are with the server: what it says next knows of them.
async function settle() {
  while (pending.length && state.writing) await new Promise((done) => setTimeout(done, 50));
}

async function undo() {
  const last = undone.at(-1);
  if (!last || !mark(last, { undo: false })) return;
  undone.pop();
  await settle();
  show(state.view);
}

// ---- what is seen

function drawClasses() {
  const total = state.names.length;
  byId("done-bar").style.width = `${total ? (100 * (total - state.left)) / total : 0}%`;
  byId("done-text").textContent = `${total - state.left} of ${total}`;
  byId("undo").disabled = !undone.length || !state.writing;
  state.classes.forEach((_, i) => {
    const button = classButtons[i];
    button.lastChild.textContent = state.counts[i] ?? 0;
    button.disabled = state.view !== TO_MARK || !state.writing;
  });
  byId("text").textContent = state.text;
  const counts = new Map([[TO_MARK, state.left], [LOOK_AGAIN, state.doubts]]);
  for (const [view, button] of viewButtons) {
    button.lastChild.textContent = counts.get(view) ?? state.counts[view] ?? 0;
    button.classList.toggle("on", state.view === view);
  }
}

// Made once: a button that is replaced while it is pressed is never clicked.
const classButtons = [];
const viewButtons = new Map();
const counter = () => Object.assign(document.createElement("span"), { className: "count", textContent: 0 });

function makeButtons() {
  state.classes.forEach((name, i) => {
    const button = document.createElement("button");
    button.className = `own${i}`;
    button.append(`${name} `, Object.assign(document.createElement("kbd"), { textContent: i + 1 }), " ", counter());
    button.addEventListener("click", () => markGroup(i));
    classButtons.push(button);
  });
  byId("classes").replaceChildren(...classButtons, Object.assign(document.createElement("span"), { className: "text", id: "text" }));
  for (const [view, name] of [[TO_MARK, "To mark"], ...state.classes.entries(), [LOOK_AGAIN, "Look again"]]) {
    const button = document.createElement("button");
    button.append(`${name} `, counter());
    button.addEventListener("click", () => show(view));
    viewButtons.set(view, button);
  }
  byId("views").replaceChildren(...viewButtons.values());
}

function tile(crop, one, marked) {
  const found = document.createElement("div");
  const img = document.createElement("img");
  found.className = `tile${one === null ? "" : ` own${one}`}${marked ? " marked" : ""}`;
  found.dataset.crop = crop;
  found.title = state.names[crop];
  img.src = address("crop", { number: crop, of: state.code });
  img.alt = "";
  img.loading = "lazy";
  found.append(img);
  return found;
}

function draw() {
  drawClasses();
  if (state.view !== TO_MARK) return;
  const sections = state.groups.map((group, i) => {
    const section = document.createElement("section");
    section.className = `alike${i === state.at ? " on" : ""}${group.guess === null ? "" : ` own${group.guess}`}`;
    section.dataset.group = i;
    const head = document.createElement("h2");
    head.append(`${group.members.length} alike`);
    if (group.guess !== null) {
      head.append(", looks ", Object.assign(document.createElement("b"), { textContent: state.classes[group.guess] }), ` (${Math.round(100 * group.sure)} %)`);
    }
    const tiles = document.createElement("div");
    tiles.className = "tiles";
    tiles.append(...group.members.map((crop) => {
      const found = tile(crop, group.guess, false);
      found.classList.toggle("out", state.out.has(crop));
      return found;
    }));
    section.append(head, tiles);
    return section;
  });
  if (!sections.length) {
    sections.push(Object.assign(document.createElement("p"), { className: "empty", textContent: state.left ? "…" : "All crops are marked." }));
  }
  byId("crops").replaceChildren(...sections);
  document.querySelector(".alike.on")?.scrollIntoView({ block: "nearest" });
}

// Marked crops of a view.
async function listed(view) {
  if (view === LOOK_AGAIN) return get("marked", { class: DOUBTS });
  if (state.classes[view] !== DOUBTS) return get("marked", { class: state.classes[view] });
  // The server would take this class for its own word; the page knows all marks, too.
  const crops = [...state.marks.keys()].filter((crop) => state.marks.get(crop) === view).sort((a, b) => a - b);
  return { crops: crops.map((crop) => ({ crop, class: view })), all: crops.length };
}

async function show(view) {
  state.view = view;
  if (view === TO_MARK) return more();
  const said = await wanted(listed(view));
  if (!said) return;
  if (state.view !== view) return;
  const tiles = document.createElement("div");
  tiles.className = "tiles";
  tiles.append(...said.crops.map((one) => {
    state.marks.set(one.crop, one.class);
    return tile(one.crop, one.class, true);
  }));
  const head = document.createElement("h2");
  head.textContent = view === LOOK_AGAIN ? "Marked otherwise than they look. Click: the next class." : `${said.all} ${state.classes[view]}. Click: the next class.`;
  const section = document.createElement("section");
  section.className = "alike";
  section.append(head, tiles);
  byId("crops").replaceChildren(section);
  drawClasses();
}

byId("crops").addEventListener("click", (event) => {
  const found = event.target.closest(".tile");
  // A double click means what a click does, not the same thing twice.
  if (!found || event.detail > 1) return;
  const crop = Number(found.dataset.crop);
  if (state.view === TO_MARK) {
    state.at = Number(found.closest(".alike").dataset.group);
    if (!state.out.delete(crop)) state.out.add(crop);
    draw();
    return;
  }
  const now = before(crop);
  const next = now === null ? 0 : now + 1 < state.classes.length ? now + 1 : null;
  if (!mark([[crop, next]])) return;
  found.className = `tile${next === null ? "" : ` own${next} marked`}`;
});

// ---- keys

function step(by) {
  if (state.view !== TO_MARK) return;
  state.at = Math.min(Math.max(state.at + by, 0), Math.max(state.groups.length - 1, 0));
  draw();
}

const KNOWN = new Map([
  ...[..."123456789"].map((key) => [key, () => markGroup(Number(key) - 1)]),
  ["p", () => markGroup(0)],
  ["n", () => markGroup(1)],
  ["enter", () => markGroup(state.groups[state.at]?.guess ?? null)],
  ["arrowdown", () => step(1)],
  ["arrowup", () => step(-1)],
  [" ", () => state.view === TO_MARK && settle().then(more)],
  ["?", () => byId("help").showModal()],
  ["ctrl z", undo],
]);

// What a key means; nothing if the page knows no such key.
function meant(event) {
  const ctrl = event.ctrlKey || event.metaKey ? "ctrl " : "";
  const may = [event.key, digit(event), printed(event)].filter((one) => one !== null);
  return may.map((one) => ctrl + one.toLowerCase()).find((one) => KNOWN.has(one));
}

document.addEventListener("keydown", (event) => {
  if (byId("help").open || event.altKey) return;
  const key = meant(event);
  if (!key) return;
  // A button that has the focus would be pressed besides.
  event.preventDefault();
  if (document.activeElement instanceof HTMLButtonElement) document.activeElement.blur();
  // A key that is held down marks one group, not all that follow.
  if (!event.repeat || key.startsWith("arrow")) KNOWN.get(key)();
});

// ---- the server

async function ask(take = false) {
  try {
    const said = await post("state", { take });
    if (said.code !== state.code) {
      // Other crops than this page shows: what is not saved yet is kept by their names.
      keep();
      location.reload();
      return;
    }
    const changed = said.writing !== state.writing;
    [state.writing, state.why] = [said.writing, said.why];
    byId("take").hidden = said.writing;
    notes.push(...said.notes.filter((one) => !noted.has(one) && !notes.includes(one)));
    noted = new Set(said.notes);
    drawNotes();
    if (said.writing) await send();
    const others = !pending.length && said.written > state.written;
    if (others) await known();
    if (!pending.length) says("");
    if (changed) drawClasses();
    // What another page or program marked is not seen here yet.
    if (missed || others) await show(state.view);
  } catch {
    says("The server does not answer. Start it again: this page goes on.");
  }
}

// All marks as the server has them.
async function known(project) {
  const { marks, written } = project ?? (await get("crops"));
  state.marks = new Map(marks.map((one, crop) => [crop, one]).filter(([, one]) => one >= 0));
  for (const [crop, one] of pending) state.marks.set(crop, one);
  state.written = written;
}

function theme(which) {
  document.documentElement.dataset.theme = which;
  try {
    localStorage.setItem("theme", which);
  } catch {
    // A private window.
  }
}

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function storedKeys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

async function start() {
  theme(stored("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  const said = await get("crops");
  Object.assign(state, { classes: said.classes, names: said.names, code: said.code, left: said.names.length });
  document.documentElement.style.setProperty("--digits", String(said.names.length).length);
  makeButtons();
  byId("apply").hidden = !said.applies;
  document.title = said.name;
  byId("project").textContent = said.name;
  byId("project").title = `${said.folder}: marks are in ${said.file}`;
  known(said);
  notes = remembered(said.folder);
  byId("keys").replaceChildren(...KEYS.flatMap(([key, what]) => {
    const row = document.createElement("p");
    row.append(Object.assign(document.createElement("kbd"), { textContent: key }), ` ${what}`);
    return row;
  }));
  await ask();
  await more();
  setInterval(ask, EVERY);
}

byId("apply").addEventListener("click", async () => {
  await settle();
  byId("apply").disabled = true;
  try {
    const said = await post("apply");
    note(said.text);
  } catch (error) {
    says(`Not done: ${error instanceof Refused ? error.message : "the server does not answer."}`);
  }
  byId("apply").disabled = false;
});
byId("undo").addEventListener("click", undo);
byId("take").addEventListener("click", () => ask(true));
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
addEventListener("pagehide", leave);
window.beampose = { state, pending: () => pending, root: () => kept };
start().catch((error) => says(error.message));
