// A network itself: its graph, whose scopes open and close, and what is known of each layer.

import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { compose } from "./compose.js";
import { buttons, h, onEnter, s } from "./dom.js";
import { layerOf } from "./layers.js";
import { whole } from "./numbers.js";

/** @typedef {{name: string, title: string, asked: string, inside: Inside}} Network */
/** @typedef {import("./layers.js").Inside} Inside */
/** @typedef {import("./layers.js").Layer} Layer */
/** @typedef {import("./state.js").State} State */

/** How small a network is drawn at first: its smallest text has 11 px. */
const READ = 11 / 9.5;
/** How many boxes are enough to begin with. */
const FEW = 4;
/** How an address says that no scope is open; no scope is called so. */
const CLOSED = ".";
const HEATS = /** @type {[string, string][]} */ ([
  ["", "family"],
  ["params", "params"],
  ["macs", "MACs"],
  ["values", "activations"],
  ["field", "field"],
]);

/**
 * @param {Network} network @param {State} state
 * @param {(change: Partial<State>, quiet?: boolean) => void} set
 * @param {{before?: any, line?: (line: number) => void}} [how]  where the graph stood that this one replaces,
 *   and what shows a line of the spec elsewhere
 */
export function walk(network, state, set, how = {}) {
  const { inside } = network;
  const layers = inside.layers.map((_, i) => layerOf(inside, i));
  const byName = new Map(layers.map((layer, i) => [layer.name, i]));
  const scopeOf = new Map(inside.nested.scopes.map((scope, i) => [scope.name, i]));
  const open = new Set(opened(state.open));
  const view = h("div", { class: "graph" });
  const panel = h("div", { class: "panel", role: "region", "aria-label": "The layer" });
  const found = h("p", { class: "quiet", role: "status" });
  const root = s("g");
  const svg = s(
    "svg",
    {
      class: "net",
      role: "group",
      "aria-label": `The graph of ${network.title}; scopes open and close`,
      tabindex: -1,
    },
    root,
  );
  view.append(svg);
  const sums = scopeSums();
  const most = { params: 1, macs: 1, values: 1, field: 1 };
  for (const layer of layers) {
    for (const key of /** @type {const} */ (["params", "macs", "values", "field"]))
      most[key] = Math.max(most[key], heatOf(layer, key));
  }
  const zoomed = zoom()
    .scaleExtent([0.02, 4])
    .on("zoom", (event) => root.setAttribute("transform", event.transform.toString()));
  const held = select(/** @type {Element} */ (svg));
  held.call(/** @type {any} */ (zoomed)).on("dblclick.zoom", null);
  let size = { width: 1, height: 1 };
  const folding = inside.nested.scopes.some(({ folds }) => folds)
    ? h(
        "button",
        {
          type: "button",
          "aria-pressed": `${state.repeats !== "each"}`,
          title: "Show neighbours that are alike once, with how many they are",
          onclick: () => {
            repeat(state.repeats !== "each");
            fit();
          },
        },
        "Fold repeats",
      )
    : null;

  let across = 0;
  new ResizeObserver(() => {
    const { clientWidth } = view;
    if (!clientWidth) return; // it is not on the page any more
    if (across && Math.abs(clientWidth - across) > 40) fit();
    across = clientWidth;
  }).observe(view);

  draw();
  show(byName.get(state.layer) ?? -1);
  seek(state.find);
  requestAnimationFrame(() => {
    const at = byName.get(state.layer);
    if (how.before) held.call(/** @type {any} */ (zoomed).transform, how.before);
    else if (at === undefined) fit();
    else reveal(at);
  });

  return h(
    "div",
    { class: "walk" },
    h(
      "div",
      { class: "tools" },
      h("button", { type: "button", onclick: () => level(Number.POSITIVE_INFINITY) }, "Open all"),
      h("button", { type: "button", onclick: () => level(0) }, "Close all"),
      h("button", { type: "button", onclick: () => fit(true) }, "Fit"),
      folding,
      h(
        "button",
        {
          type: "button",
          "aria-label": "Larger",
          onclick: () => held.call(/** @type {any} */ (zoomed).scaleBy, 1.4),
        },
        "+",
      ),
      h(
        "button",
        {
          type: "button",
          "aria-label": "Smaller",
          onclick: () => held.call(/** @type {any} */ (zoomed).scaleBy, 1 / 1.4),
        },
        "−",
      ),
      h(
        "label",
        { class: "field" },
        h("span", {}, "Search"),
        h("input", {
          type: "search",
          value: state.find,
          placeholder: "7x7, layer3",
          oninput: (event) => seek(event.target.value, true),
        }),
      ),
      h(
        "span",
        { class: "field colours" },
        h("span", {}, "Colour"),
        buttons("Colour by", HEATS, state.heat, heat),
      ),
    ),
    found,
    h("div", { class: "split" }, view, panel),
  );

  /** The scopes that an address says are open, or those that are open at first. @param {string} text */
  function opened(text) {
    if (!text) return atFirst();
    if (text === "all") return inside.nested.scopes.map((_, i) => i);
    const named = text.split(",").map((name) => scopeOf.get(name));
    return [0, ...named.filter((i) => i !== undefined)];
  }

  /** None but the outermost, unless that is next to nothing to see: then level after level, until it is not. */
  function atFirst() {
    const found = new Set([0]);
    for (;;) {
      const boxes = compose(inside, 0, found, state.repeats === "each")?.boxes ?? [];
      const closed = boxes.filter((one) => !one.layer && inside.nested.scopes[one.number].places !== null);
      if (boxes.length >= FEW || !closed.length) return [...found];
      for (const one of closed) found.add(one.number);
    }
  }

  function keep() {
    const names = [...open].filter((i) => i).map((i) => inside.nested.scopes[i].name);
    const first = new Set(atFirst());
    const asAtFirst = open.size === first.size && [...open].every((one) => first.has(one));
    const all = open.size === inside.nested.scopes.length;
    set({ open: asAtFirst ? "" : all ? "all" : names.join(",") || CLOSED }, true);
  }

  /** Open every scope down to a level. @param {number} depth */
  function level(depth) {
    open.clear();
    open.add(0);
    inside.nested.scopes.forEach((scope, i) => {
      if (i && scope.name.split(".").length <= depth) open.add(i);
    });
    keep();
    draw();
    fit();
  }

  /** @param {number} scope @param {Element} [at]  what was clicked, which stays where it is */
  function toggle(scope, at) {
    const before = at?.getBoundingClientRect();
    if (open.has(scope)) {
      for (const other of [...open])
        if (
          other === scope ||
          inside.nested.scopes[other].name.startsWith(`${inside.nested.scopes[scope].name}.`)
        )
          open.delete(other);
    } else if (inside.nested.scopes[scope].places !== null) open.add(scope);
    keep();
    draw();
    const now = root.querySelector(`[data-scope="${scope}"]`);
    if (!now) return;
    /** @type {SVGElement} */ (now).focus({ preventScroll: true });
    const after = now.getBoundingClientRect();
    if (before) {
      const { k } = transform();
      held.call(
        /** @type {any} */ (zoomed).translateBy,
        (before.x + before.width / 2 - after.x - after.width / 2) / k,
        (before.y - after.y) / k,
      );
    }
  }

  function transform() {
    return /** @type {any} */ (svg).__zoom ?? zoomIdentity;
  }

  /** Show all of it, or with `whole` left out no smaller than can be read, from its upper edge on. @param {boolean} [whole] */
  function fit(whole = false) {
    const { width, height } = view.getBoundingClientRect();
    const k = Math.min((width - 24) / size.width, (height - 24) / size.height, 1.2);
    const readable = whole ? k : Math.max(k, READ);
    const x = (width - size.width * readable) / 2;
    held.call(
      /** @type {any} */ (zoomed).transform,
      zoomIdentity
        .translate(x, readable > k ? 28 : (height - size.height * readable) / 2 + 14 * readable)
        .scale(readable),
    );
  }

  /** Show each of those that repeat, or the first for all. @param {boolean} each */
  function repeat(each) {
    state = { ...state, repeats: each ? "each" : "" };
    set({ repeats: state.repeats }, true);
    folding?.setAttribute("aria-pressed", `${!each}`);
    draw();
  }

  /** Open what is around a layer, and go there. @param {number} number */
  function reveal(number) {
    const parts = layers[number].name.split(".");
    for (let i = 1; i < parts.length; i++) {
      const scope = scopeOf.get(parts.slice(0, i).join("."));
      if (scope !== undefined) open.add(scope);
    }
    keep();
    draw();
    const find = () => root.querySelector(`[data-layer="${number}"] rect`);
    if (!find()) repeat(true); // another stands for it
    const node = find();
    if (!node) return;
    const { width, height } = view.getBoundingClientRect();
    const at = (/** @type {string} */ name) => Number(node.getAttribute(name));
    const k = Math.max(transform().k, 0.8);
    held.call(
      /** @type {any} */ (zoomed).transform,
      zoomIdentity.translate(width / 2 - k * (at("x") + at("width") / 2), height / 2 - k * at("y")).scale(k),
    );
  }

  function draw() {
    const made = compose(inside, 0, open, state.repeats === "each");
    svg.classList.toggle("heated", Boolean(state.heat));
    if (!made) {
      root.replaceChildren(
        s("text", { x: 10, y: 20 }, "There is too much at the top to lay out; the search finds its layers."),
      );
      return;
    }
    size = { width: made.width, height: made.height + 40 };
    const nodes = /** @type {Node[]} */ ([]);
    for (const frame of [...made.frames].sort((a, b) => a.depth - b.depth)) nodes.push(frameOf(frame));
    nodes.push(s("path", { class: "lines", d: made.lines.map((line) => path(line.points)).join("") }));
    nodes.push(
      s("path", { class: "tips", d: made.lines.map((line) => (line.tip ? tip(line.points) : "")).join("") }),
    );
    for (const box of made.boxes) nodes.push(boxOf(box));
    for (const [tensor, [x]] of made.enters) {
      const [name, shape] = inside.inputs[-1 - tensor] ?? ["", ""];
      nodes.push(s("text", { class: "end", x, y: -8, "text-anchor": "middle" }, `${name} ${shape}`));
    }
    for (const [tensor, [x, y]] of made.leaves) {
      const said = tensor < 0 ? "out" : `out ${layers[tensor].shape}`;
      nodes.push(s("text", { class: "end", x, y: y + 12, "text-anchor": "middle" }, said));
    }
    root.replaceChildren(...nodes);
    shown();
  }

  /** @param {{scope: number, copies: number, differ: string, x: number, y: number, width: number, height: number, depth: number}} frame */
  function frameOf(frame) {
    const [first, second] = inside.scopes[frame.scope];
    return s(
      "g",
      { class: `frame depth${Math.min(frame.depth, 2)}` },
      s("rect", { x: frame.x, y: frame.y, width: frame.width, height: frame.height, rx: 7 }),
      s(
        "g",
        {
          class: "fold",
          tabindex: 0,
          role: "button",
          "aria-expanded": "true",
          "aria-label": `− ${first}${frame.copies > 1 ? ` x${frame.copies}` : ""}, ${inside.nested.scopes[frame.scope].name}, ${second}`,
          "data-scope": frame.scope,
          onclick: (event) => toggle(frame.scope, event.currentTarget),
          onkeydown: onEnter((event) => toggle(frame.scope, /** @type {Element} */ (event.currentTarget))),
        },
        s("rect", {
          class: "handle",
          x: frame.x + 3,
          y: frame.y + 2,
          width: frame.width - 6,
          height: 18,
          rx: 4,
        }),
        s("text", { class: "first", x: frame.x + 9, y: frame.y + 15 }, `− ${first}`),
        " ",
        times(frame, frame.y + 15),
      ),
    );
  }

  /** How many something stands for, at its right. @param {{copies: number, differ: string, x: number, width: number}} one @param {number} y */
  function times({ copies, x, width }, y) {
    if (copies < 2) return null;
    return s(
      "text",
      { class: "first copies", x: x + width - 9, y, "text-anchor": "end" },
      `x${whole(copies)}`,
    );
  }

  /** @param {{layer: boolean, number: number, copies: number, differ: string, x: number, y: number, width: number, height: number}} box */
  function boxOf(box) {
    const [first, second] = box.layer
      ? [layers[box.number].first, layers[box.number].second]
      : inside.scopes[box.number];
    const layer = box.layer ? layers[box.number] : null;
    const place = { x: box.x, y: box.y, width: box.width, height: box.height, rx: 4 };
    const rect = s("rect", place);
    rect.style.fill = layer && !state.heat ? `var(--${layer.family}-box, var(--box))` : "var(--box)";
    const warm = state.heat ? s("rect", { ...place, class: "warm" }) : null;
    if (warm) warm.style.fillOpacity = `${heatShare(box)}`;
    const accent = layer
      ? s("rect", { class: "accent", x: box.x, y: box.y, width: 4, height: box.height, rx: 2 })
      : s("rect", { class: "stack", ...place, x: box.x + 3, y: box.y + 3 });
    if (layer) accent.style.fill = `var(--${layer.family}, var(--quiet))`;
    const texts = [
      s("text", { class: "first", x: box.x + 9, y: box.y + 14 }, layer ? first : `+ ${first}`),
      " ",
      // in the order in which it is said
      times(box, box.y + 14),
      " ",
      s("text", { class: "second", x: box.x + 9, y: box.y + 27 }, second),
    ];
    return s(
      "g",
      {
        class: layer ? `layer${layer.family === "failed" ? " failed" : ""}` : "closed",
        tabindex: 0,
        role: "button",
        "aria-expanded": layer ? null : "false",
        "aria-label": `${layer ? first : `+ ${first}`}${box.copies > 1 ? ` x${box.copies}` : ""} ${second}, ${layer ? layer.name : inside.nested.scopes[box.number].name}`,
        [layer ? "data-layer" : "data-scope"]: box.number,
        onclick: (event) => (layer ? choose(box.number) : toggle(box.number, event.currentTarget)),
        onkeydown: onEnter((event) =>
          layer ? choose(box.number) : toggle(box.number, /** @type {Element} */ (event.currentTarget)),
        ),
        onpointerenter: layer ? () => hover(box.number) : null,
        onfocus: layer ? () => hover(box.number) : null,
      },
      layer ? [rect, warm, accent] : [accent, rect, warm],
      texts.flat(),
    );
  }

  /** @param {Layer} layer @param {string} key */
  function heatOf(layer, key) {
    if (key === "field")
      return typeof layer.field === "string" ? 0 : Math.max(0, ...layer.field.map((one) => one[2]));
    const value = layer[/** @type {"params" | "macs" | "values"} */ (key)];
    return typeof value === "number" ? value : 0;
  }

  /** @param {{layer: boolean, number: number}} box */
  function heatShare(box) {
    const key = /** @type {"params" | "macs" | "values" | "field"} */ (state.heat);
    const value = box.layer ? heatOf(layers[box.number], key) : sums[box.number][key];
    const top = Math.max(
      most[key],
      ...(key === "field"
        ? []
        : [...open].flatMap((scope) =>
            inside.nested.scopes[scope].children
              .filter(([kind, child]) => kind && !open.has(child))
              .map(([, child]) => sums[child][key]),
          )),
    );
    return value ? 0.06 + 0.6 * Math.sqrt(value / top) : 0;
  }

  function scopeSums() {
    const sums = inside.nested.scopes.map(() => ({ params: 0, macs: 0, values: 0, field: 0 }));
    layers.forEach((layer) => {
      const parts = layer.name.split(".");
      for (let i = 1; i < parts.length; i++) {
        const sum = sums[scopeOf.get(parts.slice(0, i).join(".")) ?? 0];
        sum.params += heatOf(layer, "params");
        sum.macs += heatOf(layer, "macs");
        sum.values += layer.values;
        sum.field = Math.max(sum.field, heatOf(layer, "field"));
      }
    });
    return sums;
  }

  /** @param {string} key */
  function heat(key) {
    state = { ...state, heat: key };
    set({ heat: key }, true);
    for (const button of view.parentElement?.parentElement?.querySelectorAll(
      '[aria-label="Colour by"] button',
    ) ?? []) {
      button.setAttribute("aria-pressed", `${/** @type {HTMLElement} */ (button).dataset.value === key}`);
    }
    draw();
  }

  /** @param {string} text @param {boolean} [go] */
  function seek(text, go = false) {
    const term = text.trim().toLowerCase();
    state = { ...state, find: text };
    if (go) set({ find: text }, true);
    const hits = term ? layers.flatMap((layer, i) => (fits(layer, term) ? [i] : [])) : [];
    shown();
    found.replaceChildren();
    if (!term) return;
    found.append(`${hits.length} of ${layers.length} layers`);
    for (const i of hits.slice(0, 12))
      found.append(
        " ",
        h(
          "button",
          {
            type: "button",
            class: "link",
            onclick: () => {
              choose(i);
              reveal(i);
            },
          },
          layers[i].name,
        ),
      );
    if (hits.length > 12) found.append(" …");
  }

  /** Mark what is chosen and what is sought. */
  function shown() {
    const term = state.find.trim().toLowerCase();
    for (const node of root.querySelectorAll("[data-layer]")) {
      const i = Number(/** @type {HTMLElement} */ (node).dataset.layer);
      const layer = layers[i];
      node.classList.toggle("here", layer.name === state.layer);
      node.classList.toggle("found", Boolean(term) && fits(layer, term));
    }
  }

  /** @param {number} number */
  function choose(number) {
    state = { ...state, layer: layers[number].name };
    set({ layer: layers[number].name }, true);
    const { line } = layers[number];
    if (line) how.line?.(line[1]);
    show(number);
    shown();
  }

  /** @param {number} number */
  function hover(number) {
    panel.querySelector(".fieldmap")?.replaceWith(fieldMap(number));
  }

  /** What a layer sees of the input. @param {number} number */
  function fieldMap(number) {
    const made = h("div", { class: "fieldmap" });
    if (number < 0) return made;
    const layer = layers[number];
    const sizes = inside.on[1];
    made.append(
      h("h3", {}, `What its middle output sees of ${inside.inputs.length > 1 ? inside.on[0] : "the input"}`),
    );
    made.append(h("p", { class: "quiet" }, layer.name));
    if (typeof layer.field === "string" || !layer.field.length || !sizes.length) {
      made.append(
        h(
          "p",
          {},
          typeof layer.field === "string" ? layer.field : "There is no axis along which it sees a part.",
        ),
      );
      return made;
    }
    // an image by its last two axes, a sequence as a strip
    const [y, x] = sizes.length > 1 ? [sizes.length - 2, sizes.length - 1] : [-1, 0];
    const [high, wide] = [y < 0 ? Math.max(sizes[0] / 12, 1) : sizes[y], sizes[x]];
    const edge = Math.max(high, wide) * 0.14;
    const clip = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.min(Math.max(value, 0), most);
    const [left, right] = layer.field[x];
    const [top, low] = y < 0 ? [0, high] : layer.field[y];
    const spill = (/** @type {number} */ value, /** @type {number} */ most) =>
      Math.min(Math.max(value, -edge), most + edge);
    const box = (/** @type {string} */ kind, /** @type {number[]} */ [x0, y0, x1, y1]) =>
      s("rect", { class: kind, x: x0, y: y0, width: Math.max(x1 - x0, 0), height: Math.max(y1 - y0, 0) });
    made.append(
      s(
        "svg",
        {
          viewBox: `${-edge} ${-edge} ${wide + 2 * edge} ${high + 2 * edge}`,
          role: "img",
          "aria-label": `Positions ${layer.field.map(([from, to]) => `${from} to ${to - 1}`).join(" and ")} of ${sizes.join("x")}`,
        },
        box("image", [0, 0, wide, high]),
        box("beyond", [spill(left, wide), spill(top, high), spill(right, wide), spill(low, high)]),
        box("seen", [clip(left, wide), clip(top, high), clip(right, wide), clip(low, high)]),
      ),
    );
    const said = layer.field.map(([from, to, size], i) => {
      const cut = Math.max(-from, 0) + Math.max(to - sizes[i], 0);
      return `${size} of ${sizes[i]}, positions ${from} to ${to - 1}${cut ? `, of which ${Math.min(cut, size)} in the padding` : ""}`;
    });
    made.append(h("p", { class: "quiet" }, [...new Set(said)].join("; ")));
    return made;
  }

  /** All that is known of a layer. @param {number} number */
  function show(number) {
    if (number < 0) {
      panel.replaceChildren(
        h(
          "p",
          { class: "quiet" },
          "A click opens and closes a scope, and says all of a layer; a pointer on a layer shows what it sees of the input. Drag to move, turn the wheel or pinch to zoom.",
        ),
        fieldMap(-1),
      );
      return;
    }
    const layer = layers[number];
    const reads = layer.reads.map((i) => (i < 0 ? inside.inputs[-1 - i] : [layers[i].name, layers[i].shape]));
    const told = (/** @type {string | number} */ value) => (typeof value === "number" ? whole(value) : value);
    panel.replaceChildren();
    const parts = [
      h("h2", {}, layer.name),
      h("p", {}, h("code", {}, layer.op)),
      h(
        "dl",
        { class: "derived" },
        [
          ["input", reads.map(([name, shape]) => `${shape} from ${name}`).join(", ")],
          ...layer.derived,
        ].flatMap(([title, text]) => [h("dt", {}, title), h("dd", {}, text ?? "")]),
      ),
      h(
        "div",
        { class: "wide", tabindex: 0, role: "region", "aria-label": "Its row" },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["output", "params", "MACs", "values", "field"].map((title) =>
                h("th", { scope: "col" }, title),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            h(
              "tr",
              {},
              [
                layer.shape,
                told(layer.params),
                told(layer.macs),
                whole(layer.values),
                typeof layer.field === "string" ? layer.field : layer.field.map((one) => one[2]).join("x"),
              ].map((text) => h("td", {}, text)),
            ),
          ),
        ),
      ),
      fieldMap(number),
      spec(layer),
      h(
        "p",
        { class: "quiet" },
        h("code", {}, `archlens explain ${network.asked} ${layer.name}`),
        layer.training ? " It runs in training only." : "",
      ),
    ];
    for (const part of parts) if (part) panel.append(part);
  }

  /** The line of the spec that places it, among its neighbours. @param {Layer} layer */
  function spec(layer) {
    if (!layer.line) return null;
    const [file, line] = layer.line;
    const [name, lines] = inside.sources[file];
    const from = Math.max(line - 3, 0);
    return h(
      "div",
      {},
      h("h3", {}, `${name}, line ${line}`),
      h(
        "pre",
        { tabindex: 0 },
        lines
          .slice(from, line + 2)
          .map((text, i) =>
            h("span", { class: from + i + 1 === line ? "line here" : "line" }, `${from + i + 1}  ${text}\n`),
          ),
      ),
    );
  }
}

/**
 * Whether a layer is sought: by its name, by what it does, or by its whole shape.
 * @param {Layer} layer @param {string} term
 */
function fits(layer, term) {
  const does = layer.second.split(" → ")[0];
  return (
    `${layer.name} ${layer.op} ${does} ${layer.family}`.toLowerCase().includes(term) || layer.shape === term
  );
}

/** @param {number[]} points */
function path(points) {
  let text = `M${points[0].toFixed(1)},${points[1].toFixed(1)}`;
  for (let i = 2; i < points.length; i += 2) text += `L${points[i].toFixed(1)},${points[i + 1].toFixed(1)}`;
  return text;
}

/** The head of a line that goes down. @param {number[]} points */
function tip(points) {
  const [x, y] = points.slice(-2);
  return `M${x.toFixed(1)},${y.toFixed(1)}l-2.6,-5.4h5.2Z`;
}
