// What changed between two networks, drawn as `archlens diff` draws it: both side by side, row by row, what is
// the same folded, and rows that repeat once.

import { alignedOf, boundary, stretches } from "./difference.js";
import { fitted, measured, s } from "./dom.js";
import { whole } from "./numbers.js";
import { counted } from "./unfold.js";

/** @typedef {import("./difference.js").Difference} Difference */
/** @typedef {import("./difference.js").Aligned} Aligned */
/** @typedef {import("./difference.js").Group} Group */
/** @typedef {import("./difference.js").Part} Part */
/** @typedef {import("./difference.js").Change} Change */

/**
 * A box of a row: its kind, and lines, each with what stands at its left and at its right.
 * @typedef {{kind: Change, lines: [string, string][], title: string, like: string}} Side
 */

/** The height of a line, the space within boxes and between rows, and the head of a column. */
const [LINE, PAD, GAP, HEAD] = [17, 7, 11, 26];
/** The room of a sign, between what stands in one line, and for how often rows repeat. */
const [SIGN, BETWEEN, REPEATS] = [15, 12, 40];
/** How wide both columns are at most, how many rows may make up what repeats, and how many are drawn. */
const [WIDEST, LONGEST, MOST] = [1000, 12, 600];
const FONT = "12px system-ui, sans-serif";
const BOLD = `bold ${FONT}`;

/** The sign of each kind, so that colours are not needed. @type {Partial<Record<Change, string>>} */
const SIGNS = { added: "+", removed: "\u2212", altered: "~", affected: "\u2248" };
const KINDS = /** @type {Change[]} */ (["added", "removed", "altered", "affected"]);

/** What changed, in a sentence. @param {Difference} found */
export function summary(found) {
  const of = (/** @type {Change} */ kind) => found.pairs.filter((pair) => pair.kind === kind).length;
  const said = KINDS.filter(of).map((kind) => `${whole(of(kind))} ${kind}`);
  const renamed = found.pairs.filter(
    (pair) => pair.old && pair.new && pair.old.name !== pair.new.name,
  ).length;
  if (renamed) said.push(`${whole(renamed)} under another name`);
  const differ = boundary(found);
  if (!said.length && !differ.length) return "Layer by layer, the two are the same.";
  const same = of("same");
  const alike = same === 1 ? "1 layer is the same" : `${whole(same)} layers are the same`;
  return `${said.join(", ") || "Inputs or outputs differ"}; ${alike}.`;
}

/** What the picture cannot say by itself. @param {Difference} found @param {{repeats: boolean, left: number}} drawn */
export function notes(found, drawn) {
  const has = (/** @type {Change} */ kind) => found.pairs.some((pair) => pair.kind === kind);
  return [
    has("altered") ? "Altered: another op, other attributes or other inputs." : "",
    has("affected") ? "Affected: the same op on other shapes, because of what comes before it." : "",
    drawn.repeats
      ? "×2 beside rows: they stand there twice, the second time under the names that follow."
      : "",
    ...boundary(found).map((said) => `${said[0].toUpperCase()}${said.slice(1)}.`),
    drawn.left ? `Further rows, ${whole(drawn.left)} of them, are not drawn.` : "",
  ].filter(Boolean);
}

/**
 * Both networks side by side.
 * @param {Difference} found @param {[string, string]} names @param {number} wide
 * @returns {{svg: SVGSVGElement, repeats: boolean, left: number}}
 */
