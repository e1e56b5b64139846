// Networks as bars of one figure.

import { chosen, figureOf, metric, sorted } from "./data.js";
import { fitted, h, hatch, measured, onEnter, s } from "./dom.js";
import { axis, full, tick } from "./numbers.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./data.js").Network} Network */

const ROW = 28;
const HEAD = 26;
const FONT = "13px system-ui, sans-serif";

/**
 * @param {State} state @param {number} wide @param {(one: Network, beside: boolean) => void} pick
 */
export function bars(state, wide, pick) {
  const by = metric(state.metric);
  const networks = sorted(chosen(state), state.sort, by);
  if (!networks.length) return h("p", { class: "quiet", role: "status" }, "No network fits the search.");
  const known = networks.map((one) => figureOf(one, by)).filter((value) => typeof value === "number");
  const log = state.scale === "log" && by.unit !== "year" && by.unit !== "percent";
  const lying = axis(
    /** @type {number[]} */ (known),
    log,
    by.unit !== "year",
    Math.max(2, Math.floor(wide / 110)),
  );
  const names = Math.min(Math.max(...networks.map((one) => measured(one.title, FONT))) + 12, wide * 0.38);
  const labels = networks.map((one) => {
    const value = figureOf(one, by);
    return typeof value === "number" ? full(by, value, one.said) : "";
  });
  const behind = Math.min(Math.max(30, ...labels.map((text) => measured(text, FONT))) + 10, wide * 0.4);
  const room = Math.max(wide - names - behind - 4, 20);
  const high = HEAD + networks.length * ROW + 6;
  const said = `${by.title} of ${networks.length} networks${log ? ", logarithmic" : ""}`;
  const svg = s("svg", {
    class: "chart",
    width: wide,
    height: high,
    viewBox: `0 0 ${wide} ${high}`,
    role: "group",
    "aria-label": said,
  });
  svg.append(s("defs", {}, hatch("unknown", "var(--quiet)")));
  let before = -100;
  for (const value of lying.ticks) {
    const x = names + lying.at(value) * room;
    svg.append(s("line", { class: "grid", x1: x, x2: x, y1: HEAD - 6, y2: high - 4 }));
    const text = tick(by, value);
    const half = measured(text, "11px system-ui, sans-serif") / 2;
    if (x - half < before) continue;
    svg.append(s("text", { class: "tick", x, y: HEAD - 10, "text-anchor": "middle" }, text));
    before = x + half + 8;
  }
  networks.forEach((one, i) => {
    const value = figureOf(one, by);
    const y = HEAD + i * ROW;
    const called = fitted(one.title, names - 10, FONT);
    const known = typeof value === "number";
    const stub = Math.min(70, room / 3);
    const told = known ? labels[i] : fitted(`unknown: ${value}`, wide - names - stub - 10, FONT);
    const all = `${one.title}: ${known ? labels[i] : `unknown, for ${value}`}`;
    const row = s("g", {
      class: one.name === state.net ? "row here" : "row",
      tabindex: 0,
      role: "button",
      "data-name": one.name,
      "data-value": known ? value : null,
      // what is seen comes first, so that who says it finds it
      "aria-label": `${called} ${told}, ${by.called} of ${all}`,
      onclick: (event) => pick(one, event.shiftKey),
      onkeydown: onEnter((event) => pick(one, event.shiftKey)),
    });
    const bar = { x: names, y: y + 5, height: ROW - 10, rx: 2 };
    const long = known ? Math.max(lying.at(value), 0) * room : stub;
    row.append(
      s("rect", { class: "touch", x: 0, y, width: wide, height: ROW, rx: 4 }),
      s("text", { class: "name", x: names - 8, y: y + 19, "text-anchor": "end" }, called),
      " ",
      known
        ? s("rect", { ...bar, class: "bar", width: Math.max(long, value ? 1 : 0) })
        : s("rect", { ...bar, class: "stub", width: stub, fill: "url(#unknown)" }),
      s("text", { class: known ? "label" : "why", x: names + long + 6, y: y + 19 }, told),
      s("title", {}, all),
    );
    svg.append(row);
  });
  return svg;
}
