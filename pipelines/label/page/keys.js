// All keys, in one table: what each does, and what the help says of it.

import { store, at, change, nextOpen, suggestion, isDone, isAbsent, points, same, tell, title, undo, redo, doneCount } from "./store.js";
import { view, fit, zoom, redrawPoints, inside, clamped, isCurrent } from "./view.js";
import { listed, make } from "./panels.js";
import { digit, printed } from "./layout.js";
import * as strip from "./strip.js";
import { swap } from "./model.js";

const byId = (id) => document.getElementById(id);

// ---- what keys and buttons do

export function go(by) {
  const found = listed();
  const place = found.indexOf(store.current);
  const frame = place < 0 ? found[0] : found[Math.min(Math.max(place + by, 0), found.length - 1)];
  if (frame) tell("go", frame);
}

export function goNext() {
  const open = (frame) => frame && frame !== store.current && doneCount(frame) < points().length;
  const wanted = store.next.map((key) => store.byKey.get(key)).find(open);
  const start = store.frames.indexOf(store.current);
  const later = [...store.frames.slice(start + 1), ...store.frames.slice(0, start + 1)].find(open);
  if (wanted ?? later) tell("go", wanted ?? later);
  else tell("said", "All frames are labeled.");
}

function choose(point) {
  if (!point) return;
  store.point = point;
  tell("point");
}

function move(by) {
  const all = points();
  const place = all.findIndex((point) => same(point, store.point));
  choose(all[(place + by + all.length) % all.length]);
}

function choosePart(number) {
  const own = points().filter((point) => point[0] === (store.point?.[0] ?? 0));
  choose(own[number]);
}

function nextAnimal() {
  const animals = [...new Set(points().map(([i]) => i))];
  const other = animals[(animals.indexOf(store.point?.[0] ?? 0) + 1) % animals.length];
  const own = points().filter((point) => point[0] === other);
  choose(own.find((point) => store.current && !isDone(store.current, point)) ?? own[0]);
}

function advance() {
  choose(nextOpen(store.current, store.point) ?? store.point);
}

function remove() {
  const { current: frame, point } = store;
  if (frame && point && seen()) change(frame, [{ point }]);
}

function absent() {
  const { current: frame, point } = store;
  if (!frame || !point || !seen()) return;
  const now = !isAbsent(frame, point);
  if (change(frame, [{ point, absent: now }]) && now) advance();
}

// Nobody changes labels of a frame that is not yet to be seen.
function seen() {
  if (!isCurrent() && store.looking === null) tell("said", "The picture is not here yet.");
  return isCurrent() || store.looking !== null;
}

export function accept() {
  const frame = store.current;
  if (!frame || !seen()) return;
  const open = points().filter((point) => !isDone(frame, point) && suggestion(frame, point));
  const unsure = open.filter((point) => suggestion(frame, point)[2] < store.project.accepted);
  const wanted = open
    .filter((point) => !unsure.includes(point))
    .map((point) => ({ point, xy: clamped(suggestion(frame, point)) }));
  if (wanted.length) {
    if (!change(frame, wanted)) return;
    advance();
    if (unsure.length) tell("said", `Not accepted, as hardly seen: ${unsure.map(title).join(", ")}.`);
  } else if (unsure.length || doneCount(frame) === points().length) goNext();
  else tell("said", "There is no suggestion to accept yet.");
}

function acceptOne() {
  const { current: frame, point } = store;
  const said = frame && point && !isDone(frame, point) ? suggestion(frame, point) : null;
  if (said && seen() && change(frame, [{ point, xy: clamped(said) }])) advance();
}

export function copyBefore() {
  const frame = store.current;
  if (!seen()) return;
  const before = store.frames[store.frames.indexOf(frame) - 1];
  if (!frame || !before || before.folder !== frame.folder) {
    tell("said", "There is no frame before this one.");
    return;
  }
  const wanted = points()
    .filter((point) => !isDone(frame, point) && at(before, point) && inside(at(before, point)))
    .map((point) => ({ point, xy: clamped(at(before, point)) }));
  if (wanted.length) change(frame, wanted);
  else tell("said", "The frame before has nothing that is missing here.");
}

function nudge(dx, dy) {
  const { current: frame, point } = store;
  const xy = frame && point ? at(frame, point) : null;
  if (!xy) return;
  if (seen()) change(frame, [{ point, xy: clamped([xy[0] + dx, xy[1] + dy]) }]);
}

export function toggle(name) {
  view[name] = !view[name];
  byId(`show-${name}`).checked = view[name];
  redrawPoints();
}

function slide(id, by) {
  const slider = byId(id);
  slider.value = Number(slider.value) + by;
  slider.dispatchEvent(new Event("input"));
}

function help() {
  if (byId("help").open) byId("help").close();
  else byId("help").showModal();
}

// ---- the table: groups of [keys, what they do, in words]

