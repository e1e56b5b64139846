// What if: a spec in an editor, other inputs and other values of its params, and what archlens says of it.

import { data, shownMetrics } from "./data.js";
import { buttons, h, isDark } from "./dom.js";
import { editor } from "./editor.js";
import { full } from "./numbers.js";
import { save, word } from "./out.js";
import { ask as answered, latest, start } from "./python.js";
import { FIRST, packed, unpacked } from "./state.js";
import { further } from "./views.js";
import { walk } from "./walk.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./editor.js").Mark} Mark */

/**
 * What a check says.
 * @typedef {object} Checked
 * @property {Mark[]} marks
 * @property {boolean} complete
 * @property {number} layers
 * @property {string} failed
 * @property {string} headline
 * @property {[string, string][]} inputs
 * @property {[string, string][]} params
 * @property {string[]} variants
 * @property {string} variant
 */

/** @typedef {{headline: string, columns: [string, boolean][], rows: string[][], totals: string[], remarks: string[], notes: string[]}} Plain */

const TABS = /** @type {[string, string][]} */ ([
  ["graph", "Graph"],
  ["table", "Table"],
  ["picture", "Picture"],
  ["lint", "Lint"],
  ["limits", "Budget"],
]);
const STYLES = ["volumes", "graph", "stages", "profile"];
/** How wide a picture is that says nothing of where it is read. */
const README = 700;

const live = /** @type {NonNullable<typeof data.live>} */ (data.live);
const quiet = (/** @type {string} */ text) => h("p", { class: "quiet" }, text);

/** @type {State} */
let state = { ...FIRST };
/** @type {(change: Partial<State>, quiet?: boolean) => void} */
let set = () => {};

/** @type {Checked} */
let known = {
  marks: [],
  complete: false,
  layers: 0,
  failed: "",
  headline: "",
  inputs: [],
  params: [],
  variants: [],
  variant: "",
};
/** What the link says of the text, so that a link to another text is told apart. */
let linked = "";
let asked = 0;

const written = editor(
  "",
  live.ops,
  (line) => answered("complete", { line }),
  () => changed(),
);
const status = h("p", { class: "quiet status", role: "status" }, "Python has not been started.");
const marks = h("ul", { class: "marks", "aria-label": "What is wrong" });
const given = h("div", { class: "given" });
const start_ = h("div", { class: "tools" });
const figures = h("div", { class: "figures" });
const tabs = h("div", { class: "tools" });
const pane = h("div", { class: "pane" });
const root = h(
  "div",
  { class: "whatif" },
  start_,
  h(
    "div",
    { class: "halves" },
    h("div", {}, written.host, marks, given, status),
    h("div", {}, figures, tabs, pane),
  ),
);

const glance = latest(glanced, failed);
const check = latest(show, failed);
const part = latest(showPart, failed);
const figure = latest(showFigures, failed);
let shownOnce = false;

/** @param {State} now @param {(change: Partial<State>, quiet?: boolean) => void} then */
function view(now, then) {
  const before = state;
  [state, set] = [now, then];
  if (!shownOnce || (now.spec !== linked && now.spec !== before.spec) || now.from !== before.from) load();
  else if (now.tab !== before.tab) askPart();
  shownOnce = true;
  return root;
}

/** The text that the address has, or names. */
async function load() {
  renderStart();
  renderTabs();
  start().then(
    (took) => {
      asked = performance.now(); // what waited for that is answered from here on
      status.textContent = `Python is ready; it took ${(took / 1000).toFixed(1)} s to start.`;
    },
    (problem) => failed(problem),
  );
  status.textContent = "Python is being started …";
  linked = state.spec;
  let text = state.spec ? await unpacked(state.spec) : "";
  if (!text && state.from) {
    latest((answer) => {
      if (answer.problem) return failed(new Error(answer.problem));
      written.replace(answer.text);
      state = { ...state, variant: answer.variant };
      set({ variant: answer.variant }, true);
      changed();
    }, failed)("open", { name: state.from });
    return;
  }
  text ||= live.first;
  written.replace(text);
  changed();
}

