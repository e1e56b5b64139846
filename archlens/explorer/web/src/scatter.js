// Networks as bubbles: one figure over another, with a third as the area.

import { chosen, data, figureOf, metric } from "./data.js";
import { h, measured, onEnter, s } from "./dom.js";
import { axis, front, full, tick } from "./numbers.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./data.js").Network} Network */
/** @typedef {import("./data.js").Metric} Metric */

const FONT = "11px system-ui, sans-serif";
const KEY = "12.5px system-ui, sans-serif";
/** How high a line of the key of colours is, and where its texts begin after their marks. */
const LINE = 20;
const MARK = 17;
/** How many networks that are not drawn are named. */
const NAMED = 5;
const HUES = 8;

/** The measures whose axis is logarithmic, and whose zero an area has. @param {Metric} by */
export const isCount = (by) => by.unit === "count" || by.unit === "bytes";

/** @param {State} state @param {number} wide @param {(one: Network, beside: boolean) => void} pick */
export function scatter(state, wide, pick) {
  const [x, y] = [metric(state.x), metric(state.y)];
  const area = state.area && state.area !== "none" ? metric(state.area) : null;
  const asked = [x, y, ...(area ? [area] : [])];
  const all = chosen(state);
  const drawn = all.filter((one) =>
    asked.every((by) => {
      const value = figureOf(one, by);
      return typeof value === "number" && (value > 0 || !isCount(by) || by === area);
    }),
  );
  if (!drawn.length) {
    return h(
      "p",
      { class: "quiet", role: "status" },
      `Of no network that is chosen ${asked.map((by) => by.called).join(" and ")} are known.`,
    );
  }
  const value = (/** @type {Network} */ one, /** @type {Metric} */ by) =>
    /** @type {number} */ (figureOf(one, by));
  const high = Math.round(Math.min(Math.max(wide * 0.62, 300), 620));
  const [left, right, top, low] = [52, wide - 14, 30, high - 46];
  const axisOf = (/** @type {Metric} */ by, /** @type {number} */ most) =>
    axis(
      drawn.map((one) => value(one, by)),
      isCount(by) && state.scale !== "plain",
      false,
      most,
    );
  const across = axisOf(x, Math.max(2, Math.floor(wide / 110)));
  const upward = axisOf(y, 6);
  const px = (/** @type {Network} */ one) => left + (0.03 + 0.94 * across.at(value(one, x))) * (right - left);
  const py = (/** @type {Network} */ one) => low - (0.04 + 0.92 * upward.at(value(one, y))) * (low - top);
  const largest = area ? Math.max(...drawn.map((one) => value(one, area))) : 1;
  const most = Math.max(10, Math.min(30, (30 * Math.sqrt(14)) / Math.sqrt(drawn.length), wide / 24));
  const radius = (/** @type {Network} */ one) =>
    area ? Math.max(2.5, most * Math.sqrt(value(one, area) / largest)) : 5;
  const hues = huesOf(drawn);
  const keys = keysOf(drawn, hues, wide);
  const hueOf = (/** @type {Network} */ one) => hues.get(one.family) ?? HUES - 1;
  const said = `${y.title} over ${x.title}${area ? `, areas ${area.called}` : ""}: ${drawn.length} networks`;
  const svg = s("svg", {
    class: "chart scatter",
    width: wide,
    height: high + keys.high,
    viewBox: `0 0 ${wide} ${high + keys.high}`,
    role: "group",
    "aria-label": said,
  });
  let before = -100;
  for (const at of across.ticks) {
    const spot = left + (0.03 + 0.94 * across.at(at)) * (right - left);
    svg.append(s("line", { class: "grid", x1: spot, x2: spot, y1: top, y2: low }));
    const half = measured(tick(x, at), FONT) / 2;
    if (spot - half < before) continue;
    svg.append(s("text", { class: "tick", x: spot, y: low + 16, "text-anchor": "middle" }, tick(x, at)));
    before = spot + half + 8;
  }
  for (const at of upward.ticks) {
    const spot = low - (0.04 + 0.92 * upward.at(at)) * (low - top);
    svg.append(s("line", { class: "grid", x1: left, x2: right, y1: spot, y2: spot }));
    svg.append(s("text", { class: "tick", x: left - 6, y: spot + 4, "text-anchor": "end" }, tick(y, at)));
  }
  svg.append(
    s("text", { class: "axis", x: right, y: high - 10, "text-anchor": "end" }, x.title),
    s("text", { class: "axis", x: 4, y: 14 }, y.title),
  );
  const order = [...drawn].sort((a, b) => radius(b) - radius(a));
  /** @type {Network[]} */
  let best = [];
  if (state.front && x.better && y.better) {
    best = front(
      drawn.map((one) => [value(one, x), value(one, y)]),
      [x.better, y.better],
    ).map((i) => drawn[i]);
    svg.append(
      s("polyline", { class: "front", points: best.map((one) => `${px(one)},${py(one)}`).join(" ") }),
    );
  }
  for (const one of order) {
    const texts = asked.map((by) => `${by.called} ${full(by, value(one, by), one.said)}`);
    svg.append(
      s(
        "g",
        {
          class: one.name === state.net ? "bubble here" : "bubble",
          tabindex: 0,
          role: "button",
          "data-name": one.name,
          "aria-label": `${one.title}: ${texts.join(", ")}`,
          onclick: (event) => pick(one, event.shiftKey),
          onkeydown: onEnter((event) => pick(one, event.shiftKey)),
        },
        s("circle", {
          class: `disc hue${hueOf(one)}`,
          cx: px(one),
          cy: py(one),
          r: radius(one),
        }),
        radius(one) > 6 ? s("circle", { class: "dot", cx: px(one), cy: py(one), r: 1.4 }) : null,
        s("title", {}, `${one.title}: ${texts.join(", ")}`),
      ),
    );
  }
  if (keys.items.length) {
    const key = s("g", { class: "hues", role: "list", "aria-label": "The colours of the families" });
    for (const { called, hue, x, y } of keys.items)
      key.append(
        s(
          "g",
          { role: "listitem" },
          s("circle", { class: `disc hue${hue}`, cx: x + 6, cy: high + y, r: 5 }),
          s("text", { x: x + MARK, y: high + y + 4 }, called),
        ),
      );
    svg.append(key);
  }
  label([...best, ...(drawn.length <= 60 ? drawn : [])]);
  const rest = all.filter((one) => !drawn.includes(one));
  return h(
    "div",
    {},
    svg,
    rest.length
      ? h(
          "p",
          { class: "quiet" },
          `Not drawn, since a figure is unknown: ${rest.length > NAMED ? `${rest.length} of ${all.length} networks` : rest.map((one) => one.title).join(", ")}.`,
        )
      : null,
  );

  /** Names where there is room for them. @param {Network[]} named */
  function label(named) {
    /** @type {[number, number, number, number][]} */
    const taken = drawn.map((one) => [px(one) - 3, py(one) - 3, px(one) + 3, py(one) + 3]);
    for (const one of new Set(named)) {
      const long = measured(one.title, FONT);
      const r = radius(one) + 3;
      const places = /** @type {[number, number][]} */ ([
        [px(one) + r, py(one) + 4],
        [px(one) - r - long, py(one) + 4],
        [px(one) - long / 2, py(one) - r],
        [px(one) - long / 2, py(one) + r + 9],
      ]);
      for (const [at, base] of places) {
        const box = /** @type {[number, number, number, number]} */ ([at, base - 10, at + long, base + 2]);
        const clear = box[0] > left && box[2] < right && box[1] > top - 8 && box[3] < low;
        if (!clear || taken.some((t) => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3]))
          continue;
        taken.push(box);
        svg.append(s("text", { class: "tag", x: at, y: base }, one.title));
        break;
      }
    }
  }
}

