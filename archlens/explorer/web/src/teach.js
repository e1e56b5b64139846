// Convolution arithmetic while the window slides, and receptive fields as they grow.

import { h, hatch, s } from "./dom.js";
import {
  arithmetic,
  at,
  extent,
  fieldSize,
  formula,
  INPUT,
  output,
  remainder,
  through,
  unseen,
  windowOf,
} from "./window.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./window.js").Window} Window */

const LETTERS = /** @type {[string, string, number, number][]} */ ([
  ["n", "input size", 1, 14],
  ["f", "kernel", 1, 7],
  ["s", "stride", 1, 4],
  ["p1", "padding before", 0, 4],
  ["p2", "padding after", 0, 4],
  ["d", "dilation", 1, 3],
]);

/** @typedef {{size: number, w: Window}} Slide */

/** n, f, s, p1, p2, d, ceil, transposed. @param {string} text @returns {Slide} */
export function slideOf(text) {
  const given = text.split(",").map((part) => Number.parseInt(part, 10));
  const [n, f, stride, p1, p2, d] = LETTERS.map(([, , low, high], i) =>
    Math.min(Math.max(given[i] || 0, low), high),
  );
  return {
    size: n,
    w: windowOf({
      kernel: f,
      stride,
      before: p1,
      after: p2,
      dilation: d,
      ceil: given[6] === 1,
      transposed: given[7] === 1,
    }),
  };
}

/** @param {Slide} slide */
const textOf = ({ size, w }) =>
  [size, w.kernel, w.stride, w.before, w.after, w.dilation, Number(w.ceil), Number(w.transposed)].join(",");

/** @param {State} state @param {(change: Partial<State>, quiet?: boolean) => void} set */
export function teach(state, set) {
  return h("div", { class: "teach" }, sliding(state, set), growing(state, set));
}

/** @param {State} state @param {(change: Partial<State>, quiet?: boolean) => void} set */
function sliding(state, set) {
  let slide = slideOf(state.window);
  let place = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const picture = h("div", { class: "grids" });
  const words = h("div", { class: "formula", "aria-live": "polite" });
  const play = h("button", { type: "button", onclick: () => (timer ? stop() : start()) }, "Play");
  const slider = h("input", {
    type: "range",
    min: 0,
    value: 0,
    "aria-label": "Place of the window",
    oninput: () => {
      stop();
      go(Number(slider.value));
    },
  });
  const inputs = h(
    "div",
    { class: "tools" },
    LETTERS.map(([letter, called, low, high], i) =>
      h(
        "label",
        { class: "field number" },
        h("span", {}, h("b", {}, letter), ` ${called}`),
        h("input", {
          type: "number",
          name: letter,
          min: low,
          max: high,
          value: textOf(slide).split(",")[i],
          oninput: (event) => change(i, event.target.value),
        }),
      ),
    ),
    [
      ["ceil", "round up"],
      ["transposed", "transposed"],
    ].map(([name, called], i) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          name,
          checked: Boolean(slide.w[/** @type {"ceil" | "transposed"} */ (name)]),
          onchange: (event) => change(6 + i, event.target.checked ? "1" : "0"),
        }),
        called,
      ),
    ),
  );
  draw();
  return h(
    "section",
    {},
    h("h2", {}, "The window slides"),
    inputs,
    words,
    h("div", { class: "tools" }, play, slider),
    picture,
  );

  /** @param {number} i @param {string} value */
  function change(i, value) {
    const parts = textOf(slide).split(",");
    parts[i] = value;
    slide = slideOf(parts.join(","));
    place = 0;
    set({ window: textOf(slide) }, true);
    draw();
  }

  function stop() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  }

  function start() {
    play.textContent = "Stop";
    timer = setInterval(() => {
      if (!play.isConnected) stop();
      else go((place + 1) % places());
    }, 600);
  }

  /** How many places the window has: outputs, or of a transposed one inputs. */
  function places() {
    const side = slide.w.transposed ? slide.size : output(slide.w, slide.size);
    return Math.max(side, 0) ** 2;
  }

  /** @param {number} to */
  function go(to) {
    place = to;
    slider.value = `${to}`;
    draw();
  }

  function draw() {
    const { size, w } = slide;
    const out = output(w, size);
    slider.max = `${Math.max(places() - 1, 0)}`;
    const letters = [`n = ${size}`, `f = ${w.kernel}`, `s = ${w.stride}`];
    if (w.transposed || w.before === w.after) letters.push(`p = ${w.before}`);
    else letters.push(`p1 = ${w.before}`, `p2 = ${w.after}`);
    if (w.transposed && w.before !== w.after) letters.push(`o = ${w.before - w.after}`);
    if (w.dilation > 1) letters.push(`d = ${w.dilation}`);
    const fits =
      out >= 1 && (!w.ceil || w.transposed || extent(w) <= size + w.before + w.after + w.stride - 1);
    words.replaceChildren(
      h("p", {}, h("code", {}, formula(w)), " with ", letters.join(", ")),
      h(
        "p",
        {},
        h(
          "strong",
          { "data-arithmetic": true },
          fits ? arithmetic(w, size) : `${arithmetic(w, size)}: the window does not fit`,
        ),
      ),
      h(
        "p",
        { class: "quiet", "data-remark": true },
        fits ? remark(slide) : "More padding or a larger input would make room for it.",
      ),
    );
    if (!fits) {
      picture.replaceChildren();
      return;
    }
    const side = w.transposed ? size : out;
    const [row, column] = [Math.floor(place / side), place % side];
    picture.replaceChildren(...(w.transposed ? spread(slide, row, column) : gathered(slide, row, column)));
  }
}

