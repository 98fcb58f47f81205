// Predictions of a film, proofread: a timeline, the worst places, and corrections of tracks.

import { get, post, why, Refused } from "./api.js";
import { store, on, tell, points } from "./store.js";
import { make, drawParts } from "./panels.js";
import { later, placed, send, waiting } from "./corrections.js";
import { use } from "./keys.js";
import * as view from "./view.js";
import { address, load } from "./pictures.js";

const byId = (id) => document.getElementById(id);
const strip = byId("strip");
const list = byId("frames");
const NEAR = 200; // rows that are fetched at once

let film = "";
let line = null; // the timeline
let row = 0;
let other = ""; // the individual that is swapped or joined with the chosen one
let rows = new Map(); // row -> [x, y, likelihood] or null of each point of the table
let asked = 0; // of timelines: only the last one is shown
let labeling = null; // the project, while predictions are shown

export const isOpen = () => store.mode === "proofread";

export async function offer() {
  const { films } = await get("predicted").catch(() => ({ films: [] }));
  const views = byId("views");
  views.hidden = !films.length;
  const button = (text, mode, act) => {
    const found = make("button", { textContent: text });
    found.classList.toggle("on", store.mode === mode);
    found.addEventListener("click", act);
    return found;
  };
  views.replaceChildren(button("Label", "label", close), button("Proofread", "proofread", () => open(films)));
}

// ---- opening and leaving

async function open(films) {
  if (isOpen()) return;
  store.mode = "proofread";
  document.body.classList.add("proofreading");
  use(KEYS);
  labeling = { project: store.project, current: store.current, point: store.point };
  offer();
  line = null;
  await choose(films[0], films);
}

export async function close() {
  if (!isOpen()) return;
  store.mode = "label";
  document.body.classList.remove("proofreading");
  use(null);
  Object.assign(store, labeling);
  byId("tracks")?.remove();
  offer();
  tell("back");
}

async function choose(name, films) {
  const mine = ++asked;
  let found;
  try {
    found = await get("timeline", { film: name });
  } catch (error) {
    tell("refused", why(error));
    // The others can be chosen all the same.
    if (isOpen() && !line) drawFilms(films);
    return;
  }
  if (mine !== asked || !isOpen()) return;
  film = name;
  rows = new Map();
  take(found);
  if (line.note) tell("refused", `${film} ${line.note}`);
  const names = line.individuals;
  store.project = {
    ...labeling.project,
    individuals: names,
    bodyparts: line.bodyparts,
    several: names.length > 1,
    single: "single",
    points: line.points.map(([owner, part]) => [names.indexOf(owner), line.bodyparts.indexOf(part)]),
    edges: labeling.project.edges
      .map((edge) => edge.map((b) => line.bodyparts.indexOf(labeling.project.bodyparts[b])))
      .filter((edge) => !edge.includes(-1)),
    colors: line.bodyparts.map((part, b) => labeling.project.colors[labeling.project.bodyparts.indexOf(part)] ?? labeling.project.colors[b] ?? "#5eead4"),
    animal_colors: names.map((_, i) => labeling.project.animal_colors[i] ?? `hsl(${(i * 137) % 360} 80% 60%)`),
  };
  store.point = points()[0];
  drawFilms(films);
  drawTracks();
  await show(line.worst[0] ?? 0);
}

function take(found) {
  line = found;
  row = Math.min(row, Math.max(line.rows - 1, 0));
}

// ---- one frame

const number = (place) => line.numbers[place] ?? line.frames[0] + place * line.frames[1];

const predicted = (place) => address("predicted", { film, number: number(place), width: screen.width, height: screen.height });

async function picture(url, place) {
  const found = await load(url);
  // The frame after it is seen next.
  if (place === row && row + 1 < line.rows) load(predicted(row + 1)).catch(() => {});
  return found;
}

async function show(place) {
  if (!line?.rows) return;
  row = Math.min(Math.max(place, 0), line.rows - 1);
  const [wanted, of, url] = [row, film, predicted(row)];
  try {
    await fetchRows(wanted);
  } catch (error) {
    // That the server does not answer is told already.
    if (error instanceof Refused) tell("refused", error.message);
    return;
  }
  if (wanted !== row || of !== film || !isOpen()) return;
  store.current = frameOf(wanted);
  store.suggestions.delete(store.current.key);
  view.show(() => picture(url, wanted), store.current.key, `${film} · frame ${number(row)} of ${line.rows}`);
  view.redrawPoints();
  drawParts();
  drawLine();
}

async function fetchRows(place) {
  const own = rows; // those of another film, or before a correction, are not mixed in
  if (own.has(place)) return;
  const start = Math.max(place - NEAR / 2, 0);
  const found = await get("rows", { film, start, stop: start + NEAR });
  if (own.size > 20 * NEAR) own.clear();
  found.forEach((one, k) => own.set(start + k, one));
}

