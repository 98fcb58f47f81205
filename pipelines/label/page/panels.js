// The list of frames on the left, bodyparts on the right, and what the top line says.

import { store, on, tell, title, at, isAbsent, isDone, same, suggestion, points, doneCount, labeledCount, canUndo } from "./store.js";
import { thumbnail } from "./pictures.js";

const list = document.getElementById("frames");
const parts = document.getElementById("bodyparts");
const animals = document.getElementById("individuals");
const filters = document.getElementById("filters");

const FILTERS = { all: "All", todo: "To do", next: "Next", doubt: "Doubtful" };

export function make(tag, properties = {}, ...children) {
  const found = Object.assign(document.createElement(tag), properties);
  found.append(...children);
  return found;
}

// ---- frames

// Frames in the order of the list, as it is filtered.
export function listed() {
  const doubtful = new Set(store.doubts.map((one) => one.frame));
  switch (store.filter) {
    case "todo":
      return store.frames.filter((frame) => doneCount(frame) < points().length || frame === store.current);
    case "next":
      return store.next.map((key) => store.byKey.get(key)).filter(Boolean);
    case "doubt":
      return store.frames.filter((frame) => doubtful.has(frame.key));
    default:
      return store.frames;
  }
}

// At the press: what is drawn anew before the button is let go is never clicked.
const pressed = (found, act) => found.addEventListener("mousedown", (event) => event.button === 0 && act());

const rows = new Map();

export function drawFrames() {
  for (const button of filters.children) button.classList.toggle("on", button.dataset.filter === store.filter);
  rows.clear();
  const found = listed();
  let folder = null;
  const children = [];
  for (const frame of found) {
    if (frame.folder !== folder && store.filter !== "next") {
      folder = frame.folder;
      children.push(make("div", { className: "group", textContent: folder, title: folder }));
    }
    children.push(row(frame));
  }
  if (!found.length) {
    const text = { next: "The model has no opinion yet.", doubt: "No label is doubtful.", todo: "All is labeled." };
    children.push(make("div", { className: "empty", textContent: text[store.filter] ?? "There are no frames." }));
  }
  list.replaceChildren(...children);
  drawRow(store.current);
  rows.get(store.current?.key)?.scrollIntoView({ block: "nearest" });
}

function row(frame) {
  const image = make("img", { loading: "lazy", alt: "", src: thumbnail(frame.key) });
  const found = make("div", { className: "frame", title: frame.key }, image, make("div"));
  pressed(found, () => tell("go", frame));
  rows.set(frame.key, found);
  fill(found, frame);
  return found;
}

function fill(found, frame) {
  const [all, done] = [points().length, doneCount(frame)];
  found.classList.toggle("on", frame === store.current);
  found.classList.toggle("done", done === all);
  const doubtful = store.doubts.some((one) => one.frame === frame.key);
  const what = make("div", { className: "what" });
  if (done === all) what.append(`✓ ${labeledCount(frame)} of ${all} seen`);
  else if (done) {
    const bar = make("i");
    bar.style.width = `${(100 * done) / all}%`;
    what.append(make("span", { className: "mini" }, bar), `${done}/${all}`);
  } else what.append(store.suggestions.has(frame.key) ? "○ suggested" : "not labeled");
  if (doubtful) what.append(make("span", { className: "flag", textContent: "!", title: "a label the model contradicts" }));
  const name = frame.number === null ? frame.image : `frame ${frame.number}`;
  found.lastChild.replaceChildren(make("div", { className: "name", textContent: name }), what);
}

function drawRow(frame) {
  for (const [key, found] of rows) found.classList.toggle("on", key === store.current?.key);
  if (frame && rows.has(frame.key)) fill(rows.get(frame.key), frame);
}

// ---- bodyparts

const chosenAnimal = () => store.point?.[0] ?? 0;

export function drawParts() {
  const { project, current: frame } = store;
  animals.hidden = !project.several;
  if (project.several) {
    animals.replaceChildren(
      ...project.individuals.map((name, i) => {
        const own = points().filter((point) => point[0] === i);
        const done = frame ? own.filter((point) => isDone(frame, point)).length : 0;
        const shown = name === project.single ? "scene" : name;
        const button = make("button", { textContent: `${shown} ${done}/${own.length}` });
        button.classList.toggle("on", i === chosenAnimal());
        button.style.borderBottom = `2px solid ${project.animal_colors[i]}`;
        pressed(button, () => choose(own.find((point) => frame && !isDone(frame, point)) ?? own[0]));
        return button;
      }),
    );
  }
  const own = points().filter((point) => point[0] === chosenAnimal());
  parts.classList.toggle("many", own.length > 14);
  parts.replaceChildren(...own.map((point) => part(frame, point)));
  parts.querySelector(".on")?.scrollIntoView({ block: "nearest" });
  const open = frame ? points().filter((point) => !isDone(frame, point) && suggestion(frame, point)) : [];
  document.getElementById("accept").disabled = !open.length || !store.writing;
  document.getElementById("copy").disabled = !store.writing;
}

function part(frame, point) {
  const [, b] = point;
  const found = make("li", {}, make("span", { className: "dot" }), make("span", { className: "text" }), make("span", { className: "state" }));
  found.style.setProperty("--c", store.project.colors[b]);
  found.children[1].textContent = found.title = store.project.bodyparts[b];
  found.classList.toggle("on", same(point, store.point));
  if (frame) {
    const said = suggestion(frame, point);
    if (at(frame, point)) found.classList.add("labeled");
    else if (isAbsent(frame, point)) {
      found.classList.add("absent");
      found.children[2].textContent = "not visible";
    } else if (said) found.children[2].textContent = `${Math.round(100 * said[2])} %`;
  }
  pressed(found, () => choose(point));
  return found;
}

function choose(point) {
  store.point = point;
  tell("point");
}

// ---- the top line

export function drawTop() {
  const { frames } = store;
  const all = points().length;
  const done = frames.filter((frame) => doneCount(frame) === all).length;
  document.getElementById("done-bar").style.width = `${frames.length ? (100 * done) / frames.length : 0}%`;
  document.getElementById("done-text").textContent = `${done} of ${frames.length} frames`;
  const [undoes, redoes] = canUndo();
  document.getElementById("undo").disabled = !undoes || !store.writing;
  document.getElementById("redo").disabled = !redoes || !store.writing;
}

for (const [filter, text] of Object.entries(FILTERS)) {
  const button = make("button", { textContent: text });
  button.dataset.filter = filter;
  button.addEventListener("click", () => {
    store.filter = filter;
    drawFrames();
  });
  filters.append(button);
}

let later = 0;
on("changed", (key) => {
  if (store.mode !== "label") return;
  drawRow(store.byKey.get(key));
  drawParts();
  drawTop();
});
on("point", drawParts);
on("suggestions", () => {
  drawParts();
  // Thousands of rows are not drawn with every answer.
  clearTimeout(later);
  later = setTimeout(() => {
    if (store.mode !== "label") return;
    if (store.filter === "next" || store.filter === "doubt") drawFrames();
    else for (const [key, found] of rows) fill(found, store.byKey.get(key));
  }, 250);
});
