// All that is known of one network; and of two, side by side.

import { drawing, notes, summary } from "./changes.js";
import { byName, data, figureOf, layers, layersOf, metricsOf, text } from "./data.js";
import { find, networkOf } from "./difference.js";
import { h, s } from "./dom.js";
import { full, rounded, whole } from "./numbers.js";
import { word } from "./out.js";

/** @typedef {import("./data.js").Network} Network */
/** @typedef {import("./data.js").Metric} Metric */

/** A figure of a network, with where it is from. @param {Network} one @param {Metric} by */
function figure(one, by) {
  const value = figureOf(one, by);
  if (typeof value !== "number")
    return h("dd", {}, h("span", { class: "unknown" }, "unknown"), h("small", {}, value));
  const [source, link] = (one.sources[by.key] ?? []).map(text);
  const everywhere = by.key === "receptive_field" && one.everywhere;
  return h(
    "dd",
    {},
    full(by, value, one.said),
    h(
      "small",
      {},
      source ? address(source, link) : by.key === "year" ? "of the paper" : "computed by archlens",
      everywhere ? `; from ${one.everywhere} on every position sees everything` : "",
    ),
  );
}

/** A text, as a link where there is one of the web. @param {string} said @param {string} link */
function address(said, link) {
  if (!/^https?:\/\//.test(link)) return said;
  return h("a", { href: link, rel: "noreferrer noopener", target: "_blank" }, said);
}

/**
 * @param {Network} one
 * @param {{walk: (one: Network) => void, beside: (one: Network, other: string) => void, close: () => void,
 *   whatIf?: (one: Network) => void}} then
 */
export function details(one, then) {
  const others = data.networks.filter((other) => other !== one);
  const select = h(
    "select",
    {
      onchange: (event) => {
        const other = /** @type {HTMLSelectElement} */ (event.target).value;
        if (other) then.beside(one, other);
      },
    },
    h("option", { value: "" }, "…"),
    others.map((other) =>
      h(
        "option",
        { value: other.name },
        other.title === other.name ? other.name : `${other.title} (${other.name})`,
      ),
    ),
  );
  return h(
    "aside",
    { class: "details", "aria-labelledby": "details-title" },
    h("button", { type: "button", class: "close", "aria-label": "Close", onclick: then.close }, "×"),
    h("h2", { id: "details-title", tabindex: -1 }, one.title),
    text(one.idea) ? h("p", {}, text(one.idea)) : null,
    one.papers.map(([cited, link]) => h("p", { class: "quiet" }, address(text(cited), text(link)))),
    h(
      "p",
      { class: "doing" },
      one.inside
        ? h("button", { type: "button", onclick: () => then.walk(one) }, "Walk through its layers")
        : null,
      then.whatIf
        ? h("button", { type: "button", onclick: () => then.whatIf?.(one) }, "What if it were different")
        : null,
      one.page ? h("a", { href: one.page }, "Its page") : null,
      others.length ? h("label", { class: "field" }, h("span", {}, "Put beside"), select) : null,
    ),
    picture(one),
    h(
      "dl",
      { class: "figures" },
      h("dt", {}, "input"),
      h("dd", {}, one.input, h("small", {}, `${whole(one.layers)} layers`)),
      metricsOf([one]).flatMap((by) => [h("dt", {}, by.called), figure(one, by)]),
    ),
    profile(one),
    h(
      "p",
      { class: "quiet" },
      "More: ",
      h("code", {}, `archlens report ${one.asked} -o pages`),
      one.inside ? null : [", and with every layer here ", h("code", {}, `archlens explore ${one.asked}`)],
    ),
  );
}

/** The drawing that stands for it, which the page has without the viewer. @param {Network} one */
function picture(one) {
  const found = one.picture === null ? null : document.getElementById(`picture-${one.picture}`);
  if (!found) return null;
  const copy = /** @type {HTMLElement} */ (found.cloneNode(true));
  copy.removeAttribute("id");
  return copy;
}

/** Where parameters and MACs are. @param {Network} one */
function profile(one) {
  if (one.parts.length < 2) return null;
  const most = [1, 2].map((i) => Math.max(...one.parts.map((part) => Number(part[i]))) || 1);
  return h(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Where the costs are" },
    h(
      "table",
      { class: "profile" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "part"),
          h("th", { scope: "col", colspan: 2 }, "params"),
          h("th", { scope: "col", colspan: 2 }, "MACs"),
        ),
      ),
      h(
        "tbody",
        {},
        one.parts.map((part) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, part[0]),
            [1, 2].flatMap((i) => {
              const value = Number(part[i]);
              const long = value ? Math.max((64 * value) / most[i - 1], 0.5) : 0;
              const bar = s("rect", { class: "bar", width: long, height: 8 });
              return [
                h("td", { title: whole(value) }, rounded(value)),
                h("td", { class: "length" }, s("svg", { width: 64, height: 8, "aria-hidden": "true" }, bar)),
              ];
            }),
          ),
        ),
      ),
    ),
  );
}