let soon = 0;
let later = 0;

/** Another text, or something else to be different. */
function changed() {
  clearTimeout(soon);
  soon = window.setTimeout(ask, 30);
  clearTimeout(later);
  later = window.setTimeout(link, 400);
}

function question() {
  return {
    text: written.text(),
    variant: state.variant,
    inputs: pairs(state.inputs),
    values: pairs(state.values),
  };
}

function ask() {
  asked = performance.now();
  glance("glance", question());
}

/**
 * What is wrong is marked at once; what would work is looked for when nothing is typed for a while, for it may
 * take longer.
 * @param {{marks: Mark[]}} answer
 */
function glanced(answer) {
  written.mark(answer.marks);
  if (answer.marks.length) marks.replaceChildren(...answer.marks.map(told));
  clearTimeout(soon);
  soon = window.setTimeout(() => check("check", question()), answer.marks.length ? 350 : 0);
}

async function link() {
  const made = await packed(written.text());
  linked = made;
  state = { ...state, spec: made };
  set({ spec: made }, true);
}

/** @param {string} text  lines of NAME=VALUE @returns {Record<string, string>} */
const pairs = (text) =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );

/** @param {"inputs" | "values"} key @param {string} name @param {string} value  none where it is empty */
function differ(key, name, value) {
  const now = pairs(state[key]);
  if (value.trim()) now[name] = value.trim();
  else delete now[name];
  const text = Object.entries(now)
    .map((pair) => pair.join("="))
    .join("\n");
  state = { ...state, [key]: text };
  set({ [key]: text }, true);
  changed();
}

/** @param {Error} problem */
function failed(problem) {
  status.textContent = `${problem.message}`;
}

/** @param {Checked & {problem?: string}} answer */
function show(answer) {
  if (answer.problem) return failed(new Error(answer.problem));
  known = answer;
  written.mark(answer.marks);
  const took = Math.round(performance.now() - asked);
  status.textContent = `${answer.complete ? `${answer.layers} layers` : "It does not fit"}, after ${took} ms.`;
  root.classList.toggle("wrong", !answer.complete);
  marks.replaceChildren(...answer.marks.map(told));
  renderGiven();
  renderStart();
  figure("figures", question());
  askPart();
}

/** A diagnostic in words, which leads to its place. @param {Mark & {name?: string}} one */
function told(one) {
  const lines = [...one.notes, one.help ? `help: ${one.help}` : ""].filter(Boolean);
  return h(
    "li",
    { class: one.severity },
    h("strong", {}, `${one.code || one.severity} `),
    one.place.length
      ? h("button", { type: "button", class: "link", onclick: () => written.go(one) }, one.message)
      : one.message,
    lines.map((line) => h("small", {}, line)),
  );
}

// --- what can be different ------------------------------------------------------------------------------

function renderGiven() {
  const own = pairs(state.inputs);
  const values = pairs(state.values);
  const names = known.inputs.map(([name]) => name);
  const field = (
    /** @type {"inputs" | "values"} */ key,
    /** @type {string} */ name,
    /** @type {string} */ now,
  ) => {
    const other = key === "inputs" ? own[name] : values[name];
    const made = h("input", {
      type: "text",
      spellcheck: "false",
      autocomplete: "off",
      placeholder: now || "must be given",
      value: other ?? "",
      "data-what": `${key}:${name}`,
      oninput: (event) => differ(key, name, event.target.value),
    });
    return h("label", { class: other === undefined ? "field" : "field changed" }, h("span", {}, name), made);
  };
  // what is typed into stays as it is
  const here = given.querySelector(":focus");
  const keep = here instanceof HTMLElement ? here.dataset.what : undefined;
  const spans = here instanceof HTMLInputElement ? [here.selectionStart, here.selectionEnd] : [0, 0];
  const changedInputs = [...new Set([...names, ...Object.keys(own)])];
  const changedValues = [...new Set([...known.params.map(([name]) => name), ...Object.keys(values)])];
  given.replaceChildren(
    h("h2", {}, "What if"),
    h(
      "div",
      { class: "tools" },
      changedInputs.map((name) =>
        field("inputs", name, known.inputs.find(([one]) => one === name)?.[1] ?? ""),
      ),
      changedValues.map((name) =>
        field("values", name, known.params.find(([one]) => one === name)?.[1] ?? ""),
      ),
      state.inputs || state.values
        ? h(
            "button",
            {
              type: "button",
              onclick: () => {
                state = { ...state, inputs: "", values: "" };
                set({ inputs: "", values: "" }, true);
                renderGiven();
                changed();
              },
            },
            "As the spec has it",
          )
        : null,
    ),
  );
  const again = keep && given.querySelector(`[data-what="${CSS.escape(keep)}"]`);
  if (again instanceof HTMLInputElement) {
    again.focus();
    again.setSelectionRange(spans[0], spans[1]);
  }
}