/** What the rounding leaves over. @param {Slide} slide */
export function remark({ size, w }) {
  const left = unseen(w, size);
  if (left)
    return `The last ${left} of the ${size} input positions ${w.transposed ? "reach nothing that is kept" : `${left > 1 ? "are" : "is"} in no window: hatched`}.`;
  if (!w.transposed && !w.ceil && remainder(w, size)) {
    const over = remainder(w, size);
    return `${over} position${over > 1 ? "s" : ""} of padding ${over > 1 ? "are" : "is"} left over.`;
  }
  return w.transposed
    ? "Every input position reaches the output."
    : "Every input position is in some window.";
}

/**
 * A grid with the same numbers along both axes.
 * @param {string} label @param {number} from @param {number} to @param {(y: number, x: number) => string} kind
 */
function grid(label, from, to, kind) {
  const cell = 18;
  const side = (to - from) * cell + 2;
  const svg = s(
    "svg",
    { viewBox: `0 0 ${side} ${side}`, width: side, role: "img", "aria-label": label },
    s("defs", {}, hatch("dropped", "var(--quiet)")),
  );
  for (let y = from; y < to; y++) {
    for (let x = from; x < to; x++) {
      const place = { x: (x - from) * cell + 1, y: (y - from) * cell + 1, width: cell - 1, height: cell - 1 };
      const said = kind(y, x);
      svg.append(s("rect", { ...place, class: `cell ${said}` }));
      if (said.includes("dropped")) svg.append(s("rect", { ...place, class: "over", fill: "url(#dropped)" }));
    }
  }
  return h("figure", {}, svg, h("figcaption", {}, label));
}

/** The places that a window looks at from a first one on. @param {Window} w @param {number} first @param {number} place */
const taken = (w, first, place) =>
  place >= first && place < first + extent(w) && (place - first) % w.dilation === 0;

/** @param {Slide} slide @param {number} row @param {number} column */
function gathered({ size, w }, row, column) {
  const out = output(w, size);
  const left = unseen(w, size);
  const [y0, x0] = [row * w.stride - w.before, column * w.stride - w.before];
  const end = Math.max(size + w.after, (out - 1) * w.stride - w.before + extent(w));
  return [
    grid(`input ${size}x${size} with its padding`, -w.before, end, (y, x) => {
      const inside = y >= 0 && x >= 0 && y < size && x < size;
      const kind = inside ? "given" : "padding";
      const lost = inside && (y >= size - left || x >= size - left) ? " dropped" : "";
      return `${kind}${lost}${taken(w, y0, y) && taken(w, x0, x) ? " taken" : ""}`;
    }),
    grid(`output ${out}x${out}`, 0, out, (y, x) => (y === row && x === column ? "made here" : "made")),
  ];
}

/** @param {Slide} slide @param {number} row @param {number} column */
function spread({ size, w }, row, column) {
  const out = output(w, size);
  const whole = out + w.before + w.after;
  const [y0, x0] = [row * w.stride, column * w.stride];
  return [
    grid(`input ${size}x${size}`, 0, size, (y, x) => (y === row && x === column ? "given taken" : "given")),
    grid(`output ${out}x${out}, what is cropped around it`, -w.before, whole - w.before, (y, x) => {
      const inside = y >= 0 && x >= 0 && y < out && x < out;
      return `${inside ? "made" : "padding dropped"}${taken(w, y0, y + w.before) && taken(w, x0, x + w.before) ? " here" : ""}`;
    }),
  ];
}

// --- fields ----------------------------------------------------------------------------------------

/** Layers as one writes them, `3 3/2 3x2`: kernel, stride and dilation; padded so that n stays n/s. @param {string} text */
export function layersOf(text) {
  return text
    .trim()
    .split(/[\s,]+/)
    .flatMap((part) => {
      const found = /^(\d{1,2})(?:\/(\d))?(?:x(\d))?$/.exec(part);
      if (!found) return [];
      const [kernel, stride, dilation] = [Number(found[1]), Number(found[2] ?? 1), Number(found[3] ?? 1)];
      if (!kernel || !stride || !dilation || kernel > 31) return [];
      const pad = Math.floor((dilation * (kernel - 1)) / 2);
      return [windowOf({ kernel, stride, dilation, before: pad, after: pad })];
    })
    .slice(0, 8);
}

/** The fields behind each of some layers. @param {Window[]} layers */
export function fieldsOf(layers) {
  let field = INPUT;
  return layers.map((w) => {
    field = through(field, w) ?? field;
    return field;
  });
}

