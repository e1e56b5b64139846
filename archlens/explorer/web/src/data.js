// The networks of the page, as archlens has written them into it.

import { unpacked } from "./state.js";
import { unfolding } from "./unfold.js";

/** @typedef {import("./numbers.js").Metric} Metric */

/**
 * @typedef {object} Network
 * @property {string} name
 * @property {string} title
 * @property {string} family
 * @property {string} input
 * @property {(number | string)[]} values  of each metric; a text is why there is none
 * @property {Record<string, string>} said
 * @property {string} everywhere
 * @property {Record<string, [number, number]>} sources  texts by number, and addresses
 * @property {number} idea
 * @property {[number, number][]} papers
 * @property {number} layers
 * @property {[string, number, number][]} parts
 * @property {string} asked
 * @property {number | null} picture
 * @property {boolean} inside  whether the page has its layers
 * @property {string} [page]  the address of its page, relative to this one
 */

/**
 * @typedef {object} Data
 * @property {string} command
 * @property {string[]} beginning
 * @property {Metric[]} metrics
 * @property {Network[]} networks
 * @property {string[]} texts
 * @property {Live} [live]
 */

/**
 * Of the playground: the names of the ops, the networks that it can begin with, and its first text.
 * @typedef {object} Live
 * @property {string[]} ops
 * @property {string[]} names
 * @property {string} first
 */

/** @type {Data} */
export const data = JSON.parse(await held("data"));

/** What the page has under a name, which it has packed. @param {string} name */
function held(name) {
  return unpacked(document.getElementById(name)?.textContent ?? "", Number.POSITIVE_INFINITY);
}

/** @type {Promise<import("./unfold.js").Folded> | undefined} */
let folded;
/** @type {Promise<(number: number) => import("./layers.js").Inside | null> | undefined} */
let unfolds;

/** The layers of all networks in little, unpacked when they are asked for first. */
export function layers() {
  folded ??= held("layers").then((text) => JSON.parse(text));
  return folded;
}

/** The layers of a network. @param {Network} one */
export async function layersOf(one) {
  unfolds ??= layers().then(unfolding);
  return (await unfolds)(data.networks.indexOf(one));
}

/** A text that several networks share. @param {number} number */
export const text = (number) => data.texts[number];

export const byName = new Map(data.networks.map((one) => [one.name, one]));
export const metricOf = new Map(data.metrics.map((one) => [one.key, one]));
export const families = [...new Set(data.networks.map((one) => one.family))];

/** @param {string} key @returns {Metric} */
export const metric = (key) => metricOf.get(key) ?? data.metrics[1];

/** The value of a network, or why there is none. @param {Network} one @param {Metric} by */
export const figureOf = (one, by) => one.values[data.metrics.indexOf(by)];

/** @typedef {import("./state.js").State} State */

/** The networks that a state is about, in the order of the page. @param {State} state */
export function chosen(state) {
  const terms = state.q
    .toLowerCase()
    .split(",")
    .map((term) => term.trim())
    .filter(Boolean);
  if (terms.length) return data.networks.filter((one) => terms.some((term) => fits(one, term)));
  if (state.set === "beginning" && data.beginning.length > 1) {
    return data.beginning.map((name) => /** @type {Network} */ (byName.get(name)));
  }
  if (families.includes(state.set)) return data.networks.filter((one) => one.family === state.set);
  return data.networks;
}

/** @param {Network} one @param {string} term */
function fits(one, term) {
  const name = one.name.toLowerCase();
  if (byName.has(term)) return name === term;
  return [name, one.title.toLowerCase(), one.family.toLowerCase()].some((text) => text.includes(term));
}

/**
 * In the order that is asked for; what is unknown comes last.
 * @param {Network[]} networks @param {string} sort @param {Metric} by
 */
export function sorted(networks, sort, by) {
  const key = sort === "year" ? metric("year") : by;
  const less = sort === "year" ? 1 : -1;
  const rank = (/** @type {Network} */ one) => {
    const value = figureOf(one, key);
    return typeof value === "number" ? value * less : Number.POSITIVE_INFINITY;
  };
  const names = new Intl.Collator("en", { numeric: true });
  return [...networks].sort((a, b) => {
    const [x, y] = sort === "name" ? [0, 0] : [rank(a), rank(b)];
    return x === y ? names.compare(a.name, b.name) : x - y;
  });
}

/** Metrics that say of most networks what another says: of those without experts. */
const LIKE = new Map([
  ["active_params", "params"],
  ["total_macs", "macs"],
]);

/** The metrics without those that say of every one of some networks what another says. @param {Network[]} networks */
export function metricsOf(networks) {
  return data.metrics.filter((by) => {
    const like = LIKE.get(by.key);
    return !like || networks.some((one) => figureOf(one, by) !== figureOf(one, metric(like)));
  });
}

/** Those of the page. */
export const shownMetrics = metricsOf(data.networks);
