// Corrections of predictions on their way to the server: one after the other, and kept in the
// browser until they are answered.

import { get, page, post, why, Refused } from "./api.js";
import { store, tell } from "./store.js";

const AGAIN = 1500; // milliseconds after which the server is asked again
const queue = []; // of each: its film, what the page saw of that, and the correction
export const waiting = () => queue.length;

const places = () => `beampose proofread ${store.project.root}`;
const place = () => `${places()}\n${page}`;

function keep() {
  try {
    if (queue.length) localStorage.setItem(place(), JSON.stringify(queue));
    else localStorage.removeItem(place());
    return true;
  } catch {
    return false; // A full or forbidden storage.
  }
}

// Takes up what an earlier visit could not send. Returns how many corrections it found.
export function remembered() {
  const found = [];
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${places()}\n`));
    for (const key of keys) found.push(...read(localStorage.getItem(key)));
    queue.push(...found);
    // A page that still is open sends them too: by its name each is done once.
    if (keep()) for (const key of keys) if (key !== place()) localStorage.removeItem(key);
  } catch {
    // A forbidden storage.
  }
  for (const one of found) later(() => sent(one));
  return found.length;
}

function read(text) {
  try {
    return JSON.parse(text).filter(({ film, correction }) => film && correction?.id);
  } catch {
    return []; // Nothing that can be read was kept.
  }
}

// ---- one after the other: an undo that overtook a swap would undo what was before it

let last = Promise.resolve();

export function later(act) {
  last = last.then(act).catch(() => {});
}

let count = 0;
const done = new Map(); // of each film's predictions, how many corrections there were after ours

export function send(film, { code: of, made }, correction) {
  // By its name the server knows one that it has done already, whose answer was lost.
  const one = { film, of, made, correction: { ...correction, id: `${page} ${++count}` } };
  queue.push(one);
  keep();
  later(() => sent(one));
}

async function sent(one) {
  const found = await insist(one);
  queue.splice(queue.indexOf(one), 1);
  keep();
  if (found) tell("saving", "saved");
  tell("answered", { film: one.film, found });
}

// Asks until there is an answer: the server may be away for a while, or another page may write.
async function insist(one) {
  const { film, of, correction } = one;
  for (;;) {
    const made = Math.max(one.made, done.get(of) ?? 0);
    try {
      if (store.writing) {
        tell("saving", "saving");
        const found = await post("correct", { film, of, made, correction });
        done.set(of, found.made);
        return found;
      }
    } catch (error) {
      tell("saving", `Not saved: ${why(error)}`);
      if (error instanceof Refused && (await isFinal(error, { film, of, made }))) {
        tell("refused", error.message);
        return null;
      }
    }
    await new Promise((ended) => setTimeout(ended, AGAIN));
  }
}

// Whether a correction can never be done: it is none, or the film is not any more what was seen.
async function isFinal({ status }, { film, of, made }) {
  if (status !== 409) return [400, 404].includes(status);
  try {
    const now = await get("timeline", { film });
    return now.code !== of || now.made !== made;
  } catch (error) {
    return error instanceof Refused;
  }
}

// Where points of a row were put that the server does not know yet.
export function placed(film, row) {
  const left = [];
  for (const { correction } of queue.filter((one) => one.film === film)) {
    if (correction.do === "undo") left.pop();
    else left.push(correction);
  }
  return left.filter((one) => one.do === "place" && one.row === row);
}
