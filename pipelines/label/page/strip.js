// A few frames of the film before and after the one that is labeled: what moves is told from them.

import { get, post, why } from "./api.js";
import { store, on, tell } from "./store.js";
import { filmThumbnail, ofFilm } from "./pictures.js";
import { make } from "./panels.js";
import * as view from "./view.js";

const strip = document.getElementById("strip");
const stage = document.getElementById("stage");
const hint = document.getElementById("hint");
const AROUND = 5;
// By an address of theirs, which is another one once the server finds another film there.
const films = new Map();
const known = (folder) => filmThumbnail(folder, 0);

async function film(folder) {
  const name = known(folder);
  if (!films.has(name)) {
    try {
      films.set(name, await get("film", { folder }));
    } catch (error) {
      // Asked again for the next frame: the server may be back.
      return { count: 0, why: why(error).replace(/\.$/, "") };
    }
  }
  return films.get(name);
}

export const forget = (folder) => films.delete(known(folder));

let asked = 0;
export async function drawStrip() {
  const frame = store.current;
  const mine = ++asked;
  if (!frame) return strip.replaceChildren();
  const found = await film(frame.folder);
  if (mine !== asked) return undefined;
  if (!found.count || frame.number === null) {
    const why = found.why || "this image has no number of a frame";
    return strip.replaceChildren(make("span", { className: "note", textContent: `No frames before and after: ${why}.` }));
  }
  const had = new Set(store.frames.filter((one) => one.folder === frame.folder).map((one) => one.number));
  const shots = [];
  for (let number = frame.number - AROUND; number <= frame.number + AROUND; number++) {
    if (number < 0 || number >= found.count) continue;
    const image = make("img", { alt: "", src: filmThumbnail(frame.folder, number) });
    const shot = make("button", { className: "shot", title: `frame ${number}` }, image, make("b", { textContent: number }));
    shot.dataset.number = number;
    shot.classList.toggle("here", number === frame.number);
    shot.classList.toggle("in", had.has(number));
    shot.addEventListener("click", () => look(number));
    shots.push(shot);
  }
  return strip.replaceChildren(...shots);
}

// Shows another frame of the film in place of the labeled one.
export async function look(number) {
  const frame = store.current;
  if (!frame || frame.number === null) return;
  const found = await film(frame.folder);
  if (number < 0 || number >= found.count || frame !== store.current) return;
  if (number === frame.number) {
    back();
    return;
  }
  store.looking = number;
  stage.classList.add("looking");
  const away = number - frame.number;
  hint.textContent = `${away > 0 ? "+" : ""}${away} · Esc: back · L: label this frame`;
  for (const shot of strip.children) shot.classList.toggle("on", Number(shot.dataset.number) === number);
  view.show(() => ofFilm(frame.folder, number), `film ${frame.folder} ${number}`, `${frame.folder} · frame ${number}`);
}

export const step = (by) => look((store.looking ?? store.current?.number ?? 0) + by);

export function back() {
  if (store.looking === null) return;
  clear();
  tell("go", store.current);
}

export function clear() {
  store.looking = null;
  stage.classList.remove("looking");
  hint.textContent = "";
}

// The frame that is looked at becomes one of the project.
export async function label() {
  const [frame, number] = [store.current, store.looking];
  if (!frame || number === null) return;
  const there = store.frames.find((one) => one.folder === frame.folder && one.number === number);
  clear();
  if (there) {
    tell("go", there);
    return;
  }
  try {
    const { added } = await post("more", { folder: frame.folder, number });
    tell("added", added);
  } catch (error) {
    tell("refused", why(error));
    // The film may be gone, or another one.
    forget(frame.folder);
  }
}

on("frames", drawStrip);
