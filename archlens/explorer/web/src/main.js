// The viewer: it reads the data of the page, and shows what the address says.

import { bars } from "./bars.js";
import {
  byName,
  chosen,
  data,
  families,
  figureOf,
  layersOf,
  metric,
  metricsOf,
  shownMetrics,
  sorted,
} from "./data.js";
import { beside, details } from "./details.js";
import { buttons, choice, h, isDark } from "./dom.js";
import { full } from "./numbers.js";
import { command, csv, figures, layersTable, markdown, png, save, svgText } from "./out.js";
import { axes, isCount, scatter } from "./scatter.js";
import { FIRST, fromFragment, toFragment } from "./state.js";
import { teach } from "./teach.js";
import { further } from "./views.js";
import { walk } from "./walk.js";

/** What a spec that is begun with has none of. */
const AFRESH = { spec: "", inputs: "", values: "", layer: "", open: "" };

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./data.js").Network} Network */

const VIEWS = /** @type {[string, string][]} */ ([
  ...further.map(({ key, title }) => [key, title]),
  ["bars", "Bars"],
  ["scatter", "Chart"],
  ["table", "Table"],
  ["beside", "Side by side"],
  ["network", "Network"],
  ["arithmetic", "Arithmetic"],
]);

const root = /** @type {HTMLElement} */ (document.getElementById("explorer"));
const plain = document.getElementById("plain");
const walkable = data.networks.filter((one) => one.inside);

/** The layers of networks, once they have been unpacked. @type {Map<string, import("./layers.js").Inside>} */
const held = new Map();

/** @type {State} */
let state = fresh(fromFragment(location.hash));
const stage = h("div", { class: "stage", id: "stage" });
const side = h("div", { class: "side" });
const status = h("p", { class: "quiet status", role: "status" });
const top = h("div", { class: "top" });
const foot = h("div", { class: "foot" });

/** A state whose names there are. @param {State} given @returns {State} */
function fresh(given) {
  const made = { ...given };
  if (!VIEWS.some(([view]) => view === made.view)) made.view = FIRST.view;
  for (const key of /** @type {const} */ (["metric", "x", "y"])) {
    if (!data.metrics.some((by) => by.key === made[key])) made[key] = FIRST[key];
  }
  if (made.area !== "none" && !data.metrics.some((by) => by.key === made.area)) made.area = FIRST.area;
  for (const key of /** @type {const} */ (["net", "with"])) if (!byName.has(made[key])) made[key] = "";
  return made;
}

/** @param {Partial<State>} change @param {boolean} [quiet]  whether what is shown is as it is to be */
function set(change, quiet = false) {
  const next = { ...state, ...change };
  const moved = next.view !== state.view || next.net !== state.net || next.with !== state.with;
  state = next;
  const fragment = toFragment(state);
  const address = `${location.pathname}${location.search}${fragment ? `#${fragment}` : ""}`;
  history[moved && !quiet ? "pushState" : "replaceState"](null, "", address);
  if (!quiet) render();
  else renderFoot();
}

window.addEventListener("popstate", () => {
  state = fresh(fromFragment(location.hash));
  render();
});

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);

let before = 0;
new ResizeObserver(() => {
  if (Math.abs(stage.clientWidth - before) > 2 && ["bars", "scatter", "beside"].includes(state.view))
    renderStage();
}).observe(stage);

root.append(top, h("div", { class: "columns" }, stage, side), foot, status);
if (plain) plain.hidden = true;
render();

/** @param {Network} one @param {boolean} second */
function pick(one, second) {
  if (second && state.net && state.net !== one.name) {
    set({ with: one.name, view: "beside" });
    return;
  }
  set({ net: one.name });
  const title = document.getElementById("details-title");
  title?.focus({ preventScroll: true });
  const narrow = window.matchMedia("(max-width: 60rem)").matches;
  if (narrow) title?.closest("aside")?.scrollIntoView({ block: "start" });
}

function render() {
  const focused =
    document.activeElement instanceof HTMLElement ? document.activeElement.dataset.keep : undefined;
  renderTop();
  renderSide();
  renderStage();
  renderFoot();
  const again = focused && root.querySelector(`[data-keep="${CSS.escape(focused)}"]`);
  if (again instanceof HTMLElement) {
    again.focus();
    if (again instanceof HTMLInputElement && again.type === "search")
      again.setSelectionRange(again.value.length, again.value.length);
  }
}

function renderTop() {
  const nav = h(
    "nav",
    { "aria-label": "Views" },
    VIEWS.map(([view, text]) =>
      h(
        "button",
        {
          type: "button",
          "data-view": view,
          "data-keep": `view-${view}`,
          "aria-current": view === state.view ? "page" : null,
          onclick: () => set({ view }),
        },
        text,
      ),
    ),
  );
  top.replaceChildren(nav, tools());
}

