// What the model in the loop says: its state, how good it is, what it doubts; and the run button.

import { post, why } from "./api.js";
import { store, change, title, tell, at } from "./store.js";
import { make } from "./panels.js";
import { isCurrent } from "./view.js";

const byId = (id) => document.getElementById(id);
const NAMES = { waiting: "waiting", embedding: "looking", training: "learning", ready: "ready", off: "off" };

export function drawModel(model) {
  byId("model-state").textContent = NAMES[model.state] ?? model.state;
  byId("model-text").textContent = model.text ?? "";
  byId("promise").textContent = model.promise ?? "";
  byId("curve").replaceChildren(...(model.curve?.length > 1 ? [curve(model.curve)] : []));
}

// Held-out error over labeled frames.
function curve(entries) {
  const [width, height, left, bottom] = [228, 84, 30, 16];
  const most = Math.max(...entries.map(([, error]) => error)) * 1.1 || 1;
  const [first, last] = [entries[0][0], entries.at(-1)[0]];
  const x = (count) => left + 4 + ((count - first) / Math.max(last - first, 1)) * (width - left - 12);
  const y = (error) => 6 + (1 - error / most) * (height - bottom - 6);
  const svg = svgOf("svg", { viewBox: `0 0 ${width} ${height}` });
  for (const value of [0, most / 2, most / 1.1]) {
    svg.append(svgOf("line", { class: "axis", x1: left, x2: width, y1: y(value), y2: y(value) }));
    svg.append(svgOf("text", { x: left - 4, y: y(value) + 3, "text-anchor": "end" }, value.toFixed(value < 10 ? 1 : 0)));
  }
  svg.append(svgOf("polyline", { class: "line", points: entries.map(([n, e]) => `${x(n)},${y(e)}`).join(" ") }));
  for (const [count, error] of entries) svg.append(svgOf("circle", { cx: x(count), cy: y(error), r: 2.4 }));
  svg.append(svgOf("text", { x: left, y: height - 3 }, `${first}`));
  svg.append(svgOf("text", { x: width - 4, y: height - 3, "text-anchor": "end" }, `${last} frames`));
  svg.append(svgOf("text", { x: width / 2, y: height - 3, "text-anchor": "middle" }, "held-out error, px"));
  return svg;
}

function svgOf(tag, attributes, text = "") {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.textContent = text;
  return found;
}

// Labels that the model contradicts.
export function drawDoubts() {
  const shown = store.doubts.filter((one) => {
    const frame = store.byKey.get(one.frame);
    return frame && at(frame, one.point);
  });
  byId("doubt-card").hidden = !shown.length;
  byId("doubt-count").textContent = shown.length || "";
  byId("doubts").replaceChildren(
    ...shown.slice(0, 30).map((one) => {
      const frame = store.byKey.get(one.frame);
      const far = one.other ? `⇄ ${title(one.other)}` : `${one.distance.toFixed(0)} px`;
      const found = make("li", { tabIndex: 0 }, make("span", { textContent: title(one.point) }), make("small", { textContent: `${frame.number ?? frame.image} · ${far}` }));
      found.addEventListener("mousedown", () => {
        tell("go", frame);
        store.point = one.point;
        tell("point");
      });
      return found;
    }),
  );
  drawSwap();
}

export const swapOf = (frame) => frame && store.doubts.find((one) => one.frame === frame.key && one.other && at(frame, one.point) && at(frame, one.other));

export function drawSwap() {
  const found = swapOf(store.current);
  const box = byId("swap");
  box.hidden = !found || !store.writing;
  if (!found) return;
  const button = make("button", {}, "Swap ", make("kbd", { textContent: "S" }));
  button.addEventListener("click", swap);
  box.replaceChildren(make("span", { textContent: `${title(found.point)} and ${title(found.other)} look swapped` }), button);
}

export function swap() {
  const frame = store.current;
  const found = swapOf(frame);
  if (!found) return;
  if (!isCurrent() && store.looking === null) {
    tell("said", "The picture is not here yet.");
    return;
  }
  const [one, other] = [at(frame, found.point), at(frame, found.other)];
  const swapped = [
    { point: found.point, xy: other },
    { point: found.other, xy: one },
  ];
  if (!change(frame, swapped)) return;
  store.doubts = store.doubts.filter((doubt) => doubt.frame !== frame.key);
  drawDoubts();
  tell("suggestions");
}

// ---- the run

let running = false;
export function drawRun(run) {
  running = run.running;
  byId("run-state").textContent = run.running ? "at work" : run.code === 0 ? "done" : run.code === null ? "" : "failed";
  byId("run").disabled = run.running || !store.writing;
  byId("run").textContent = run.code === null ? "Run" : "Run again";
  byId("stop").hidden = !run.running;
  byId("run-lines").hidden = !run.lines.length;
  const text = run.lines.join("\n");
  if (byId("run-lines").textContent !== text) {
    byId("run-lines").textContent = text;
    byId("run-lines").scrollTop = 1e6;
  }
}

byId("run").addEventListener("click", () => post("run").catch((error) => tell("refused", why(error))));
byId("stop").addEventListener("click", () => running && post("stop").catch((error) => tell("refused", why(error))));
