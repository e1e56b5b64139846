// What is taken out of the page: pictures, tables, the command, and the link.

import { data, figureOf } from "./data.js";
import { layerOf } from "./layers.js";

/** @typedef {import("./data.js").Network} Network */
/** @typedef {import("./state.js").State} State */

const LOOKS = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "paint-order",
  "font-size",
  "font-family",
  "font-weight",
  "text-anchor",
  "opacity",
];

/** A picture of the page as the text of a file: with its looks, and without what is only for the hand. @param {SVGElement} svg */
export function svgText(svg) {
  const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
  const [from, to] = [svg, copy].map((one) => [
    one,
    .../** @type {Iterable<Element>} */ (one.querySelectorAll("*")),
  ]);
  to.forEach((made, i) => {
    const looks = getComputedStyle(from[i]);
    for (const name of LOOKS) {
      const value = looks.getPropertyValue(name);
      if (value && made.tagName !== "title" && made.tagName !== "g") made.setAttribute(name, value);
    }
    for (const name of ["class", "style", "tabindex"]) made.removeAttribute(name);
  });
  const ground = getComputedStyle(document.documentElement).backgroundColor;
  const box = (copy.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const size = svg.getBoundingClientRect();
  const [x, y, wide, high] = box.length === 4 ? box : [0, 0, size.width, size.height];
  if (box.length !== 4) copy.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  copy.setAttribute("width", `${Math.round(size.width)}`);
  copy.setAttribute("height", `${Math.round(size.height)}`);
  const rect = document.createElementNS(copy.namespaceURI, "rect");
  for (const [name, value] of Object.entries({ x, y, width: wide, height: high, fill: ground }))
    rect.setAttribute(name, `${value}`);
  copy.prepend(rect);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

/** @param {string} text @param {number} [scale] @returns {Promise<Blob>} */
export async function png(text, scale = 2) {
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth * scale;
    canvas.height = image.naturalHeight * scale;
    const brush = canvas.getContext("2d");
    brush?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((then, fail) =>
      canvas.toBlob((blob) => (blob ? then(blob) : fail(new Error("no picture"))), "image/png"),
    );
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * A table that is taken out: its rows, the first of them the head, and how many columns of texts it begins with.
 * @typedef {{name: string, rows: string[][], texts: number}} Taken
 */

/** The figures of some networks, a network a line. @param {Network[]} networks @returns {Taken} */
export const figures = (networks) => ({ name: "networks", texts: 4, rows: cells(networks) });

/** The layers of a network, a layer a line, as `archlens shapes` lists them. @param {string} name @param {import("./layers.js").Inside} inside @returns {Taken} */
export const layersTable = (name, inside) => ({
  name,
  texts: 3,
  rows: [
    ["layer", "op", "output", "params", "macs"],
    ...inside.layers.map((_, i) => {
      const one = layerOf(inside, i);
      return [one.name, one.op, one.shape, `${one.params}`, `${one.macs}`];
    }),
  ],
});

/** @param {Network[]} networks */
const cells = (networks) => [
  ["name", "title", "family", "input", ...data.metrics.map((by) => by.key)],
  ...networks.map((one) => [
    one.name,
    one.title,
    one.family,
    one.input,
    ...data.metrics.map((by) => {
      const value = figureOf(one, by);
      return typeof value === "number"
        ? `${one.said[by.key] && by.unit === "percent" ? one.said[by.key] : value}`
        : "";
    }),
  ]),
];

/** A cell that begins as a formula would is a text to programs that compute. @param {Taken} taken */
export function csv({ rows }) {
  const quoted = (/** @type {string} */ text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${rows.map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** @param {Taken} taken */
export function markdown({ rows: all, texts }) {
  const safe = (/** @type {string} */ text) =>
    text.replace(
      /[\\`*_[\]|#~<>&]/g,
      (mark) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[mark] ?? `\\${mark}`,
    );
  const [head, ...rows] = all.map((row) => row.map((cell, i) => (i < texts ? safe(cell) : cell)));
  const line = (/** @type {string[]} */ row) => `| ${row.join(" | ")} |`;
  return `${[line(head), line(head.map((_, i) => (i < texts ? "---" : "---:"))), ...rows.map(line)].join("\n")}\n`;
}

/** A word of a command line. @param {string} text */
export const word = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`);

/** The command that makes what is shown. @param {State} state @param {Network[]} networks */
export function command(state, networks) {
  const asked = (/** @type {string} */ name) =>
    word(data.networks.find((one) => one.name === name)?.asked ?? data.networks[0].asked);
  const all =
    networks.length === data.networks.length && networks.length > 40
      ? "--all"
      : networks.map((one) => word(one.asked)).join(" ");
  if (state.view === "network") {
    if (state.layer) return `archlens explain ${asked(state.net)} ${word(state.layer)}`;
    return `archlens diagram ${asked(state.net)} -o network.svg`;
  }
  if (state.view === "beside") return `archlens diff ${asked(state.net)} ${asked(state.with)} -o diff.svg`;
  if (state.view === "scatter") {
    const front = state.front ? " --front" : "";
    return `archlens compare ${all} --x ${state.x} --y ${state.y} --area ${state.area}${front} -o chart.svg`;
  }
  if (state.view === "arithmetic") return data.command;
  return `archlens compare ${all} --no-smallest`;
}