function renderStart() {
  if (start_.contains(document.activeElement)) return;
  const list = h(
    "datalist",
    { id: "zoo" },
    live.names.map((name) => h("option", { value: name })),
  );
  const open = h("input", {
    type: "search",
    list: "zoo",
    placeholder: "resnet50",
    value: state.from,
    onchange: (event) => {
      const name = event.target.value.trim();
      if (live.names.includes(name))
        set({ from: name, spec: "", variant: name, inputs: "", values: "", layer: "", open: "" });
      else if (name) status.textContent = `there is no network ${name}`;
    },
  });
  start_.replaceChildren(
    h("label", { class: "field" }, h("span", {}, "Start from"), open, list),
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          state = { ...state, from: "", variant: "", inputs: "", values: "", layer: "", open: "" };
          set({ from: "", variant: "", inputs: "", values: "", layer: "", open: "" }, true);
          written.replace(live.first);
          changed();
        },
      },
      "A new spec",
    ),
    known.variants.length > 1
      ? h(
          "label",
          { class: "field" },
          h("span", {}, "Variant"),
          h(
            "select",
            {
              onchange: (event) => {
                state = { ...state, variant: event.target.value };
                set({ variant: event.target.value }, true);
                event.target.blur();
                changed();
              },
            },
            known.variants.map((name) =>
              h("option", { value: name, selected: name === known.variant }, name),
            ),
          ),
        )
      : "",
  );
}

// --- what follows ---------------------------------------------------------------------------------------

/** @param {{now: any, own?: any, texts: string[], problem?: string} | null} answer */
function showFigures(answer) {
  if (!answer || answer.problem) {
    figures.replaceChildren(h("p", { class: "headline" }, known.headline || "There is no network yet."));
    return;
  }
  const { now, own } = answer;
  figures.replaceChildren(
    h("p", { class: "headline" }, known.headline),
    h(
      "dl",
      { class: "strip" },
      shownMetrics.flatMap((by) => {
        const i = data.metrics.indexOf(by);
        const [value, was] = [now.values[i], own?.values[i]];
        if (by.key === "year" || typeof value !== "number") return [];
        const more = typeof was === "number" && was !== value ? ` (${full(by, was, own.said)} before)` : "";
        return [
          h(
            "div",
            { class: more ? "changed" : "", "data-metric": by.key, "data-value": value },
            h("dt", {}, by.called),
            h("dd", {}, full(by, value, now.said), more ? h("small", {}, more) : null),
          ),
        ];
      }),
    ),
  );
}

function renderTabs() {
  const now = TABS.some(([key]) => key === state.tab) ? state.tab : FIRST.tab;
  tabs.replaceChildren(
    buttons("Shown", TABS, now, (tab) => {
      state = { ...state, tab };
      set({ tab }, true);
      renderTabs();
      pane.replaceChildren();
      askPart();
    }),
  );
}

