// The layers of one network out of those of many: archlens/explorer/compact.py made one thing of what is the
// same in several, and this makes of it again what archlens tells of the one.

import { whole } from "./numbers.js";

/** @typedef {import("./layers.js").Inside} Inside */
/** @typedef {import("./layers.js").Scope} Scope */
/** @typedef {import("./layers.js").Places} Places */

/** Where a child has a tensor from: a child before it, and which of what leaves that; or a way in. @typedef {number | [number, number]} From */

/**
 * What the page has of all networks: also what has to be known of their ops.
 * @typedef {import("./difference.js").Vocabulary & Layers} Folded
 */

/**
 * @typedef {object} Layers
 * @property {string[]} texts
 * @property {{texts: [string, ...(number | number[] | string)[]][], order: number[]}} rows
 * @property {Record<"made" | "said" | "places" | "folds" | "folded" | "leaves" | "count" | "name" | "first" | "what" | "reads" | "file" | "line", any[]>} kinds
 * @property {[number, number, number, number[], any[]][]} layouts
 * @property {(string | number[])[]} fields
 * @property {[string, string[]][]} sources
 * @property {([number, Inside["inputs"], [string, number[]], number[], number[], number[], Inside["outputs"], Inside["shared"]] | null)[]} networks
 */

/** @typedef {{local: number, first: number | string, scope: boolean, what: number, reads: From[], line: [number, number] | null}} Child */
/** @typedef {{made: string, said: string, places: number, folds: import("./layers.js").Fold[], folded: number, leaves: From[], children: Child[]}} Kind */
/** @typedef {{op: string, family: string, shape: string, second: string, derived: string, params: number | string, macs: number | string, values: number, flags: number}} Row */

const [PLAIN, APART, NEXT] = ["\u0002", "\u0003", "\u0001"];
/** The height of a box, and of a way in or out, in tenths. */
const [HIGH, PORT] = [340, 10];

const UNITS = /** @type {[number, string][]} */ ([
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
]);

/** What is said of a scope: `scope_said` of compact.py. @param {number} count @param {number} params */
export function scopeSaid(count, params) {
  return params ? `${whole(count)} layers, ${counted(params)} params` : `${whole(count)} layers`;
}

/** A count for a headline: `rounded` of words.py. @param {number} count */
export function counted(count) {
  const [size, letter] = UNITS.find(([size]) => count >= size) ?? [1, ""];
  return size > 1 ? `${(count / size).toFixed(2)} ${letter}` : `${count}`;
}

/**
 * All networks, each unfolded when it is asked for.
 * @param {Folded} folded
 */
