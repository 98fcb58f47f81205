// The mouse on the frame: a click places, a drag moves a point or the picture, the wheel zooms, and
// so do two fingers.

import { store, at, change, nextOpen, suggestion, isDone, same, on, tell, title } from "./store.js";
import { view, hit, toPicture, inside, clamped, zoom, pan, redrawPoints, isCurrent } from "./view.js";

const stage = document.getElementById("stage");
const overlay = document.getElementById("overlay");
// Pixels of the screen from which on a press is a drag and no click.
const DRAG = 4;
// Fine corrections of a point are short.
const DRAG_POINT = 2;
// Hands tremble more on some devices than on others; most where they hold nothing.
const TREMBLE = { touch: 10, pen: 6 };
const FREE = { touch: 16, pen: 8 };
// While a bodypart is to be placed, a press so short (milliseconds) that does not go so far is a
// click of a hasty hand, on whatever it begins.
const HASTE = 250;
const HASTY = 10;
// Milliseconds within which a second click is none: it was a double click. Each of the two trembles.
const TWICE = 500;
const near = (type) => 2 * (TREMBLE[type] ?? DRAG);

let press = null;
const NEVER = { time: -Infinity, place: [0, 0], key: "" };
let placed = NEVER;
export const dragging = () => Boolean(press?.drag);

// Where each finger is; after two were there nothing is placed until all are gone.
const fingers = new Map();
let pinched = false;

// Ends a press as if it had not been: the mouse was lost, or there is a second finger.
export function abandon() {
  if (press?.drag) press.frame.points[press.found.point[0]][press.found.point[1]] = press.before;
  press = null;
  stage.classList.remove("pan");
  redrawPoints();
}

// The frame of the press, which is another object once the project was read anew. The point stays
// in the hand that drags it.
function follow() {
  const frame = store.current;
  if (!press || press.frame === frame || press.frame?.key !== frame?.key) return;
  press.frame = frame;
  if (!press.drag) return;
  const [i, b] = press.found.point;
  if (frame.points[i]?.[b] === undefined) {
    press = null; // The project has no such point any more.
    return;
  }
  press.before = frame.points[i][b];
  frame.points[i][b] = press.xy;
}
on("painting", follow);
const placeOf = (event) => [event.offsetX, event.offsetY];

overlay.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  const place = placeOf(event);
  // Of its kind it is the only one: others were let go where nobody saw it.
  if (event.isPrimary) forgetFingers();
  fingers.set(event.pointerId, place);
  overlay.setPointerCapture(event.pointerId);
  if (press || pinched) {
    abandon();
    pinched = true;
    return;
  }
  const under = hit(place);
  const found = event.button === 0 && !event.shiftKey ? under : null;
  // A click means what was seen where it began, whatever comes before the button is let go.
  const seen = { xy: toPicture(place), isCurrent: isCurrent() };
  // A suggestion is dragged like a label; a click that places another bodypart goes through it.
  press = { start: place, last: place, time: event.timeStamp, button: event.button, found, under, seen, moved: false, frame: store.current, chosen: store.point };
});

// How far a press goes until it is a drag. While a bodypart is to be placed, it is more likely a
// click that trembles than a correction of another point nearby.
function least(event) {
  const { found, frame, chosen, time } = press;
  const placing = store.mode === "label" && frame && chosen && !isDone(frame, chosen);
  const hasty = placing && event.timeStamp - time < HASTE ? HASTY : 0;
  return Math.max(found && !placing ? DRAG_POINT : DRAG, hasty, (found ? TREMBLE : FREE)[event.pointerType] ?? 0);
}

overlay.addEventListener("pointermove", (event) => {
  const place = placeOf(event);
  // Let go where nobody saw it: behind another window.
  if (!event.buttons) lift(event.pointerId);
  if (press && !event.buttons) abandon();
  if (pinched) {
    pinch(event.pointerId, place);
    return;
  }
  follow();
  if (!press) {
    const found = hit(place);
    stage.classList.toggle("over", Boolean(found?.label));
    if (!same(found?.point, view.hover)) view.hover = found?.point ?? null;
    redrawPoints(event);
    return;
  }
  const far = Math.hypot(place[0] - press.start[0], place[1] - press.start[1]);
  if (!press.moved && far < least(event)) return;
  if (!press.moved) begin();
  if (press.drag) {
    press.xy = clamped(toPicture([place[0] + press.offset[0], place[1] + press.offset[1]]));
    press.frame.points[press.found.point[0]][press.found.point[1]] = press.xy;
    redrawPoints(event);
  } else {
    pan(place[0] - press.last[0], place[1] - press.last[1]);
  }
  press.last = place;
});