/**
 * Two networks side by side.
 * @param {string} first @param {string} second @param {(first: string, second: string) => void} change
 * @param {number} wide
 */
export function beside(first, second, change, wide) {
  const [one, other] = [
    byName.get(first) ?? data.networks[0],
    byName.get(second) ?? data.networks[1] ?? data.networks[0],
  ];
  const picker = (
    /** @type {string} */ label,
    /** @type {Network} */ chosen,
    /** @type {(name: string) => void} */ then,
  ) =>
    h(
      "label",
      { class: "field" },
      h("span", {}, label),
      h(
        "select",
        { onchange: (event) => then(/** @type {HTMLSelectElement} */ (event.target).value) },
        data.networks.map((each) =>
          h(
            "option",
            { value: each.name, selected: each === chosen },
            each.title === each.name ? each.name : `${each.title} (${each.name})`,
          ),
        ),
      ),
    );
  const rows = metricsOf([one, other]).map((by) => {
    const [a, b] = [figureOf(one, by), figureOf(other, by)];
    const both = typeof a === "number" && typeof b === "number";
    return h(
      "tr",
      { "data-metric": by.key },
      h("th", { scope: "row" }, by.called),
      [one, other].map((each) => {
        const value = figureOf(each, by);
        return typeof value === "number"
          ? h("td", {}, full(by, value, each.said))
          : h("td", { class: "unknown", title: value }, "unknown");
      }),
      h("td", { class: "change" }, both ? difference(by, a, b) : ""),
    );
  });
  return h(
    "div",
    { class: "beside" },
    h(
      "div",
      { class: "tools" },
      picker("First", one, (name) => change(name, other.name)),
      h("button", { type: "button", onclick: () => change(other.name, one.name) }, "Exchange"),
      picker("Second", other, (name) => change(one.name, name)),
    ),
    h(
      "div",
      { class: "wide", tabindex: 0, role: "region", "aria-label": "Figures of both" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td"),
            h("th", { scope: "col" }, one.title),
            h("th", { scope: "col" }, other.title),
            h("th", { scope: "col" }, "difference"),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
    h(
      "div",
      { class: "two" },
      [one, other].map((each) => h("div", {}, picture(each), profile(each))),
    ),
    structure(one, other, wide),
  );
}

/** What the second has more or less. @param {Metric} by @param {number} a @param {number} b */
function difference(by, a, b) {
  const change = b - a;
  if (!change) return "the same";
  const sign = change > 0 ? "+" : "\u2212";
  if (by.unit === "percent") return `${sign}${+Math.abs(change).toFixed(3)}`;
  const times = by.unit === "year" || !a || !b ? "" : ` (×${+(b / a).toPrecision(3)})`;
  return `${sign}${whole(Math.abs(change))}${times}`;
}

/** What was found between two networks, by their names. @type {Map<string, import("./difference.js").Difference>} */
const differences = new Map();

/** What is between the layers of both, drawn. @param {Network} one @param {Network} other @param {number} wide */
function structure(one, other, wide) {
  const command = h("code", {}, `archlens diff ${word(one.asked)} ${word(other.asked)}`);
  const title = h("h2", {}, "Layer by layer");
  if (one === other) return null;
  if (!one.inside || !other.inside) {
    const said = "One of them has too many layers for this page: ";
    return h("section", {}, title, h("p", { class: "quiet" }, said, command, " aligns them."));
  }
  const waiting = h("p", { class: "quiet waiting", role: "status" }, "The layers are being aligned.");
  const section = h("section", {}, title, waiting);
  const key = `${one.name}\n${other.name}`;
  const show = (/** @type {import("./difference.js").Difference} */ found) => {
    const drawn = drawing(found, [one.title, other.title], wide);
    section.replaceChildren(
      title,
      h("p", { role: "status" }, summary(found)),
      h(
        "div",
        { class: "wide drawn", tabindex: 0, role: "region", "aria-label": "The difference, drawn" },
        drawn.svg,
      ),
      h(
        "p",
        { class: "quiet" },
        ...notes(found, drawn).map((said) => `${said} `),
        "As ",
        command,
        " lists it.",
      ),
    );
  };
  const known = differences.get(key);
  if (known) {
    show(known);
    return section;
  }
  // what waits is seen before the page is busy
  const painted = new Promise((then) => requestAnimationFrame(() => setTimeout(then)));
  Promise.all([layersOf(one), layersOf(other), layers(), painted]).then(([a, b, vocabulary]) => {
    if (!section.isConnected || !a || !b) return;
    differences.set(key, find(networkOf(a), networkOf(b), vocabulary));
    show(/** @type {import("./difference.js").Difference} */ (differences.get(key)));
  });
  return section;
}