const keyOf = (place) => `${film}#${place}`;

function frameOf(place) {
  const { individuals, bodyparts } = store.project;
  const found = individuals.map(() => bodyparts.map(() => null));
  points().forEach(([i, b], k) => (found[i][b] = rows.get(place)?.[k]?.slice(0, 2) ?? null));
  for (const { point, xy } of placed(film, place)) {
    const [i, b] = points()[point] ?? [];
    if (i !== undefined) found[i][b] = xy;
  }
  return { key: keyOf(place), folder: film, image: "", number: number(place), points: found, absent: new Set() };
}

// ---- corrections

let labelings = 0; // that were asked for and not answered
export const isSaving = () => waiting() + labelings > 0;

// Of a row whose picture is on its way, nobody has seen what would be corrected.
const isSeen = () => line && !view.isWaiting() && store.current?.key === keyOf(row);

function correct(correction) {
  if (!store.writing) tell("refused", store.why || "This page only looks on.");
  else if (correction.do !== "undo" && !isSeen()) tell("said", "The picture is not here yet.");
  else {
    send(film, line, correction);
    // Seen where it was put, also while the server is away.
    if (rows.has(row) && isSeen()) {
      store.current = frameOf(row);
      view.redrawPoints();
      drawParts();
    }
  }
}

on("answered", async ({ film: name, found }) => {
  if (name !== film || !isOpen() || !line) return;
  // What was refused may have been corrected elsewhere.
  if (!found) await refresh().catch(() => show(row));
  else {
    take(found);
    rows = new Map();
    drawTracks();
    // What was taken back is to be seen.
    await show(found.undone ?? row);
  }
});

// Another page may have corrected meanwhile.
export async function refresh() {
  if (!isOpen() || !line) return;
  const name = film;
  const found = await get("timeline", { film });
  if (name !== film || !isOpen()) return;
  take(found);
  rows = new Map();
  drawTracks();
  await show(row);
}

on("corrected", (wanted) => {
  for (const { point, xy = null } of wanted) {
    const place = points().findIndex(([i, b]) => i === point[0] && b === point[1]);
    correct({ do: "place", row, point: place, xy });
  }
});

const chosen = () => store.project.individuals[store.point?.[0] ?? 0];
// The scene is no animal: nothing is exchanged with it.
const others = () => {
  const { individuals, single } = store.project;
  return chosen() === single ? [] : individuals.filter((name) => name !== chosen() && name !== single);
};
const partner = () => (others().includes(other) ? other : others()[0]);
const swap = () => partner() && correct({ do: "swap", row, a: chosen(), b: partner() });
const swapHere = () => partner() && correct({ do: "swap", row, stop: row + 1, a: chosen(), b: partner() });
const join = () => partner() && correct({ do: "join", row, a: chosen(), b: partner() });
const cut = () => correct({ do: "delete", row, a: chosen() });
const remove = () => correct({ do: "delete", row, stop: row + 1, a: chosen() });
const undo = () => line && (line.corrections || waiting()) && correct({ do: "undo" });

// After the corrections that were made before it.
function label() {
  if (!isSeen()) tell("said", "The picture is not here yet.");
  else {
    const said = { film, row, of: line.code };
    labelings++;
    later(() => labeled(said).finally(() => labelings--));
  }
}

async function labeled(said) {
  try {
    const { added, kept } = await post("label", said);
    const stay = kept ? ` · ${kept} ${kept === 1 ? "point" : "points"} labeled before ${kept === 1 ? "stays" : "stay"}` : "";
    tell("said", `Labeled: ${added[0]}${stay}`);
  } catch (error) {
    tell("refused", why(error));
  }
}

function jump(by) {
  if (!line) return;
  const sorted = [...line.worst].sort((a, b) => a - b);
  const found = by > 0 ? sorted.find((place) => place > row) : sorted.reverse().find((place) => place < row);
  if (found !== undefined) show(found);
}

const nextAnimal = () => {
  const names = store.project.individuals;
  const i = ((store.point?.[0] ?? 0) + 1) % names.length;
  store.point = points().find((point) => point[0] === i);
  tell("point");
};

