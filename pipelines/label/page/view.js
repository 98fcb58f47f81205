// The frame and the points on it. Labels are pixels whose centres are whole numbers, as DeepLabCut's
// are: the middle of the first pixel is 0, 0, and half a pixel lies between that and the corner.

import { store, tell, at, isAbsent, color, title, same, suggestion, points } from "./store.js";
import * as pictures from "./pictures.js";

const stage = document.getElementById("stage");
const image = document.getElementById("image");
const overlay = document.getElementById("overlay");
const caption = document.getElementById("caption");

export const view = {
  scale: 1,
  x: 0, // of the picture's corner on the stage
  y: 0,
  width: 0, // of the picture, in its own pixels
  height: 0,
  dot: 5,
  names: false,
  skeleton: true,
  suggestions: true,
  hover: null,
};
export const timings = { paint: [], frame: [] };

let shown = null; // the picture
let detail = null; // a part of it, sharper
let shownKey = ""; // of the picture that is asked for
let settled = ""; // of the one that came, or could not be read
let fitted = true;
let ratio = 1;

// Whether the picture on the screen is that of the frame whose points are changed. Until it came,
// a click would mean the one before.
export const isCurrent = () => Boolean(shown) && settled === shownKey && shownKey === store.current?.key && store.looking === null;
export const isWaiting = () => settled !== shownKey;

// ---- places

export const toStage = ([x, y]) => [view.x + (x + 0.5) * view.scale, view.y + (y + 0.5) * view.scale];
export const toPicture = ([x, y]) => [(x - view.x) / view.scale - 0.5, (y - view.y) / view.scale - 0.5];
export const inside = ([x, y]) => x >= -0.5 && y >= -0.5 && x < view.width - 0.5 && y < view.height - 0.5;

// A place of the border as the centre of its pixel: labels outside the centres count as outside.
export const clamped = ([x, y]) => [Math.min(Math.max(x, 0), view.width - 1), Math.min(Math.max(y, 0), view.height - 1)];

export function fit() {
  const { clientWidth: width, clientHeight: height } = stage;
  view.scale = Math.min(width / view.width, height / view.height) || 1;
  view.x = (width - view.width * view.scale) / 2;
  view.y = (height - view.height * view.scale) / 2;
  fitted = true;
  redraw();
}

export function zoom(factor, [x, y] = [stage.clientWidth / 2, stage.clientHeight / 2]) {
  const least = Math.min(stage.clientWidth / view.width, stage.clientHeight / view.height) / 2;
  const scale = Math.min(Math.max(view.scale * factor, Math.min(least, 1)), 80);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  fitted = false;
  redraw();
  sharpen();
}

export function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  fitted = false;
  redraw();
  sharpen();
}

// ---- drawing, at most once a frame of the screen

let asked = 0; // 1: points, 2: the picture too
let since = 0;
export const redrawPoints = (event) => draw(1, event);
export const redraw = (event) => draw(2, event);

function draw(what, event) {
  if (event && !since) since = event.timeStamp;
  if (!asked) requestAnimationFrame(paint);
  asked = Math.max(asked, what);
}

function paint() {
  if (asked > 1) paintImage();
  paintPoints();
  asked = 0;
  if (since) {
    timings.paint.push(performance.now() - since);
    if (timings.paint.length > 2000) timings.paint.shift();
    since = 0;
  }
}

function paintImage() {
  const context = image.getContext("2d", { alpha: false });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = getComputedStyle(stage).backgroundColor;
  context.fillRect(0, 0, image.width, image.height);
  if (!shown) return;
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  context.imageSmoothingEnabled = view.scale < 3;
  context.drawImage(shown.bitmap, 0, 0, view.width, view.height);
  if (detail?.key === settled) {
    const { x, y, columns, rows } = detail.box;
    context.drawImage(detail.bitmap, x, y, columns, rows);
  }
}