export function unfolding(folded) {
  const { texts } = folded;
  const row = rowsOf(folded.rows);
  const kinds = kindsOf(folded);

  /** @param {number} number @returns {Inside | null} */
  return (number) => {
    const network = folded.networks[number];
    if (!network) return null;
    const [root, inputs, on, own, order, seen, outputs, shared] = network;
    /** @type {any[][]} */
    const layers = [];
    /** @type {{name: string, kind: Kind, children: [0 | 1, number][], enters: number[], leaves: number[], least: number}[]} */
    const scopes = [];
    let count = 0;

    /**
     * Number the layers and scopes of a kind, those that come first in it first.
     * @param {Kind} kind @param {string} name
     */
    const place = (kind, name) => {
      const scope = { name, kind, children: [], enters: [], leaves: [], least: Number.POSITIVE_INFINITY };
      const at = scopes.push(/** @type {any} */ (scope)) - 1;
      /** @type {[0 | 1, number][]} */
      const children = kind.children.map((child) => {
        const local = texts[child.local];
        const path = name ? `${name}.${local}` : local;
        if (child.scope) {
          const inner = place(kinds[child.what], path);
          scope.least = Math.min(scope.least, scopes[inner].least);
          return [1, inner];
        }
        const number = order.length ? order[count] : count;
        count += 1;
        scope.least = Math.min(scope.least, number);
        layers[number] = [path, child];
        return [0, number];
      });
      scopes[at].children = children;
      return at;
    };
    place(kinds[root], "");

    // what a scope makes is known before what its children read, since one that is entered again comes first
    /** @param {number} at @returns {number[]} */
    const made = (at) => {
      const scope = scopes[at];
      const out = scope.children.map(([kind, child]) => (kind ? made(child) : [child]));
      /** @type {any} */ (scope).out = out;
      scope.leaves = scope.kind.leaves.map((from) => tensor(from, out.length, out, []));
      return scope.leaves;
    };
    /** @param {number} at */
    const read = (at) => {
      const scope = scopes[at];
      const { out } = /** @type {any} */ (scope);
      scope.children.forEach(([kind, child], i) => {
        const reads = scope.kind.children[i].reads.map((from) => tensor(from, i, out, scope.enters));
        if (kind) {
          scopes[child].enters = reads;
          read(child);
        } else layers[child].push(reads);
      });
    };
    made(0);
    scopes[0].enters = own;
    read(0);

    const told = new Map();
    /** @param {number} at @returns {{count: number, params: number}} */
    const sum = (at) => {
      const both = { count: 0, params: 0 };
      for (const [kind, child] of scopes[at].children) {
        if (kind) {
          const inner = sum(child);
          both.count += inner.count;
          both.params += inner.params;
        } else {
          const { params } = row(layers[child][1].what);
          both.count += 1;
          both.params += typeof params === "number" ? params : 0;
        }
      }
      told.set(at, both);
      return both;
    };
    sum(0);

    // scopes stand in the order in which the layers first enter them
    const sorted = scopes
      .map((_, i) => i)
      .sort((a, b) => scopes[a].least - scopes[b].least || scopes[a].name.length - scopes[b].name.length);
    const numbers = new Map(sorted.map((old, now) => [old, now]));
    const heads = new Map();
    scopes.forEach((scope) => {
      scope.children.forEach(([kind, child], i) => {
        if (kind) heads.set(child, scope.kind.children[i].first);
      });
    });

    /** @type {string[]} */
    const strings = [];
    const known = new Map();
    const say = (/** @type {string} */ text) => {
      if (!known.has(text)) known.set(text, strings.push(text) - 1);
      return known.get(text);
    };
    const begin = on[1].map((size) => [Math.floor(size / 2), Math.floor(size / 2) + 1, 1]);
    /** @type {any[]} */
    const fields = [];
    /** @type {Places[]} */
    const laid = [];
    const had = new Map();
    const placed = (/** @type {number} */ number) => {
      if (!number) return null;
      if (!had.has(number)) had.set(number, laid.push(placesOf(folded.layouts[number - 1])) - 1);
      return /** @type {number} */ (had.get(number));
    };

    return {
      layers: layers.map(([name, child, reads], i) => {
        const one = row(child.what);
        const local = name.slice(name.lastIndexOf(".") + 1);
        const first = child.first === 0 ? local : child.first === 1 ? one.op.split("(", 1)[0] : child.first;
        fields.push(
          fieldOf(folded.fields[seen[i]], reads.length && reads[0] >= 0 ? fields[reads[0]] : begin),
        );
        return [
          ...[name, first, one.second, one.op, one.family, one.shape].map(say),
          reads,
          one.params,
          one.macs,
          one.values,
          say(one.derived),
          child.line,
          fields[i],
          one.flags,
        ];
      }),
      scopes: sorted.map((old) => {
        const { name, kind } = scopes[old];
        if (!old) return ["", ""];
        const local = name.slice(name.lastIndexOf(".") + 1);
        const { count, params } = told.get(old);
        const first = heads.get(old) || (kind.made ? `${local} (${kind.made})` : local);
        return [first, kind.said || scopeSaid(count, params)];
      }),
      nested: {
        scopes: sorted.map((old) => {
          const { name, kind, children, enters, leaves } = scopes[old];
          return {
            name,
            made: kind.made,
            children: children.map(([what, child]) => [what, what ? (numbers.get(child) ?? 0) : child]),
            enters,
            leaves,
            places: placed(kind.places),
            ...(kind.folds.length ? { folds: kind.folds, folded: placed(kind.folded) } : {}),
          };
        }),
        places: laid,
      },
      inputs,
      outputs,
      shared,
      on,
      sources: folded.sources,
      strings,
    };
  };
}

/** @param {From} from @param {number} at @param {number[][]} out @param {number[]} enters */
function tensor(from, at, out, enters) {
  if (typeof from !== "number") return out[at - from[0]][from[1]];
  return from < 0 ? enters[-1 - from] : out[at - from][0];
}

