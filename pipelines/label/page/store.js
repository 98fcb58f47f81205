// Labels in memory, what was done and can be undone, and what the server has not yet written.

import { page, post, why, Refused } from "./api.js";

const listeners = new Map();
export const on = (what, call) => listeners.set(what, [...(listeners.get(what) ?? []), call]);
export const tell = (what, value) => (listeners.get(what) ?? []).forEach((call) => call(value));

export const store = {
  project: null,
  frames: [],
  byKey: new Map(),
  current: null,
  point: null, // [individual, bodypart] that the next click places
  writing: false,
  why: "",
  written: 0, // changes of labels, here and elsewhere, that this page knows of
  suggestions: new Map(), // key -> [individual][bodypart] -> [x, y, likelihood] or null
  radius: [], // of each bodypart, pixels; null = not known
  next: [], // keys, those first that teach most
  doubts: [],
  filter: "all",
  mode: "label", // or "proofread"
  looking: null, // number of a film's frame that is shown instead
};

const name = ([i, b]) => `${i},${b}`;
export const same = (one, other) => one && other && one[0] === other[0] && one[1] === other[1];

// ---- reading

const namesOf = (project) => JSON.stringify([project.individuals, project.bodyparts, project.points]);

export function take(project) {
  if (store.project && namesOf(store.project) !== namesOf(project)) forget();
  store.project = project;
  store.frames = project.frames.map((frame) => ({ ...frame, absent: new Set(frame.absent.map(name)) }));
  store.byKey = new Map(store.frames.map((frame) => [frame.key, frame]));
  for (const change of pending.values()) write(change);
  if (store.current) store.current = store.byKey.get(store.current.key) ?? null;
}

// After a restart with another config the numbers of bodyparts mean others.
function forget() {
  done.length = undone.length = 0;
  store.suggestions.clear();
  [store.point, store.radius, store.next, store.doubts] = [null, [], [], []];
}

export const at = (frame, [i, b]) => frame.points[i][b];
export const isAbsent = (frame, point) => frame.absent.has(name(point));
export const isDone = (frame, point) => at(frame, point) !== null || isAbsent(frame, point);
export const points = () => store.project.points;
export const doneCount = (frame) => points().reduce((sum, point) => sum + isDone(frame, point), 0);
export const labeledCount = (frame) => points().reduce((sum, point) => sum + (at(frame, point) !== null), 0);
export const suggestion = (frame, [i, b]) => store.suggestions.get(frame.key)?.[i]?.[b] ?? null;

export function title([i, b]) {
  const { project } = store;
  const part = project.bodyparts[b];
  if (!project.several || project.individuals[i] === project.single) return part;
  return `${part} of ${project.individuals[i]}`;
}

export const color = ([i, b]) => store.project.colors[b];

// The point after another one in a frame that is not done yet; null if all are.
export function nextOpen(frame, after) {
  const all = points();
  const start = after ? all.findIndex((point) => same(point, after)) + 1 : 0;
  for (let k = 0; k < all.length; k++) {
    const point = all[(start + k) % all.length];
    if (!isDone(frame, point)) return point;
  }
  return null;
}

// ---- changing

const undone = [];
const done = [];
const MOST_UNDONE = 1000;

const valueOf = (frame, point) => ({ xy: at(frame, point), absent: isAbsent(frame, point) });

// A point by its names, as it is kept and sent: numbers mean others once the config is changed.
const pointNames = ([i, b]) => [store.project.individuals[i], store.project.bodyparts[b]];

function write({ frame: key, point: [individual, bodypart], xy, absent }) {
  const frame = store.byKey.get(key);
  const point = [store.project.individuals.indexOf(individual), store.project.bodyparts.indexOf(bodypart)];
  // The server refuses what is not there any more, and says so.
  if (!frame || point.includes(-1)) return;
  frame.points[point[0]][point[1]] = xy;
  if (absent && !xy) frame.absent.add(name(point));
  else frame.absent.delete(name(point));
}