function askPart() {
  const dark = getComputedStyle(document.documentElement).colorScheme !== "light" && isDark();
  switch (state.tab) {
    case "table":
    case "lint":
      part(state.tab, question());
      break;
    case "limits":
      part("limits", { ...question(), limits: limits() });
      break;
    case "picture":
      part("picture", {
        ...question(),
        style: STYLES.includes(state.style) ? state.style : STYLES[0],
        dark,
        fit: fit() || undefined,
      });
      break;
    default:
      part("graph", question());
  }
}

/** What a picture is made for: the room that it has, where that is less than what it is made for anyway. */
function fit() {
  const wide = pane.clientWidth;
  return wide && wide < README ? `${wide}px` : "";
}

/** Ask for what looks otherwise in other colours, or in another width. */
function drawAnew() {
  if (state.tab === "picture") askPart();
}

let across = 0;
new ResizeObserver(() => {
  const moved = across && Math.abs(pane.clientWidth - across) > 8;
  if (pane.clientWidth) across = pane.clientWidth;
  if (moved) drawAnew();
}).observe(pane);

/** The limits that are typed in: a quantity and a comparison each. */
const limits = () =>
  state.limits
    .split(/[\n,;]/)
    .map((line) => /^\s*([\w-]+)\s*(.*)$/.exec(line))
    .filter((found) => found !== null)
    .map(([, name, text]) => [name.replaceAll("-", "_"), text.trim()]);

/** @param {any} answer */
function showPart(answer) {
  const made = { table: asTable, lint: asLint, limits: asLimits, picture: asPicture }[state.tab] ?? asGraph;
  const { scrollTop, scrollLeft } = pane.firstElementChild ?? { scrollTop: 0, scrollLeft: 0 };
  const typed = pane.querySelector("input:focus");
  const at = typed instanceof HTMLInputElement ? typed.selectionStart : null;
  pane.replaceChildren(
    ...(answer?.problem && state.tab !== "limits"
      ? [h("pre", { class: "problem" }, answer.problem)]
      : made(answer)),
  );
  if (pane.firstElementChild) Object.assign(pane.firstElementChild, { scrollTop, scrollLeft });
  const again = at !== null && pane.querySelector("input[data-limits]");
  if (again instanceof HTMLInputElement) {
    again.focus();
    again.setSelectionRange(at, at);
  }
}

/** @param {any} answer */
function asGraph(answer) {
  if (!answer)
    return [quiet(known.layers ? "It has too many layers to draw." : "There is nothing to draw yet.")];
  const one = { name: "", title: "the network", asked: FILE, inside: answer };
  const before = /** @type {any} */ (pane.querySelector(".net"))?.__zoom;
  const shown = { ...state };
  if (known.failed && !shown.layer) shown.layer = known.failed;
  const follow = (/** @type {Partial<State>} */ change) => {
    state = { ...state, ...change };
    set(change, true);
  };
  return [walk(one, shown, follow, { before, line: (line) => written.line(line) })];
}

/** What the file is called in commands. */
const FILE = "network.yaml";

/** @param {Plain | null} answer */
function asTable(answer) {
  if (!answer) return [quiet("There is no network yet.")];
  const cells = (/** @type {"th" | "td"} */ tag, /** @type {string[]} */ row) =>
    row.map((text, i) =>
      h(tag, { class: answer.columns[i]?.[1] ? "number" : null, scope: tag === "th" ? "col" : null }, text),
    );
  return [
    h(
      "div",
      { class: "wide tall", tabindex: 0, role: "region", "aria-label": "Table" },
      h(
        "table",
        { class: "layers" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            cells(
              "th",
              answer.columns.map(([title]) => title),
            ),
          ),
        ),
        h(
          "tbody",
          {},
          answer.rows.map((row) =>
            h(
              "tr",
              {},
              row.length === answer.columns.length
                ? cells("td", row)
                : h("th", { colspan: answer.columns.length }, row[0]),
            ),
          ),
          answer.totals.some(Boolean) ? h("tr", { class: "totals" }, cells("td", answer.totals)) : null,
        ),
      ),
    ),
    ...answer.remarks.map((line) => h("p", {}, line)),
    ...answer.notes.map(quiet),
  ];
}