function tools() {
  const made = h("div", { class: "tools" });
  const many = data.networks.length > 1;
  if (["bars", "scatter", "table"].includes(state.view) && many) made.append(setOf(), search());
  if (state.view === "bars") {
    made.append(
      buttons(
        "Figure",
        shownMetrics.map((by) => [
          by.key,
          by.key === "peak_activations" ? "live set" : by.key === "memory" ? "bytes" : by.called,
        ]),
        state.metric,
        (key) => set({ metric: key }),
      ),
      buttons(
        "Scale",
        [
          ["linear", "linear"],
          ["log", "logarithmic"],
        ],
        state.scale,
        (scale) => set({ scale }),
      ),
      buttons(
        "Sort by",
        [
          ["value", "by value"],
          ["year", "by year"],
          ["name", "by name"],
        ],
        state.sort,
        (sort) => set({ sort }),
      ),
    );
  }
  if (state.view === "scatter") {
    const neutral = [state.x, state.y].some((key) => !metric(key).better);
    const areas = /** @type {[string, string][]} */ ([
      ["none", "none"],
      ...data.metrics.filter(isCount).map((by) => [by.key, by.called]),
    ]);
    made.append(
      choice("Across", axes(), state.x, (x) => set({ x })),
      choice("Upward", axes(), state.y, (y) => set({ y })),
      choice("Area", areas, state.area, (area) => set({ area })),
      h(
        "label",
        { class: "check", title: neutral ? "neither more nor less is better on one of the axes" : null },
        h("input", {
          type: "checkbox",
          "data-keep": "front",
          checked: Boolean(state.front) && !neutral,
          disabled: neutral,
          onchange: (event) => set({ front: event.target.checked ? "1" : "" }),
        }),
        "Pareto front",
      ),
      h(
        "button",
        { type: "button", onclick: () => set({ x: "year", y: "params", area: "macs", front: "" }) },
        "Timeline",
      ),
      h(
        "button",
        { type: "button", onclick: () => set({ x: "macs", y: "top1", area: "params", front: "1" }) },
        "Accuracy",
      ),
    );
  }
  if (state.view === "network" && walkable.length > 1) {
    made.append(
      choice(
        "Network",
        walkable.map((one) => [one.name, one.title]),
        walked()?.name ?? "",
        (net) => set({ net, layer: "", open: "", find: "" }),
      ),
    );
  }
  return made;
}

function setOf() {
  const options = /** @type {[string, string][]} */ ([
    ...(data.beginning.length > 1 ? [["beginning", "LeNet to ResNet"]] : []),
    ["all", `all ${data.networks.length}`],
    ...(families.length > 1 ? families.map((family) => [family, family]) : []),
  ]);
  // what is searched for is looked for among all
  const current = !state.q.trim() && options.some(([value]) => value === state.set) ? state.set : "all";
  return choice("Networks", options, current, (value) => set({ set: value, q: "" }));
}

function search() {
  return h(
    "label",
    { class: "field" },
    h("span", {}, "Search"),
    h("input", {
      type: "search",
      "data-keep": "q",
      value: state.q,
      placeholder: "resnet50, vgg",
      oninput: (event) => set({ q: event.target.value }),
    }),
  );
}

/** The network that is walked through: the one that is chosen, if its layers are here, or else the first. */
function walked() {
  return state.net ? walkable.find((one) => one.name === state.net) : walkable[0];
}

function renderStage() {
  const wide = Math.max(Math.floor(stage.clientWidth), 260);
  before = stage.clientWidth;
  const pane = () => {
    switch (state.view) {
      case "scatter":
        return scatter(state, wide, pick);
      case "table":
        return table();
      case "beside":
        return beside(state.net, state.with, (net, other) => set({ net, with: other }), wide);
      case "arithmetic":
        return teach(state, set);
      case "network": {
        const one = walked();
        if (one) return walkThrough(one);
        const asked = byName.get(state.net)?.asked ?? "resnet50";
        return h(
          "p",
          {},
          "It has too many layers to walk through: ",
          h("code", {}, `archlens shapes ${asked} --fold`),
          " lists them.",
        );
      }
      default: {
        const one = further.find(({ key }) => key === state.view);
        return one ? one.show(state, set) : bars(state, wide, pick);
      }
    }
  };
  stage.replaceChildren(pane());
}

/** @param {Network} one */
function walkThrough(one) {
  const inside = held.get(one.name);
  if (inside) return walk({ ...one, inside }, state, set);
  layersOf(one).then((found) => {
    if (!found) return;
    held.set(one.name, found);
    if (state.view === "network" && walked() === one) renderStage();
  });
  return h("p", { class: "quiet waiting", role: "status" }, "The layers are being unpacked.");
}