const STACKS = /** @type {[string, string][]} */ ([
  ["3 3", "two 3x3"],
  ["5", "one 5x5"],
  ["3 3 3", "three 3x3"],
  ["7", "one 7x7"],
  ["3 3/2 3 3", "with a stride"],
  ["3 3x2 3x4", "dilated"],
]);

/** @param {State} state @param {(change: Partial<State>, quiet?: boolean) => void} set */
function growing(state, set) {
  const made = h("div", {});
  const typed = h("input", {
    type: "text",
    value: state.stack,
    size: 16,
    spellcheck: "false",
    oninput: () => {
      set({ stack: typed.value }, true);
      draw(typed.value);
    },
  });
  draw(state.stack);
  return h(
    "section",
    {},
    h("h2", {}, "Receptive fields grow"),
    h(
      "div",
      { class: "tools" },
      STACKS.map(([stack, called]) =>
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              typed.value = stack;
              set({ stack }, true);
              draw(stack);
            },
          },
          called,
        ),
      ),
      h("label", { class: "field" }, h("span", {}, "Layers: f, f/s, fxd"), typed),
    ),
    made,
  );

  /** @param {string} text */
  function draw(text) {
    const layers = layersOf(text);
    if (!layers.length) {
      made.replaceChildren(
        h(
          "p",
          { class: "quiet", role: "status" },
          "A layer is written as its kernel, 3; with a stride of 2, 3/2; with a dilation of 2, 3x2.",
        ),
      );
      return;
    }
    const fields = fieldsOf(layers);
    const weights = layers.map((w) => w.kernel ** 2);
    const sum = weights.reduce((a, b) => a + b, 0);
    const last = fields[fields.length - 1];
    made.replaceChildren(
      pyramid(layers),
      h(
        "div",
        { class: "wide", tabindex: 0, role: "region", "aria-label": "The fields" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["layer", "field", "stride", "weights"].map((title) => h("th", { scope: "col" }, title)),
            ),
          ),
          h(
            "tbody",
            {},
            layers.map((w, i) =>
              h(
                "tr",
                {},
                [
                  `${w.kernel}x${w.kernel}${w.stride > 1 ? `, /${w.stride}` : ""}${w.dilation > 1 ? `, dilation ${w.dilation}` : ""}`,
                  `${fieldSize(fields[i])}x${fieldSize(fields[i])}`,
                  `${fields[i].step}`,
                  `${weights[i]} C²`,
                ].map((cell) => h("td", {}, cell)),
              ),
            ),
          ),
        ),
      ),
      h(
        "p",
        {},
        `Together they see ${fieldSize(last)}x${fieldSize(last)} with ${weights.length > 1 ? `${weights.join(" + ")} = ` : ""}${sum} C² weights of C channels each way; one ${fieldSize(last)}x${fieldSize(last)} would take ${fieldSize(last) ** 2} C².`,
      ),
    );
  }
}

/** What one output at the top sees in each layer beneath it. @param {Window[]} layers */
function pyramid(layers) {
  /** @type {[number, number][]} */
  const seen = [[0, 1]];
  for (let i = layers.length - 1; i >= 0; i--) {
    let field = INPUT;
    for (const w of layers.slice(i)) field = through(field, w) ?? field;
    seen.push(at(field, 0));
  }
  const [low, high] = [Math.min(...seen.map((one) => one[0])), Math.max(...seen.map((one) => one[1]))];
  const wide = high - low;
  const [cell, row, left] = [Math.min(22, 560 / wide), 40, 76];
  const svg = s("svg", {
    class: "pyramid",
    viewBox: `0 0 ${left + wide * cell + 4} ${seen.length * row}`,
    role: "img",
    "aria-label": `One output sees ${seen.map(([from, to]) => to - from).join(", ")} positions, layer by layer downwards`,
  });
  svg.setAttribute("width", `${left + wide * cell + 4}`);
  const middle = left + (wide * cell) / 2;
  const spot = (/** @type {number} */ level, /** @type {number} */ i) =>
    middle + (i - (seen[level][0] + seen[level][1]) / 2) * cell;
  seen.forEach(([from, to], level) => {
    const y = level * row + 6;
    const count = to - from;
    const called =
      level === 0 ? "output" : level === seen.length - 1 ? "input" : `layer ${layers.length - level}`;
    svg.append(
      s("text", { x: 0, y: y + 12 }, called),
      s("text", { class: "quiet", x: 0, y: y + 25 }, `${count}`),
    );
    if (level) {
      const above = seen[level - 1];
      const points = [
        spot(level - 1, above[0]),
        y - row + 16,
        spot(level - 1, above[1]),
        y - row + 16,
        spot(level, to),
        y,
        spot(level, from),
        y,
      ];
      svg.append(s("polygon", { class: "cone", points: points.join(" ") }));
    }
    for (let i = from; i < to; i++)
      svg.append(
        s("rect", { class: "cell given taken", x: spot(level, i) + 0.5, y, width: cell - 1, height: 16 }),
      );
  });
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "What one output sees" }, svg);
}