/** @param {(Mark & {name: string})[] | null} answer */
function asLint(answer) {
  if (!answer) return [quiet("The rules look at whole networks, and this one does not fit yet.")];
  if (!answer.length) return [quiet("Nothing found.")];
  return [
    h(
      "ul",
      { class: "marks found" },
      answer.map((one) => told({ ...one, code: `${one.code} ${one.name}` })),
    ),
  ];
}

/** @param {(Plain & {held: boolean[]}) | {problem: string} | null} answer */
function asLimits(answer) {
  const typed = h("input", {
    type: "text",
    "data-limits": "",
    spellcheck: "false",
    value: state.limits,
    placeholder: "params <= 26M, macs <= 4.1G, peak_activations <= 10MB",
    oninput: (event) => {
      state = { ...state, limits: event.target.value };
      set({ limits: event.target.value }, true);
      askPart();
    },
  });
  const field = h("label", { class: "field long" }, h("span", {}, "Limits"), typed);
  if (!answer)
    return [field, quiet("Limits are held against whole networks, and this one does not fit yet.")];
  if ("problem" in answer) return [field, h("pre", { class: "problem" }, answer.problem)];
  if (!answer.rows.length)
    return [field, quiet("Nothing is limited: neither here, nor by a budget: in the spec.")];
  const table = asTable(answer);
  for (const [i, row] of [...table[0].querySelectorAll("tbody tr")].entries())
    if (i < answer.held.length) row.classList.add(answer.held[i] ? "held" : "broken");
  return [field, ...table];
}

/** @param {{svg: string} | null} answer */
function asPicture(answer) {
  const now = STYLES.includes(state.style) ? state.style : STYLES[0];
  const choice = buttons(
    "Style",
    STYLES.map((style) => [style, style]),
    now,
    (style) => {
      state = { ...state, style };
      set({ style }, true);
      askPart();
    },
  );
  if (!answer) return [choice, quiet("There is nothing to draw yet.")];
  const address = URL.createObjectURL(new Blob([answer.svg], { type: "image/svg+xml" }));
  const image = h("img", {
    src: address,
    alt: `${known.headline}, as ${now}`,
    onload: () => URL.revokeObjectURL(address),
  });
  const keep = () => save(`${now}.svg`, new Blob([answer.svg], { type: "image/svg+xml" }));
  return [
    h("div", { class: "tools" }, choice, h("button", { type: "button", onclick: keep }, "Save the SVG")),
    h("div", { class: "wide tall", tabindex: 0, role: "region", "aria-label": "Picture" }, image),
  ];
}

/** What says the same on the command line. @param {State} now */
function command(now) {
  const options = [
    ...Object.entries(pairs(now.inputs)).map(
      ([name, shape]) => `--input ${word(known.inputs.length > 1 ? `${name}=${shape}` : shape)}`,
    ),
    ...Object.entries(pairs(now.values)).map(([name, value]) => `--set ${word(`${name}=${value}`)}`),
  ];
  const name = known.variant ? `${FILE}:${known.variant}` : FILE;
  const ends = [word(name), ...options].join(" ");
  switch (now.tab) {
    case "lint":
      return `archlens lint ${ends}`;
    case "limits":
      return `archlens check ${ends}${limits()
        .map(([key, text]) => ` --${key.replaceAll("_", "-")} ${word(text)}`)
        .join("")}`;
    case "table":
      return `archlens shapes ${ends}`;
    case "picture":
      return `archlens diagram ${ends} --style ${now.style}${fit() ? ` --fit ${fit()}` : ""} -o network.svg`;
    default:
      return `archlens diagram ${ends} -o network.svg`;
  }
}

FIRST.view = "whatif";
further.push({ key: "whatif", title: "What if", show: view, command, themed: drawAnew });
