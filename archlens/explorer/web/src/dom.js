// Elements, without HTML as text: whatever a network is called is text.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Value */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * @param {Element} made @param {Record<string, Value>} values @param {(Child | Child[])[]} children
 */
function fill(made, values, children) {
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : `${value}`);
  }
  for (const child of children.flat()) {
    if (child || child === "") made.append(/** @type {Node | string} */ (child));
  }
}

/**
 * An element of HTML; `onclick` and the like are listeners.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, Value>} [values] @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, values = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, values, children);
  return made;
}

/**
 * An element of SVG.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag @param {Record<string, Value>} [values] @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, values = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  fill(made, values, children);
  return /** @type {SVGElementTagNameMap[T]} */ (made);
}

/**
 * A choice of one.
 * @param {string} label @param {[string, string][]} options @param {string} chosen
 * @param {(value: string) => void} then
 */
export function choice(label, options, chosen, then) {
  const select = h(
    "select",
    {
      "data-keep": label,
      onchange: (/** @type {Event} */ event) => then(/** @type {HTMLSelectElement} */ (event.target).value),
    },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
  return h("label", { class: "field" }, h("span", {}, label), select);
}

/**
 * Buttons of which one is pressed.
 * @param {string} label @param {[string, string][]} options @param {string} chosen
 * @param {(value: string) => void} then
 */
export function buttons(label, options, chosen, then) {
  return h(
    "div",
    { class: "buttons", role: "group", "aria-label": label },
    options.map(([value, text]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": `${value === chosen}`,
          "data-value": value,
          "data-keep": `${label} ${value}`,
          onclick: () => then(value),
        },
        text,
      ),
    ),
  );
}

const canvas = document.createElement("canvas").getContext("2d");

/** How wide a text is. @param {string} text @param {string} font */
export function measured(text, font) {
  if (!canvas) return text.length * 7;
  canvas.font = font;
  return canvas.measureText(text).width;
}

/** A text cut to a width. @param {string} text @param {number} most @param {string} font */
export function fitted(text, most, font) {
  if (measured(text, font) <= most) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measured(`${text.slice(0, middle)}…`, font) <= most) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}

/** A pattern of slanted lines. @param {string} id @param {string} color */
export function hatch(id, color) {
  return s(
    "pattern",
    { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: color, "stroke-width": 2.4 }),
  );
}

/** What Enter and the space bar do on what can be clicked. @param {(event: KeyboardEvent) => void} then */
export const onEnter = (then) => (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  then(event);
};

/** Whether the page is dark, by its button or else by the system. */
export function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
}