const VIEW = [
  "View",
  [
    [null, null, "wheel or two fingers", "zoom at the pointer"],
    [["+", "="], () => zoom(1.25), "+ −", "zoom"],
    [["-"], () => zoom(0.8)],
    [["f", "0"], fit, "F", "the whole picture"],
    [["]"], () => slide("brightness", 10), "[ ]", "darker, brighter"],
    [["["], () => slide("brightness", -10)],
    [["}"], () => slide("contrast", 10), "{ }", "less, more contrast"],
    [["{"], () => slide("contrast", -10)],
    [["t"], () => toggle("names"), "T", "names"],
    [["k"], () => toggle("skeleton"), "K", "skeleton"],
    [["g"], () => toggle("suggestions"), "G", "suggestions"],
    [["?"], help, "?", "this help"],
  ],
];

const GROUPS = [
  [
    "Points",
    [
      [null, null, "click", "place the bodypart, go to the next"],
      [null, null, "drag", "move a point; on free ground the picture"],
      [null, null, "right click", "remove a point"],
      [["Tab", "ArrowDown"], () => move(1), "Tab ↓", "next bodypart"],
      [["Shift+Tab", "ArrowUp"], () => move(-1), "Shift Tab ↑", "bodypart before"],
      [["1", "2", "3", "4", "5", "6", "7", "8", "9"], (key) => choosePart(Number(key) - 1), "1 … 9", "bodypart by its place"],
      [["i"], nextAnimal, "I", "next animal"],
      [["v"], absent, "V", "not visible"],
      [["Delete", "Backspace"], remove, "Del", "remove the chosen point"],
      [["Shift+ArrowLeft"], () => nudge(-0.5, 0), "Shift ← → ↑ ↓", "move the chosen point by half a pixel"],
      [["Shift+ArrowRight"], () => nudge(0.5, 0)],
      [["Shift+ArrowUp"], () => nudge(0, -0.5)],
      [["Shift+ArrowDown"], () => nudge(0, 0.5)],
      [["c"], copyBefore, "C", "copy what is missing from the frame before"],
      [["Ctrl+z"], undo, "Ctrl Z", "undo"],
      [["Ctrl+Shift+z", "Ctrl+y"], redo, "Ctrl Shift Z", "redo"],
    ],
  ],
  [
    "Model",
    [
      [["Enter"], accept, "Enter", "accept all suggestions; then on to the best next frame"],
      [[" "], acceptOne, "Space", "accept that of the chosen bodypart"],
      [["s"], swap, "S", "swap two labels that look swapped"],
      [["n"], goNext, "N", "the frame that teaches most"],
      [["m"], () => tell("more"), "M", "20 more frames of the film"],
    ],
  ],
  [
    "Frames",
    [
      [["ArrowRight", "d"], () => go(1), "→ D", "next frame"],
      [["ArrowLeft", "a"], () => go(-1), "← A", "frame before"],
      [["."], () => strip.step(1), ".", "look at the film's next frame"],
      [[","], () => strip.step(-1), ",", "look at the one before"],
      [["l"], strip.label, "L", "label the frame that is looked at"],
      [["Escape"], strip.back, "Esc", "back to the labeled frame"],
    ],
  ],
  VIEW,
];

function actions(groups) {
  const found = new Map();
  for (const [, entries] of groups) for (const [keys, act] of entries) for (const key of keys ?? []) found.set(key, act);
  return found;
}

// Held down, only these go on: what changes labels is done once for each time a key is pressed.
const HELD = new Set([
  ...["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Tab"].flatMap((key) => [key, `Shift+${key}`]),
  ...["a", "d", ".", ",", "+", "=", "-", "[", "]", "{", "}", "Ctrl+z", "Ctrl+Shift+z", "Ctrl+y"],
]);

function called(event, typed) {
  const key = typed.length === 1 ? typed.toLowerCase() : typed;
  const ctrl = event.ctrlKey || event.metaKey;
  // Signs such as ? and { are typed with Shift on some keyboards only.
  const shift = event.shiftKey && (event.key.length > 1 || ctrl) ? "Shift+" : "";
  return `${ctrl ? "Ctrl+" : ""}${shift}${key}`;
}

// What keys do: those of labeling, or those of other groups and of the view.
let groups, known;

export function use(own) {
  groups = own ? [...own, VIEW] : GROUPS;
  known = actions(groups);
  drawHelp();
}

// What a key does, ready to be done; nothing where it only is held down.
export function acting(event) {
  // What is typed comes first: on some keyboards a key of the row of digits writes a sign such as -.
  const may = [event.key, digit(event), printed(event)].filter((one) => one !== null);
  const typed = may.find((one) => known.has(called(event, one))) ?? event.key;
  const act = known.get(called(event, typed));
  if (!act) return null;
  return event.repeat && !HELD.has(called(event, typed)) ? () => {} : () => act(typed);
}

function drawHelp() {
  byId("keys").replaceChildren(
    ...groups.map(([name, entries]) => {
      const shown = make("dl");
      for (const [, , keys, words] of entries) {
        if (keys) shown.append(make("dt", {}, make("kbd", { textContent: keys })), make("dd", { textContent: words }));
      }
      return make("section", {}, make("h3", { textContent: name }), shown);
    }),
  );
}

byId("help-button").addEventListener("click", help);