const ONLY_LOOKS_ON = "This page only looks on.";
const ONLY_LOOKED_AT = "This frame is only looked at. Esc: back · L: label it";

// Does several changes of one frame as one step that can be undone.
export function change(frame, wanted) {
  if (!store.writing) {
    tell("refused", store.why || ONLY_LOOKS_ON);
    return false;
  }
  if (store.mode === "proofread") {
    tell("corrected", wanted);
    return true;
  }
  if (store.looking !== null) {
    tell("said", ONLY_LOOKED_AT);
    return false;
  }
  const step = wanted
    .map(({ point, xy = null, absent = false }) => ({
      frame: frame.key,
      point,
      before: valueOf(frame, point),
      after: { xy: xy && [round(xy[0]), round(xy[1])], absent },
    }))
    .filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after));
  if (!step.length) return false;
  done.push(step);
  if (done.length > MOST_UNDONE) done.shift();
  undone.length = 0;
  apply(step, "after");
  return true;
}

const round = (value) => Math.round(value * 1000) / 1000;

function apply(step, side) {
  for (const { frame, point, [side]: value, [side === "after" ? "before" : "after"]: was } of step) {
    const said = { frame, point: pointNames(point), ...value };
    write(said);
    const key = [frame, ...said.point].join("\n");
    // What the server may have by now: a later visit sees by it what is newer there.
    pending.set(key, { ...said, was: [...(pending.get(key)?.was ?? []), was] });
  }
  keep();
  tell("changed", step[0].frame);
  flush();
}

function back(from, to, side) {
  if (store.mode !== "label") return;
  if (!store.writing) {
    tell("refused", store.why || ONLY_LOOKS_ON);
    return;
  }
  if (!from.length) return;
  if (store.looking !== null) {
    tell("said", ONLY_LOOKED_AT);
    return;
  }
  const step = from.pop();
  to.push(step);
  apply(step, side);
  tell("went", { frame: step[0].frame, point: step[0].point });
}
export const undo = () => back(done, undone, "before");
export const redo = () => back(undone, done, "after");
export const canUndo = () => [done.length > 0, undone.length > 0];

// ---- saving: one request at a time; what fails is sent again, and outlives a reload

export const pending = new Map();
let sending = false;
let retry = 0;
// Each page keeps its own: another one that saves does not take away what this one could not.
const places = (project) => `beampose label ${project.root}`;
const place = () => `${places(store.project)}\n${page}`;
// What is kept by other pages and taken up here, as it stands there.
const taken = new Map();

function keep() {
  try {
    if (pending.size) localStorage.setItem(place(), JSON.stringify([...pending]));
    else localStorage.removeItem(place());
    for (const [kept, changes] of taken) {
      if (changes.some(([key, said]) => pending.get(key) === said)) continue;
      taken.delete(kept);
      localStorage.removeItem(kept);
    }
  } catch {
    // A full or forbidden storage: the server has them a moment later anyway.
  }
}

// A page that still is open has saved, or changed, what this one had taken up from it.
window.addEventListener("storage", ({ key, newValue }) => {
  const before = taken.get(key);
  if (!before) return;
  for (const [name, said] of before) if (pending.get(name) === said) pending.delete(name);
  taken.delete(key);
  if (newValue) takeUp(store.project, key, newValue);
  keep();
  tell("stale");
});

// Takes up what an earlier visit could not send. Returns how many changes it found, and the frames
// of those left out: that name bodyparts by numbers, as pages once did (of what, nobody knows), and
// whose points were labeled anew since then.
export function remembered(project) {
  const left = { unknown: new Set(), newer: new Set() };
  try {
    const own = places(project);
    for (const key of Object.keys(localStorage)) {
      if (key === own || key.startsWith(`${own}\n`)) takeUp(project, key, localStorage.getItem(key), left);
    }
  } catch {
    // A forbidden storage.
  }
  return { found: pending.size, unknown: [...left.unknown], newer: [...left.newer] };
}