const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

// What was between two fingers stays between them.
function pinch(finger, place) {
  const before = [...fingers.values()];
  if (!fingers.has(finger)) return;
  fingers.set(finger, place);
  if (before.length !== 2) return;
  const now = [...fingers.values()];
  const [from, to] = [middle(before), middle(now)];
  pan(to[0] - from[0], to[1] - from[1]);
  zoom(Math.max(apart(now), 1) / Math.max(apart(before), 1), to);
}

function lift(finger) {
  fingers.delete(finger);
  if (!fingers.size) pinched = false;
}

function forgetFingers() {
  fingers.clear();
  pinched = false;
}

function begin() {
  press.moved = true;
  const draggable = press.found && press.button === 0 && store.writing && press.frame === store.current;
  if (!draggable) {
    stage.classList.add("pan");
    return;
  }
  const { point, label } = press.found;
  const before = at(press.frame, point);
  const from = before ?? suggestion(press.frame, point);
  press.drag = true;
  press.before = label ? before : null;
  press.xy = from;
  const start = press.seen.xy;
  press.offset = [(from[0] - start[0]) * view.scale, (from[1] - start[1]) * view.scale];
  store.point = point;
  tell("point");
}

overlay.addEventListener("pointerup", (event) => {
  lift(event.pointerId);
  follow();
  const ended = press;
  press = null;
  stage.classList.remove("pan");
  if (!ended) return;
  if (ended.drag) drop(ended);
  else if (!ended.moved) click(event, ended);
});

overlay.addEventListener("pointercancel", (event) => {
  lift(event.pointerId);
  abandon();
});
window.addEventListener("blur", () => {
  forgetFingers();
  abandon();
});

function drop({ frame, found, before, chosen, xy }) {
  const [i, b] = found.point;
  // The change is told from what was there before the drag.
  frame.points[i][b] = before;
  if (!change(frame, [{ point: found.point, xy }])) redrawPoints();
  if (store.mode !== "label") return;
  // On with what was to be placed before the drag.
  if (chosen && !isDone(frame, chosen)) store.point = chosen;
  else if (!found.label) store.point = nextOpen(frame, found.point) ?? found.point;
  tell("point");
}

function click(event, { start, button, frame, found, under, seen }) {
  if (!frame || frame !== store.current || store.looking !== null) return;
  if (!seen.isCurrent || !isCurrent()) {
    tell("said", "The picture is not here yet.");
    return;
  }
  if (button === 2) {
    if (under?.label) change(frame, [{ point: under.point }]);
    return;
  }
  if (button !== 0 || event.shiftKey) return;
  const point = store.point;
  // A click on a label selects it; while a bodypart is open it is placed, even near another one.
  if (found?.label && (event.ctrlKey || !point || isDone(frame, point))) {
    store.point = found.point;
    tell("point");
    return;
  }
  const { xy } = seen;
  if (!point || !inside(xy)) return;
  // What has its place is moved by dragging, not by a click that went astray.
  if (at(frame, point) && !event.altKey) {
    const all = nextOpen(frame, point) === null;
    tell("said", `${all ? "All" : title(point)} is labeled here: drag a point to move it.`);
    return;
  }
  const [far, since] = [Math.hypot(start[0] - placed.place[0], start[1] - placed.place[1]), event.timeStamp - placed.time];
  if (far < near(event.pointerType) && since < TWICE && frame.key === placed.key) return;
  placed = { time: event.timeStamp, place: start, key: frame.key };
  change(frame, [{ point, xy: clamped(xy) }]);
  store.point = nextOpen(frame, point) ?? point;
  tell("point");
}

overlay.addEventListener("contextmenu", (event) => event.preventDefault());
overlay.addEventListener("dblclick", (event) => event.preventDefault());
overlay.addEventListener("pointerleave", () => {
  view.hover = null;
  redrawPoints();
});
overlay.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    zoom(Math.exp(-Math.max(Math.min(step, 200), -200) * 0.0022), placeOf(event));
  },
  { passive: false },
);
on("changed", () => redrawPoints());
// What was undone is placed again.
on("went", () => (placed = NEVER));