export function drawing(found, names, wide) {
  const rows = alignedOf(found).map((one) => [
    sideOf(one, one.old, "removed"),
    sideOf(one, one.new, "added"),
  ]);
  const likes = rows.map((row) => row.map((side) => side?.like ?? "").join("\n"));
  const folds = stretches(
    rows.length,
    (start, period) => {
      let count = 1;
      const again = (/** @type {number} */ i) => likes[start + i] === likes[start + count * period + i];
      while (
        start + (count + 1) * period <= rows.length &&
        Array.from({ length: period }, (_, i) => i).every(again)
      )
        count++;
      return count;
    },
    LONGEST,
  );
  const repeats = folds.some((one) => one.copies > 1);
  const kinds = KINDS.filter((kind) => found.pairs.some((pair) => pair.kind === kind));
  const across = Math.min(wide, WIDEST);
  const middle = across < 500 ? 24 : 38;
  const column = (across - middle - (repeats ? REPEATS : 0)) / 2;
  const svg = s("svg", { class: "changes", width: across, role: "img", "aria-label": summary(found) });
  let y = 0;
  let x = 0;
  for (const kind of kinds) {
    const text = `${SIGNS[kind]} ${kind}`;
    if (x && x + 24 + measured(text, FONT) > across) [x, y] = [0, y + 22];
    svg.append(
      s(
        "g",
        { class: kind },
        s("rect", { x: x + 1, y: y + 3, width: 14, height: 12, rx: 2 }),
        s("text", { x: x + 21, y: y + 13 }, text),
      ),
    );
    x += 40 + measured(text, FONT);
  }
  y += kinds.length ? 30 : 0;
  names.forEach((name, i) => {
    const x = (i ? column + middle : 0) + column / 2;
    svg.append(
      s("text", { class: "called", x, y: y + 15, "text-anchor": "middle" }, fitted(name, column, BOLD)),
    );
  });
  y += HEAD;
  let drawn = 0;
  let left = 0;
  /** The ends of the boxes above. @type {[number | null, number | null]} */
  const ends = [null, null];
  for (const fold of folds) {
    if (drawn + fold.period > MOST) {
      left = rows.length - fold.start;
      break;
    }
    drawn += fold.period;
    const top = y;
    for (const row of rows.slice(fold.start, fold.start + fold.period)) {
      const made = row.map((side) => linesOf(side, column));
      const high = Math.max(...made.map((lines) => lines.length)) * LINE + 2 * PAD;
      drawRow(svg, row, made, { y, high, column, middle, ends });
      y += high + GAP;
    }
    if (fold.copies > 1) {
      const [x, low] = [2 * column + middle + 6, y - GAP - 2];
      svg.append(
        s("path", { class: "bracket", d: `M${x} ${top + 2}h5V${low}h-5` }),
        s("text", { class: "times", x: x + 10, y: (top + low) / 2 + 5 }, `×${whole(fold.copies)}`),
      );
    }
  }
  svg.setAttribute("height", `${y}`);
  svg.setAttribute("viewBox", `0 0 ${across} ${y}`);
  return { svg, repeats, left };
}

/** @param {Aligned} one @param {Group | null} group @param {"added" | "removed"} moved @returns {Side | null} */
function sideOf(one, group, moved) {
  if (!group) return null;
  const kind = one.kind === "added" || one.kind === "removed" ? moved : one.kind;
  const side = moved === "added" ? "new" : "old";
  const layers = group.pairs.map((pair) => /** @type {Part} */ (pair[side]));
  const [first, last] = [layers[0], layers[layers.length - 1]];
  const name = group.repeats > 1 ? `${group.name} ×${group.repeats}` : group.name;
  if ((kind === "same" || kind === "affected") && layers.length > 1) {
    const affected = group.pairs.filter((pair) => pair.kind === "affected").length;
    const said =
      kind === "same"
        ? " the same"
        : affected < layers.length
          ? `, ${whole(affected)} affected`
          : " affected";
    const like = [kind, ...layers.map((layer) => `${layer.op} ${layer.made}`)].join("|");
    return { kind, lines: [[`${whole(layers.length)} layers${said}`, name]], title: name, like };
  }
  const each = layers.length / group.repeats;
  const layersEach = each > 1 ? `${whole(each)} layers` : "";
  const what =
    (layersEach && group.what ? `${group.what}: ${layersEach}` : layersEach || group.what) +
    (group.repeats > 1 ? " each" : "");
  const unnamed = /^\d+(\.+\d+)*$/.test(group.name);
  const params = sum(layers.map((layer) => layer.params));
  const macs = sum(layers.map((layer) => (layer.training ? 0 : layer.macs)));
  // a figure is not parted from its unit
  const said = (/** @type {string} */ sum, /** @type {string} */ unit) =>
    `${sum} ${unit}`.replaceAll(" ", "\u00a0");
  const cost = [params && said(params, "params"), macs && said(macs, "MACs")].filter(Boolean).join(", ");
  const shapes = kind === "same" ? "" : `${first.shapes.join(", ")} -> ${last.shape}`;
  const { what: why } = group.pairs[0];
  const [old, later] = [group.pairs[0].old, group.pairs[0].new];
  /** @type {[string, string][]} */
  const lines = [[shapes, cost]];
  if (kind === "altered" && moved === "added" && old && later && old.op === later.op) lines.push([why, ""]);
  const told = [what, shapes, cost, kind === "altered" ? why : ""].filter(Boolean);
  const title = [`${kind}: ${name}`, ...told].join("; ");
  return {
    kind,
    lines: [unnamed ? [what, ""] : [name, what], ...lines],
    title: title.length > 400 ? `${title.slice(0, 397)}...` : title,
    like: [kind, group.repeats, what, ...lines.flat()].join("|"),
  };
}