/** Each row, made when it is asked for. @param {Folded["rows"]} rows @returns {(number: number) => Row} */
function rowsOf({ texts, order }) {
  const which = summed(order);
  const counts = texts.map(() => 0);
  const index = which.map((text) => counts[text]++);
  const split = texts.map(([text]) => text.split(PLAIN));
  /** @type {Row[]} */
  const held = [];
  return (number) => {
    if (held[number]) return held[number];
    const columns = texts[which[number]].slice(1);
    /** @type {number[]} */
    const values = [];
    for (const column of columns)
      values.push(
        typeof column === "number"
          ? column
          : typeof column === "string"
            ? computed(column, values)
            : column[index[number]],
      );
    const text = split[which[number]]
      .map((part, i) => {
        if (!i) return part;
        return part.startsWith(APART) ? whole(values[i - 1]) + part.slice(1) : values[i - 1] + part;
      })
      .join("");
    const [op, family, shape, second, derived, ...counted] = text.split(NEXT);
    const [params, macs, own, flags] = counted.map((one) => JSON.parse(one));
    held[number] = { op, family, shape, second, derived, params, macs, values: own, flags };
    return held[number];
  };
}

/** What a column is of those before it. @param {string} how @param {number[]} values */
function computed(how, values) {
  const [a, b] = how.slice(1).split(",").map(Number);
  const [x, y] = [values[a], values[b]];
  switch (how[0]) {
    case "*":
      return x * y;
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "/":
      return x / y;
    default:
      return values.slice(a, b + 1).reduce((product, value) => product * value, 1);
  }
}

/** @param {Folded} folded @returns {Kind[]} */
function kindsOf({ kinds, texts }) {
  const last = [0, 0];
  let at = 0;
  return kinds.made.map((made, i) => {
    let [file, line] = [0, 0];
    /** @type {Child[]} */
    const children = [];
    for (const end = at + kinds.count[i]; at < end; at++) {
      const scope = kinds.what[at] & 1;
      last[scope] += kinds.what[at] >> 1;
      file += kinds.file[at];
      line += kinds.line[at];
      const reads = kinds.reads[at];
      children.push({
        local: kinds.name[at],
        first: kinds.first[at],
        scope: Boolean(scope),
        what: last[scope],
        reads: typeof reads === "number" ? [reads] : reads,
        line: file < 0 ? null : [file, line],
      });
    }
    return {
      made: texts[made],
      said: kinds.said[i],
      places: kinds.places[i],
      folds: kinds.folds[i],
      folded: kinds.folded[i],
      leaves: kinds.leaves[i],
      children,
    };
  });
}

/** @param {string | number[]} told @param {any} before */
function fieldOf(told, before) {
  if (typeof told === "string") return told;
  // what cannot be told by a change begins with a zero
  const [numbers, from] = told.length % 3 ? [told.slice(1), null] : [told, before];
  const equal = from && numbers.length === 3;
  return Array.from({ length: equal ? from.length : numbers.length / 3 }, (_, axis) =>
    [0, 1, 2].map((i) => numbers[(equal ? 0 : axis * 3) + i] + (from ? from[axis][i] : 0)),
  );
}

/** The places within a scope, which are told in tenths. @param {Folded["layouts"][number]} told @returns {Places} */
function placesOf([width, height, count, steps, ways]) {
  /** @type {[number, number, number, number][]} */
  const boxes = [];
  let [middle, top] = [0, 0];
  for (let i = 0; i < count; i++) {
    const [wide, aside, down] = steps.slice(3 * i, 3 * i + 3);
    middle += aside;
    top += down;
    boxes.push([(middle - Math.abs(wide)) / 2, top, Math.abs(wide), wide < 0 ? PORT : HIGH]);
  }
  /** @type {[number, number, number[]][]} */
  const lines = [];
  let tail = 0;
  for (let i = 0; i < ways.length; i += 3) {
    tail += ways[i];
    const head = tail + ways[i + 1];
    const way = ways[i + 2] || [0, 0, 0, 0];
    const [from, to] = [boxes[tail], boxes[head]];
    const points = [from[0] + (from[2] + way[0]) / 2, from[1] + from[3] + way[1]];
    for (let k = 2; k < way.length - 2; k++) points.push(points[k - 2] + way[k]);
    points.push(to[0] + (to[2] + way[way.length - 2]) / 2, to[1] + way[way.length - 1]);
    lines.push([tail, head, points.map((value) => value / 10)]);
  }
  return {
    size: [width / 10, height / 10],
    boxes: boxes.map(([x, y, w, h]) => [x / 10, y / 10, w / 10, h / 10]),
    lines,
  };
}

/** @param {number[]} changes */
function summed(changes) {
  let sum = 0;
  return changes.map((change) => {
    sum += change;
    return sum;
  });
}
