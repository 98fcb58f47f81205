// Decoded pictures, fetched once and a few ahead, no larger than the screen.

import { address as plain } from "./api.js";

const MOST = 24;
const kept = new Map(); // address -> promise of a bitmap

const screenSize = () => {
  const ratio = window.devicePixelRatio || 1;
  return { width: Math.round(screen.width * ratio), height: Math.round(screen.height * ratio) };
};

async function fetched(url) {
  const response = await fetch(url).catch(() => {
    throw new Error("the server does not answer");
  });
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Error(said.error ?? `The picture cannot be read (${response.status}).`);
  }
  return {
    bitmap: await createImageBitmap(await response.blob()),
    // Of the picture as it is stored, in whose pixels labels are.
    width: Number(response.headers.get("x-width")),
    height: Number(response.headers.get("x-height")),
  };
}

export function load(url) {
  let found = kept.get(url);
  kept.delete(url);
  found ??= fetched(url);
  kept.set(url, found);
  found.catch(() => kept.delete(url));
  while (kept.size > MOST) kept.delete(kept.keys().next().value);
  return found;
}

// What a browser keeps of another start of the server may be of other files.
let start = "";
export function since(code) {
  const other = start !== "" && start !== code;
  start = code;
  return other; // what is shown may be of other files
}
export const address = (name, query) => plain(name, { ...query, since: start });

export const ofFrame = (key) => load(address("frame", { key, ...screenSize() }));
export const ofFilm = (folder, number) => load(address("film", { folder, number, ...screenSize() }));
export const part = (key, box) => fetched(address("frame", { key, ...screenSize(), ...box }));
export const thumbnail = (key) => address("thumbnail", { key });
export const filmThumbnail = (folder, number) => address("film", { folder, number, width: 160, height: 96 });