function table() {
  const by = metric(state.metric);
  const networks = sorted(chosen(state), state.sort, by);
  const metrics = metricsOf(networks);
  /** A head that orders by its column. @param {string} text @param {boolean} first @param {Partial<State>} change */
  const head = (text, first, change) =>
    h(
      "th",
      { scope: "col", "aria-sort": first ? (state.sort === "value" ? "descending" : "ascending") : null },
      h(
        "button",
        { type: "button", class: "link", "data-keep": `sort ${text}`, onclick: () => set(change) },
        text,
      ),
    );
  return h(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Figures" },
    h(
      "table",
      { class: "figures" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head("network", state.sort === "name", { sort: "name" }),
          metrics.map((one) =>
            head(one.called, state.sort === "value" && one === by, { metric: one.key, sort: "value" }),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        networks.map((one) =>
          h(
            "tr",
            {},
            h(
              "th",
              { scope: "row" },
              h("button", { type: "button", class: "link", onclick: () => pick(one, false) }, one.title),
            ),
            metrics.map((by) => {
              const value = figureOf(one, by);
              return typeof value === "number"
                ? h("td", {}, full(by, value, one.said))
                : h("td", { class: "unknown", title: value }, "unknown");
            }),
          ),
        ),
      ),
    ),
  );
}

function renderSide() {
  const one = byName.get(state.net);
  const shown = one && ["bars", "scatter", "table"].includes(state.view);
  side.replaceChildren();
  root.classList.toggle("with-side", Boolean(shown));
  if (!shown) return;
  side.append(
    details(one, {
      walk: (found) => set({ view: "network", net: found.name, layer: "", open: "", find: "" }),
      beside: (found, other) => set({ view: "beside", net: found.name, with: other }),
      whatIf: data.live?.names.includes(one.name)
        ? (found) => set({ ...AFRESH, view: "whatif", from: found.name, variant: found.name })
        : undefined,
      close: () => set({ net: "" }),
    }),
  );
}

function renderFoot() {
  const networks =
    state.view === "beside" || state.view === "network"
      ? data.networks.filter((one) => one.name === state.net || one.name === state.with)
      : chosen(state);
  const listed = networks.length ? networks : data.networks.slice(0, 1);
  const other = further.find(({ key }) => key === state.view);
  const button = (/** @type {string} */ text, /** @type {() => void} */ then) =>
    h("button", { type: "button", onclick: then }, text);
  foot.replaceChildren(
    h(
      "div",
      { class: "tools", role: "group", "aria-label": "Take out" },
      pictured() ? [button("SVG", () => picture("svg")), button("PNG", () => picture("png"))] : null,
      other || state.view === "arithmetic"
        ? null
        : [
            button("CSV", () => taken(listed, "csv", "text/csv", csv)),
            button("Markdown", () => taken(listed, "md", "text/markdown", markdown)),
          ],
      button("Copy the link", () => copy(location.href, "The link")),
      button(isDark() ? "Light" : "Dark", theme),
    ),
    h(
      "p",
      { class: "command" },
      h("span", { class: "quiet" }, "The command that makes this: "),
      h("code", {}, other ? other.command(state) : command(given(), listed)),
    ),
  );
}

/** Save what a view tells as a table. @param {Network[]} listed @param {string} ending @param {string} type @param {(table: import("./out.js").Taken) => string} form */
async function taken(listed, ending, type, form) {
  const one = state.view === "network" ? walked() : undefined;
  const inside = one && (await layersOf(one));
  const table = one && inside ? layersTable(one.name, inside) : figures(listed);
  save(`${table.name}.${ending}`, new Blob([form(table)], { type }));
}

/** The state with the networks that are shown where it names none. @returns {State} */
function given() {
  if (state.view === "network") return { ...state, net: walked()?.name ?? state.net };
  if (state.view !== "beside") return state;
  const [first, second] = [
    byName.get(state.net) ?? data.networks[0],
    byName.get(state.with) ?? data.networks[1] ?? data.networks[0],
  ];
  return { ...state, net: first.name, with: second.name };
}

/** The picture that a view is about. @returns {SVGElement | null} */
function pictured() {
  return (
    stage.querySelector(".chart, .net") ?? stage.querySelector(".drawn svg") ?? stage.querySelector("svg")
  );
}

/** @param {"svg" | "png"} form */
async function picture(form) {
  const svg = pictured();
  if (!svg) return;
  const text = svgText(svg);
  save(
    `${state.view}.${form}`,
    form === "svg" ? new Blob([text], { type: "image/svg+xml" }) : await png(text),
  );
}

/** @param {string} text @param {string} what */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = `${what} is copied.`;
  } catch {
    status.textContent = `${what}: ${text}`;
  }
}

function theme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  themed();
}

function themed() {
  renderFoot();
  further.find(({ key }) => key === state.view)?.themed?.();
}