const KEYS = [
  [
    "Frames",
    [
      [["ArrowRight"], () => show(row + 1), "→", "next frame"],
      [["ArrowLeft"], () => show(row - 1), "←", "frame before"],
      [["Shift+ArrowRight"], () => show(row + 25), "Shift ← →", "25 frames back, on"],
      [["Shift+ArrowLeft"], () => show(row - 25)],
      [["Home"], () => show(0), "Home End", "first, last frame"],
      [["End"], () => show(Infinity)],
      [["n"], () => jump(1), "N", "next of the worst places"],
      [["p"], () => jump(-1), "P", "the one before"],
      [["l"], label, "L", "make a labeled frame of this one"],
      [["Escape"], close, "Esc", "back to labeling"],
    ],
  ],
  [
    "Predictions",
    [
      [null, null, "drag", "move a point; on free ground the picture"],
      [["i"], nextAnimal, "I", "next animal"],
      [["s"], swap, "S", "swap two animals from here on"],
      [["x"], swapHere, "X", "swap two animals in this frame"],
      [["j"], join, "J", "take over what the other one has from here"],
      [["c"], cut, "C", "remove the animal from here on"],
      [["Delete"], remove, "Del", "remove it in this frame"],
      [["Ctrl+z"], undo, "Ctrl Z", "undo"],
    ],
  ],
];

// ---- panels

function drawFilms(films) {
  const children = films.map((name) => {
    const found = make("div", { className: "film", textContent: name, title: name });
    found.classList.toggle("on", name === film);
    found.addEventListener("click", () => choose(name, films));
    return found;
  });
  const places = (line?.worst ?? []).map((place) => {
    const found = make("div", { className: "film place", textContent: `frame ${number(place)}` });
    found.addEventListener("click", () => show(place));
    return found;
  });
  list.replaceChildren(
    make("div", { className: "group", textContent: "Films" }),
    ...children,
    ...(line ? [make("div", { className: "group", textContent: "Look here first" })] : []),
    ...(line && !places.length ? [make("div", { className: "empty", textContent: "Nothing looks odd." })] : places),
  );
}

function drawTracks() {
  byId("tracks")?.remove();
  const { individuals } = store.project;
  const act = (text, key, call) => {
    const found = make("button", { disabled: !store.writing }, text, " ", make("kbd", { textContent: key }));
    found.addEventListener("click", call);
    return found;
  };
  const card = make("div", { className: "card tracks", id: "tracks" });
  if (individuals.length > 1) {
    const select = make("select", { title: "the other animal" });
    select.append(...others().map((name) => make("option", { textContent: name, selected: name === partner() })));
    select.addEventListener("change", () => {
      other = select.value;
      select.blur(); // keys are for the tracks again
    });
    card.append(
      make("label", {}, "With ", select),
      act("Swap from here on", "S", swap),
      act("Swap in this frame", "X", swapHere),
      act("Take over from here", "J", join),
    );
  }
  card.append(
    act("Remove from here on", "C", cut),
    act("Remove in this frame", "Del", remove),
    act("Undo", "Ctrl Z", undo),
    act("Label this frame", "L", label),
    make("p", { textContent: `${line.corrections} ${line.corrections === 1 ? "correction" : "corrections"}. Other verbs read the corrected predictions.` }),
  );
  byId("bodyparts").after(card);
}

function drawLine() {
  const canvas = strip.querySelector("canvas") ?? make("canvas", { className: "timeline" });
  if (!canvas.isConnected) {
    strip.replaceChildren(canvas);
    const seek = (event) => event.buttons && show(Math.floor((event.offsetX / canvas.clientWidth) * line.rows));
    canvas.addEventListener("pointerdown", seek);
    canvas.addEventListener("pointermove", seek);
  }
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [strip.clientWidth - 16, strip.clientHeight - 12];
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const bins = line.likelihood.length;
  const step = width / bins;
  const names = line.individuals;
  const bar = names.length > 1 ? Math.min(8, (height * 0.5) / names.length) : 0;
  const top = height - bar * names.length - 4;
  names.forEach((name, i) => {
    if (!bar) return;
    context.fillStyle = store.project.animal_colors[i];
    line.there[name].forEach((there, k) => there && context.fillRect(k * step, top + 4 + i * bar, step + 0.5, bar - 1.5));
  });
  context.fillStyle = style.getPropertyValue("--warn");
  line.odd.forEach((odd, k) => {
    const tall = Math.min(odd, 1) * top;
    context.globalAlpha = 0.25 + 0.5 * Math.min(odd, 1);
    context.fillRect(k * step, top - tall, step + 0.3, tall);
  });
  context.globalAlpha = 1;
  context.strokeStyle = style.getPropertyValue("--accent");
  context.lineWidth = 1.2;
  context.beginPath();
  line.likelihood.forEach((value, k) => context[k ? "lineTo" : "moveTo"]((k + 0.5) * step, 2 + (1 - value) * (top - 4)));
  context.stroke();
  const x = ((row + 0.5) / line.rows) * width;
  context.fillStyle = style.getPropertyValue("--ink");
  context.fillRect(x - 1, 0, 2, height);
}

on("point", () => isOpen() && line && drawTracks());
on("resized", () => isOpen() && line && drawLine());