/** A sum in words; empty where it is nothing. @param {(number | null)[]} counts */
function sum(counts) {
  const known = counts.reduce((/** @type {number} */ all, one) => all + (one ?? 0), 0);
  if (counts.includes(null)) return known ? `at least ${counted(known)}` : "unknown";
  return known ? counted(known) : "";
}

/** The lines of a box; what has no room at the right of one stands in the next. @param {Side | null} side @param {number} column @returns {[string, string][]} */
function linesOf(side, column) {
  if (!side) return [];
  const inner = column - 2 * PAD - (side.kind === "added" || side.kind === "removed" ? SIGN : 0);
  /** @type {[string, string][]} */
  const made = [];
  for (const [left, right] of side.lines) {
    const font = made.length || side.kind === "same" ? FONT : BOLD;
    if (left && right && measured(left, font) + measured(right, FONT) + BETWEEN <= inner) {
      made.push([left, right]);
      continue;
    }
    for (const [i, text] of [left, right].filter(Boolean).entries())
      for (const row of wrapped(text, inner, i ? FONT : font)) made.push([row, ""]);
  }
  return made;
}

/**
 * A text in at most four lines, broken at blanks, and at the dots of a name that is longer than a line; what is
 * too long is cut.
 * @param {string} text @param {number} most @param {string} font
 */
function wrapped(text, most, font) {
  const rest = text
    .slice(0, 2000)
    .split(" ")
    .flatMap((word) => (measured(word, font) <= most ? word : word.split(/(?<=\.)/)));
  const joined = (/** @type {string} */ line, /** @type {string} */ next) =>
    line.endsWith(".") ? line + next : `${line} ${next}`;
  const made = [];
  while (rest.length) {
    let line = /** @type {string} */ (rest.shift());
    while (rest.length && (made.length === 3 || measured(joined(line, rest[0]), font) <= most))
      line = joined(line, /** @type {string} */ (rest.shift()));
    made.push(fitted(line, most, font));
  }
  return made;
}

/**
 * @param {SVGElement} svg @param {(Side | null)[]} row @param {[string, string][][]} made
 * @param {{y: number, high: number, column: number, middle: number, ends: (number | null)[]}} place
 */
function drawRow(svg, row, made, { y, high, column, middle, ends }) {
  const level = y + high / 2;
  const boxes = row.map((side, i) => {
    if (!side) return null;
    const x = i ? column + middle : 0;
    const tall = made[i].length * LINE + 2 * PAD;
    const top = y + (high - tall) / 2;
    const [centre, above] = [x + column / 2, ends[i]];
    if (above !== null) {
      svg.append(
        s("path", { class: "flow", d: `M${centre} ${above}V${top}` }),
        s("path", { class: "head", d: `M${centre} ${top}l-3.5 -6h7z` }),
      );
    }
    ends[i] = top + tall;
    const signed = side.kind === "added" || side.kind === "removed";
    return s(
      "g",
      { class: side.kind },
      s("title", {}, side.title),
      s("rect", { x: x + 1, y: top, width: column - 2, height: tall, rx: 5 }),
      signed ? s("text", { class: "sign", x: x + PAD, y: top + LINE + 2 }, SIGNS[side.kind]) : null,
      made[i].flatMap(([left, right], line) => {
        const base = top + PAD + LINE * (line + 1) - 4;
        return [
          s(
            "text",
            {
              class: line || side.kind === "same" ? "quiet" : "name",
              x: x + PAD + (signed ? SIGN : 0),
              y: base,
            },
            left,
          ),
          right
            ? s("text", { class: "quiet", x: x + column - PAD, y: base, "text-anchor": "end" }, right)
            : null,
        ];
      }),
    );
  });
  const kind = row[0]?.kind;
  if (row[0] && row[1] && kind !== "added" && kind !== "removed") {
    // what belongs together is joined across the middle
    svg.append(s("path", { class: `join ${kind}`, d: `M${column - 1} ${level}H${column + middle + 1}` }));
    const sign = kind && SIGNS[kind];
    if (sign) {
      const x = column + middle / 2;
      svg.append(
        s("rect", { class: "ground", x: x - 8, y: level - 9, width: 16, height: 18 }),
        s("text", { class: `sign ${kind}`, x, y: level + 5, "text-anchor": "middle" }, sign),
      );
    }
  }
  svg.append(...boxes.filter((box) => box !== null));
}