/** The colours of families: where there are more than colours, of those with most networks. @param {Network[]} drawn */
function huesOf(drawn) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const one of drawn) counts.set(one.family, (counts.get(one.family) ?? 0) + 1);
  const families = [...counts.keys()];
  const own =
    families.length <= HUES
      ? families
      : families.sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0)).slice(0, HUES - 1);
  return new Map(own.map((family, i) => [family, i]));
}

/**
 * What the colours are, in lines below a chart, and how high they are: none where there is one colour alone.
 * @param {Network[]} drawn @param {Map<string, number>} hues @param {number} wide
 */
function keysOf(drawn, hues, wide) {
  /** @type {[string, number][]} */
  const said = [...hues];
  if (drawn.some((one) => !hues.has(one.family))) said.push(["other families", HUES - 1]);
  if (said.length < 2) return { high: 0, items: [] };
  let [x, y] = [0, LINE / 2];
  const items = said.map(([called, hue]) => {
    const long = MARK + measured(called, KEY);
    if (x && x + long > wide) [x, y] = [0, y + LINE];
    const item = { called, hue, x, y };
    x += long + 16;
    return item;
  });
  return { high: y + LINE / 2 + 4, items };
}

/** The measures that an axis can have. */
export const axes = () => /** @type {[string, string][]} */ (data.metrics.map((by) => [by.key, by.called]));