function takeUp(project, place, text, { unknown, newer } = { unknown: new Set(), newer: new Set() }) {
  const changes = [];
  try {
    for (const [key, said] of JSON.parse(text)) {
      if (!said.point.every((one) => typeof one === "string")) unknown.add(said.frame);
      else if (isNewer(project, said)) newer.add(said.frame);
      else changes.push([key, said]);
    }
  } catch {
    // Nothing that can be read was kept.
  }
  for (const [key, said] of changes) pending.set(key, said);
  if (changes.length) taken.set(place, changes);
  else localStorage.removeItem(place);
}

// Whether a project has another value of a point than those that a change found there.
function isNewer(project, { frame: key, point: [individual, bodypart], xy, absent, was }) {
  const frame = project.frames.find((one) => one.key === key);
  const [i, b] = [project.individuals.indexOf(individual), project.bodyparts.indexOf(bodypart)];
  if (!was || !frame || i < 0 || b < 0) return false;
  const now = { xy: frame.points[i][b], absent: frame.absent.some((one) => same(one, [i, b])) };
  return ![...was, { xy, absent }].some((one) => alike(now, one));
}

// Label files may hold fewer digits than a page does.
const CLOSE = 0.01;
const alike = (one, other) =>
  one.absent === other.absent &&
  (one.xy && other.xy ? one.xy.every((value, k) => Math.abs(value - other.xy[k]) < CLOSE) : !one.xy && !other.xy);

const MOST = 500;
const SLOW = 10000; // milliseconds without an answer that are told
let most = MOST; // changes in a request; of those that are refused, the bad ones are found by halving
let answers = 0;
export const answered = () => answers;
export const isSending = () => sending;

export async function flush() {
  if (sending || !pending.size || !store.writing) return;
  sending = true;
  clearTimeout(retry);
  const sent = [...pending].slice(0, most);
  const saidSlow = setTimeout(() => tell("saving", `Not saved: the server has not answered for ${SLOW / 1000} s`), SLOW);
  tell("saving", "saving");
  let failed = false;
  try {
    const changes = sent.map(([, said]) => said);
    const { newer = [], written } = await post("changes", { changes, of: store.project.code });
    answers++;
    // Otherwise there are changes of others, which are asked for next.
    if (written === store.written + 1) store.written = written;
    most = Math.min(2 * most, MOST);
    for (const [key, said] of sent) if (pending.get(key) === said) pending.delete(key);
    keep();
    tell("saving", pending.size ? "saving" : "saved");
    if (newer.length) labeledAnew(newer);
  } catch (error) {
    if (error instanceof Refused && [400, 404].includes(error.status)) refused(sent, error);
    else {
      failed = true;
      tell("saving", `Not saved: ${why(error)}`);
      retry = setTimeout(flush, 1500);
    }
  } finally {
    sending = false;
    clearTimeout(saidSlow);
  }
  if (pending.size && !failed) flush();
}

// What another page or program labeled since this page saw it stays as that one says.
function labeledAnew(newer) {
  const names = newer.map(({ frame, point }) => `${point[1]} in ${frame}`);
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  tell("refused", `Labeled anew meanwhile, and left as it is now: ${names.slice(0, 5).join(", ")}${more}. Look again.`);
  tell("stale");
}

// One that can never be written goes, since asking again would hold up all others; these stay.
function refused(sent, error) {
  if (sent.length > 1) {
    most = Math.ceil(sent.length / 2);
    return;
  }
  const [[key, { frame, point }]] = sent;
  pending.delete(key);
  keep();
  tell("saving", pending.size ? "saving" : "saved");
  tell("refused", `${point[1]} in ${frame} was not saved: ${error.message}`);
  tell("stale");
}