function paintPoints() {
  const context = overlay.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, overlay.width, overlay.height);
  tell("painting");
  const frame = store.current;
  if (!isCurrent()) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (view.skeleton) paintSkeleton(context, frame);
  // Names come last: no point lies on them.
  const names = [];
  const places = [];
  for (const point of points()) {
    const xy = at(frame, point);
    const said = view.suggestions && !xy && !isAbsent(frame, point) ? suggestion(frame, point) : null;
    if (!xy && !said) continue;
    const place = toStage(xy ?? said);
    places.push(place);
    if (xy) paintLabel(context, point, place);
    else paintSuggestion(context, point, place, said[2]);
    if (view.names || same(point, store.point) || same(point, view.hover)) {
      names.push([xy ? title(point) : `${title(point)} ${Math.round(100 * said[2])} %`, place]);
    }
  }
  // Of all names together, each is where it is looked for: above.
  for (const name of names) paintName(context, ...name, view.names ? [] : places);
}

function paintSkeleton(context, frame) {
  const { edges, individuals } = store.project;
  context.lineWidth = 1.5;
  for (let i = 0; i < individuals.length; i++) {
    context.strokeStyle = store.project.several ? store.project.animal_colors[i] : "#fff";
    context.globalAlpha = 0.75;
    context.beginPath();
    for (const [a, b] of edges) {
      const [from, to] = [at(frame, [i, a]), at(frame, [i, b])];
      if (!from || !to) continue;
      context.moveTo(...toStage(from));
      context.lineTo(...toStage(to));
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function paintLabel(context, point, [x, y]) {
  const chosen = same(point, store.point);
  circle(context, x, y, view.dot + 1.2);
  context.fillStyle = "rgb(0 0 0 / .8)";
  context.fill();
  circle(context, x, y, view.dot);
  context.fillStyle = color(point);
  context.fill();
  if (store.project.several) ring(context, x, y, view.dot + 2.6, store.project.animal_colors[point[0]], 1.4);
  if (chosen) ring(context, x, y, view.dot + 5, "#fff", 1.6);
}

function ring(context, x, y, radius, stroke, width) {
  circle(context, x, y, radius);
  context.strokeStyle = stroke;
  context.lineWidth = width;
  context.stroke();
}

function paintSuggestion(context, point, [x, y], likelihood) {
  const chosen = same(point, store.point);
  context.globalAlpha = 0.35 + 0.65 * Math.min(Math.max(likelihood, 0), 1);
  ring(context, x, y, view.dot, "rgb(0 0 0 / .75)", 4);
  ring(context, x, y, view.dot, color(point), 2);
  const radius = store.radius[point[1]];
  if (radius && (chosen || same(point, view.hover))) {
    context.setLineDash([3, 4]);
    ring(context, x, y, Math.max(radius * view.scale, view.dot + 3), color(point), 1.2);
    context.setLineDash([]);
  }
  context.globalAlpha = 1;
}

function paintName(context, text, place, others) {
  context.font = "600 12px system-ui, sans-serif";
  const width = context.measureText(text).width;
  const [left, y] = spotOf(width, place, others);
  context.fillStyle = "rgb(16 20 24 / .78)";
  context.beginPath();
  context.roundRect(left - 4, y - 9, width + 8, 18, 4);
  context.fill();
  context.fillStyle = "#fff";
  context.fillText(text, left, y + 4);
}

// Where a name, whole on the stage, covers the fewest other points; above first: neighbours are as
// often below.
function spotOf(width, [x, y], others) {
  const [high, wide] = [view.dot + 13, view.dot + 9];
  const spots = [[x, y - high], [x, y + high], [x + wide, y], [x - wide - width, y], [x - width, y - high], [x - width, y + high]];
  const inStage = spots.map(([left, middle]) => [Math.max(Math.min(left, stage.clientWidth - width - 8), 8), middle]);
  const covered = inStage.map(([left, middle]) => {
    const outside = middle < 12 || middle > stage.clientHeight - 12 ? others.length + 1 : 0;
    const near = ([a, b]) => a > left - 4 - view.dot && a < left + width + 4 + view.dot && Math.abs(b - middle) < 9 + view.dot;
    return outside + others.filter(near).length;
  });
  return inStage[covered.indexOf(Math.min(...covered))];
}

// ---- which picture

// The point of a label, or of a suggestion, under a place of the stage.
export function hit(place, reach = 9) {
  const frame = store.current;
  if (!isCurrent()) return null;
  let best = null;
  let nearest = Math.max(reach, view.dot + 3);
  for (const point of points()) {
    const xy = at(frame, point);
    const said = !xy && view.suggestions && !isAbsent(frame, point) ? suggestion(frame, point) : null;
    if (!xy && !said) continue;
    const [x, y] = toStage(xy ?? said);
    const far = Math.hypot(x - place[0], y - place[1]) - (same(point, store.point) ? 2 : 0);
    if (far < nearest) [nearest, best] = [far, { point, label: Boolean(xy) }];
  }
  return best;
}

// Shows a picture once it is there. One is loaded at a time, and after it the one that is wanted by
// then: a key that is held down would have the server at work for long after it.
let queued = null;
let loading = false;

export async function show(load, key, text) {
  shownKey = key;
  queued = { load, key, text, began: performance.now() };
  if (loading) return;
  loading = true;
  while (queued) {
    const one = queued;
    queued = null;
    await showOne(one);
  }
  loading = false;
}

async function showOne({ load, key, text, began }) {
  detail = null;
  try {
    shown = await load();
  } catch (error) {
    [shown, settled] = [null, key];
    caption.textContent = `${text} · ${error.message}`;
    redraw();
    return;
  }
  settled = key;
  const resized = shown.width !== view.width || shown.height !== view.height;
  [view.width, view.height] = [shown.width, shown.height];
  caption.textContent = `${text} · ${view.width} × ${view.height}`;
  if (resized || fitted) fit();
  else redraw();
  if (key === shownKey) sharpen();
  requestAnimationFrame(() => timings.frame.push(performance.now() - began));
}

// A part of a picture larger than the screen is fetched in its own pixels once the view rests.
let waiting = 0;
function sharpen() {
  clearTimeout(waiting);
  const frame = store.current;
  if (!shown || !frame || store.mode !== "label" || store.looking !== null || shown.bitmap.width >= view.width) return;
  if (view.scale * ratio <= shown.bitmap.width / view.width) return;
  const key = shownKey;
  waiting = setTimeout(async () => {
    if (shownKey !== key) return;
    const [left, top] = toPicture([0, 0]).map((value) => Math.max(Math.floor(value), 0));
    const [right, bottom] = toPicture([stage.clientWidth, stage.clientHeight]);
    const box = {
      x: left,
      y: top,
      columns: Math.min(Math.ceil(right), view.width) - left,
      rows: Math.min(Math.ceil(bottom), view.height) - top,
    };
    if (box.columns < 1 || box.rows < 1) return;
    const found = await pictures.part(frame.key, box).catch(() => null);
    if (!found || shownKey !== key) return;
    detail = { key, box, bitmap: found.bitmap };
    redraw();
  }, 180);
}

export function light(brightness, contrast) {
  image.style.filter = brightness === 100 && contrast === 100 ? "" : `brightness(${brightness}%) contrast(${contrast}%)`;
}

new ResizeObserver(() => {
  ratio = window.devicePixelRatio || 1;
  for (const canvas of [image, overlay]) {
    canvas.width = Math.round(stage.clientWidth * ratio);
    canvas.height = Math.round(stage.clientHeight * ratio);
    // Pixels of the canvas are those of the screen, also where a zoom leaves a fraction of one.
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
  }
  if (fitted && view.width) fit();
  else redraw();
  tell("resized");
}).observe(stage);
