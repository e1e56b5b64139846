// What changed between two networks, layer by layer: the alignment of archlens/analysis/difference.py once
// more, which says why it is as it is. The tests hold what this finds against what that finds.

/** @typedef {import("./layers.js").Inside} Inside */

/**
 * What has to be known of ops: archlens/explorer/aligning.py says it.
 * @typedef {object} Vocabulary
 * @property {Record<string, [string, string | null, string][]>} signatures
 * @property {Record<string, [string, Record<string, string>]>} spelled
 * @property {[string, string, string][]} calls
 */

/** @typedef {"same" | "altered" | "affected" | "added" | "removed"} Change */
/** @typedef {string | number | Value[]} Value  a text is as it is written */

/**
 * A layer, with what it reads by name.
 * @typedef {object} Part
 * @property {string} name
 * @property {string} op
 * @property {string} family
 * @property {string} shape
 * @property {string} made  its shape and its layout
 * @property {string[]} inputs
 * @property {string[]} shapes  of the inputs
 * @property {string} read  their shapes and layouts; in one order, where that does not matter
 * @property {string} like  equal for layers that are alike but for their names
 * @property {number | null} params  nothing where they are not known
 * @property {number | null} macs
 * @property {boolean} training
 * @property {boolean} merges
 * @property {boolean} commutes
 * @property {boolean} associates
 * @property {boolean} weighty
 */

/**
 * @typedef {object} Network
 * @property {Part[]} layers
 * @property {Map<string, Part>} index
 * @property {[string, string, string][]} inputs  each with its shape, and that with its layout
 * @property {[string, string][]} outputs  each with the layer that it comes from
 * @property {Map<string, Map<string, string>>} owners  of the layers that have tensors of others: whose
 * @property {Map<string, string>} made  of scopes, by what they were made
 */

/**
 * A layer before and after; one of them is missing where it was added or removed.
 * @typedef {{old: Part | null, new: Part | null, kind: Change, what: string}} Pair
 */

/** @typedef {{name: string, what: string, pairs: Pair[], repeats: number}} Group */
/** @typedef {{kind: Change, old: Group | null, new: Group | null}} Aligned */
/** @typedef {{old: Network, new: Network, pairs: Pair[]}} Difference */
/** @typedef {[number | null, number | null]} Step */

/** How many pairs are weighed against each other, and how many layers may differ beyond that. */
const [CELLS, EDITS] = [1_000_000, 1000];
/** A prime, and a number below it. */
const [PRIME, BASE] = [2n ** 127n - 1n, 0x9e3779b97f4a7c15f39cc0605cedc834n];

/**
 * The flags of a layer: `flags` of inside.py.
 * @param {any} number
 */
const flagged = (number) => [0, 1, 2, 3, 4, 5].map((i) => Boolean(number & (1 << i)));

/** A network as it is aligned. @param {Inside} inside @returns {Network} */
export function networkOf(inside) {
  const said = (/** @type {number} */ i) => inside.strings[i];
  const layout = (/** @type {string} */ shape, /** @type {any} */ last) => (last ? `${shape}'` : shape);
  const inputs = inside.inputs.map(
    ([name, shape, last]) => /** @type {[string, string, string]} */ ([name, shape, layout(shape, last)]),
  );
  const name = (/** @type {number} */ i) => (i < 0 ? inputs[-1 - i][0] : said(inside.layers[i][0]));
  /** @type {Part[]} */
  const layers = [];
  for (const told of inside.layers) {
    const [training, last, merges, commutes, associates, weighty] = flagged(told[13]);
    /** @type {number[]} */
    const reads = told[6];
    const sources = reads.map((i) => (i < 0 ? inputs[-1 - i].slice(1) : [layers[i].shape, layers[i].made]));
    const made = sources.map(([, one]) => one);
    const shape = said(told[5]);
    const op = said(told[3]);
    layers.push({
      name: said(told[0]),
      op,
      family: said(told[4]),
      shape,
      made: layout(shape, last),
      inputs: reads.map(name),
      shapes: sources.map(([one]) => one),
      read: (commutes ? [...made].sort() : made).join(" "),
      like: [op, layout(shape, last), ...made].join("\n"),
      params: typeof told[7] === "number" ? told[7] : null,
      macs: typeof told[8] === "number" ? told[8] : null,
      ...{ training, merges, commutes, associates, weighty },
    });
  }
  return {
    layers,
    index: new Map(layers.map((layer) => [layer.name, layer])),
    inputs,
    outputs: inside.outputs.map(([called, i]) => [called, name(i)]),
    owners: new Map(
      inside.shared.map(([i, owned]) => [
        name(i),
        new Map(owned.map(([tensor, owner]) => [tensor, typeof owner === "number" ? name(owner) : owner])),
      ]),
    ),
    made: new Map(inside.nested.scopes.map((scope) => [scope.name, scope.made])),
  };
}

/**
 * What changed from one network to another.
 * @param {Network} old @param {Network} later @param {Vocabulary} known @returns {Difference}
 */
export function find(old, later, known) {
  const ops = new Ops(known);
  const steps = aligned(old.layers, later.layers, ops);
  return { old, new: later, pairs: judged(old, later, steps, ops) };
}

// --- ops -----------------------------------------------------------------------------------------------

class Ops {
  /** @param {Vocabulary} known */
  constructor(known) {
    this.known = known;
    this.calls = new Set(known.calls.map((call) => call.join("\n")));
    /** @type {Map<string, {kind: string, values: Map<string, Value>}>} */
    this.read = new Map();
  }

  /** The kind and the attributes of an op, by its text. @param {string} text */
  of(text) {
    let found = this.read.get(text);
    if (!found) {
      found = this.parsed(text);
      this.read.set(text, found);
    }
    return found;
  }

  /** @param {string} text */
  parsed(text) {
    const spelled = Object.hasOwn(this.known.spelled, text) ? this.known.spelled[text] : null;
    if (spelled) {
      const values = Object.entries(spelled[1]).map(([name, value]) => [name, valued(value)]);
      return { kind: spelled[0], values: new Map(/** @type {[string, Value][]} */ (values)) };
    }
    const open = text.indexOf("(");
    const kind = open < 0 ? text : text.slice(0, open);
    const words = open < 0 ? [] : parts(text.slice(open + 1, -1));
    const signature = Object.hasOwn(this.known.signatures, kind) ? this.known.signatures[kind] : [];
    const given = new Map();
    const required = signature.filter(([, otherwise]) => otherwise === null);
    for (const word of words) {
      const named = /^(\w+)=(.*)$/s.exec(word);
      const name = named ? named[1] : (required.shift()?.[0] ?? "");
      given.set(name, valued(named ? named[2] : word));
    }
    const values = new Map(
      signature.map(([name, otherwise]) => [name, given.get(name) ?? valued(otherwise ?? "none")]),
    );
    for (const [name, , other] of signature)
      if (other && values.get(name) === "none") values.set(name, values.get(other) ?? "none");
    return { kind, values };
  }

  /** The attributes in which two ops of one kind differ; nothing where they are of two kinds. @param {string} a @param {string} b */
  differing(a, b) {
    if (a === b) return [];
    const [one, other] = [this.of(a), this.of(b)];
    if (one.kind !== other.kind) return null;
    return [...one.values.keys()].filter(
      (name) => !equal(one.values.get(name) ?? "", other.values.get(name) ?? ""),
    );
  }

  /** How well two layers fit, apart from their names. @param {Part} a @param {Part} b */
  fit(a, b) {
    const weighty = a.weighty && b.weighty;
    const differing = this.differing(a.op, b.op);
    if (!differing) return a.family === b.family && a.merges === b.merges ? 2 : 0;
    const shape = a.made === b.made ? 1 : 0;
    if (differing.length) return Math.max((weighty ? 10 : 6) - 2 * differing.length, 2) + shape;
    const reads = a.shapes.length === b.shapes.length && sourcesOf(a) === sourcesOf(b) ? 1 : 0;
    return (weighty ? 16 : 8) + 2 * (shape + reads);
  }

  /** Whether two layers of other ops are the same call on the same shapes. @param {Part} a @param {Part} b */
  sameCall(a, b) {
    return (
      a.read === b.read &&
      this.calls.has([[...a.shapes].sort().join(", "), ...[a.op, b.op].sort()].join("\n"))
    );
  }
}

/** What a layer reads, in its order. @param {Part} part */
const sourcesOf = (part) => part.like.slice(part.op.length + 1 + part.made.length);

/** The words of a call, apart at its commas. @param {string} text */
function parts(text) {
  const found = [];
  let [depth, start, quoted] = [0, 0, false];
  for (let i = 0; i <= text.length; i++) {
    const sign = text[i] ?? ",";
    if (sign === '"') quoted = !quoted;
    else if (i < text.length && quoted) continue;
    else if (sign === "(") depth++;
    else if (sign === ")") depth--;
    else if (sign === "," && (!depth || i === text.length)) {
      const word = text.slice(start, i).trim();
      if (word) found.push(word);
      start = i + 1;
    }
  }
  return found;
}

/** A value in one form however it was written: `(3, 3)` is 3, and `2.0` is 2. @param {string} text @returns {Value} */
function valued(text) {
  if (text.startsWith("(")) {
    const items = parts(text.slice(1, -1)).map(valued);
    return items.length > 1 && items.every((item) => same(item, items[0])) ? items[0] : items;
  }
  if (!/^-?\d/.test(text)) return text;
  const number = Number(text);
  return Number.isInteger(number) && Math.abs(number) < 1e15 ? number : text;
}

/** Whether two values are written alike. @param {Value} a @param {Value} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Whether two values are the same, but for how far a sum of floats is rounded. @param {Value} a @param {Value} b */
function equal(a, b) {
  const [x, y] = [a, b].map((one) =>
    typeof one === "string" && one.startsWith('"') ? Number.NaN : Number(one),
  );
  if (!Array.isArray(a) && !Array.isArray(b) && !Number.isNaN(x) && !Number.isNaN(y))
    return Math.abs(x - y) <= 1e-12 * Math.max(Math.abs(x), Math.abs(y));
  return same(a, b);
}

/** A value as a spec writes it. @param {Value} value @returns {string} */
function written(value) {
  if (!Array.isArray(value)) return `${value}`;
  return `(${value.map(written).join(", ")}${value.length === 1 ? "," : ""})`;
}

// --- alignment -----------------------------------------------------------------------------------------

/** Each position of both exactly once, in order. @param {Part[]} old @param {Part[]} later @param {Ops} ops @returns {Step[]} */
function aligned(old, later, ops) {
  const equals = (/** @type {Part} */ a, /** @type {Part} */ b) => a.like === b.like && a.name === b.name;
  const least = Math.min(old.length, later.length);
  let [start, stop] = [0, 0];
  while (start < least && equals(old[start], later[start])) start++;
  while (stop < least - start && equals(old[old.length - 1 - stop], later[later.length - 1 - stop])) stop++;
  const middle = new Middle(old, later, ops);
  return [
    ...Array.from({ length: start }, (_, n) => /** @type {Step} */ ([n, n])),
    ...middle.aligned(start, old.length - stop, start, later.length - stop),
    ...Array.from(
      { length: stop },
      (_, n) => /** @type {Step} */ ([old.length - stop + n, later.length - stop + n]),
    ),
  ];
}

/** Aligns what lies between the beginning and the end that are the same. */
class Middle {
  /** @param {Part[]} old @param {Part[]} later @param {Ops} ops */
  constructor(old, later, ops) {
    this.old = old;
    this.new = later;
    this.ops = ops;
    /** @type {Map<string, number>} */
    const classes = new Map();
    const number = (/** @type {Part} */ part) => {
      if (!classes.has(part.like)) classes.set(part.like, classes.size);
      return /** @type {number} */ (classes.get(part.like));
    };
    this.a = old.map(number);
    this.b = later.map(number);
    this.classes = classes.size;
    /** @type {Map<number, number>} */
    this.scores = new Map();
  }

  /** @param {number} i @param {number} j */
  score(i, j) {
    const key = this.a[i] * this.classes + this.b[j];
    let found = this.scores.get(key);
    if (found === undefined) {
      found = this.ops.fit(this.old[i], this.new[j]);
      this.scores.set(key, found);
    }
    return found;
  }

  /** From `a0` to before `a1` and from `b0` to before `b1`. @param {number} a0 @param {number} a1 @param {number} b0 @param {number} b1 @returns {Step[]} */
  aligned(a0, a1, b0, b1) {
    if (a0 === a1 || b0 === b1) return apart(a0, a1, b0, b1);
    if ((a1 - a0) * (b1 - b0) <= CELLS) return this.weighed(a0, a1, b0, b1);
    /** @type {Step[]} */
    const steps = [];
    let [from, to] = [a0, b0];
    for (const [i, j] of [...this.equal(a0, a1, b0, b1), [a1, b1]]) {
      const small = (i - from) * (j - to) <= CELLS;
      for (const step of small ? this.aligned(from, i, to, j) : apart(from, i, to, j)) steps.push(step);
      if (i < a1) steps.push([i, j]);
      [from, to] = [i + 1, j + 1];
    }
    return steps;
  }

  /** The alignment whose pairs fit best together. @param {number} a0 @param {number} a1 @param {number} b0 @param {number} b1 @returns {Step[]} */
  weighed(a0, a1, b0, b1) {
    const width = b1 - b0 + 1;
    const lasts = this.new.slice(b0, b1).map((layer) => last(layer.name));
    let above = new Int32Array(width);
    let before = new Uint8Array(width);
    before[0] = 3; // what stands before this is aligned
    const choices = [];
    for (let i = a0; i < a1; i++) {
      const { name } = this.old[i];
      const end = last(name);
      const row = new Int32Array(width);
      const choice = new Uint8Array(width);
      let left = 0;
      for (let j = 1; j < width; j++) {
        let [best, way] = left > above[j] ? [left, 2] : [above[j], 1];
        let fit = 4 * this.score(i, b0 + j - 1);
        if (fit) {
          fit += above[j - 1];
          if (this.new[b0 + j - 1].name === name) fit += 12;
          else if (lasts[j - 1] === end) fit += 4;
          if (before[j - 1] === 3) fit += 1; // one gap rather than two, where all else is equal
          if (fit >= best) [best, way] = [fit, 3];
        }
        row[j] = left = best;
        choice[j] = way;
      }
      choices.push(choice);
      [above, before] = [row, choice];
    }
    /** @type {Step[]} */
    const steps = [];
    let [i, j] = [a1, b1];
    while (i > a0 && j > b0) {
      const way = choices[i - 1 - a0][j - b0];
      if (way !== 2) i--;
      if (way !== 1) j--;
      steps.push([way === 2 ? null : i, way === 1 ? null : j]);
    }
    while (i > a0) steps.push([--i, null]);
    while (j > b0) steps.push([null, --j]);
    return steps.reverse();
  }

  /** Pairs to begin with. @param {number} a0 @param {number} a1 @param {number} b0 @param {number} b1 @returns {[number, number][]} */
  equal(a0, a1, b0, b1) {
    const found = this.shortest(a0, a1, b0, b1, (layer) => layer.op);
    if (found) return found;
    const kind = (/** @type {Part} */ layer) => this.ops.of(layer.op).kind;
    const places = new Map();
    for (let j = b0; j < b1; j++) places.set(this.new[j].name, j);
    /** @type {[number, number][]} */
    const named = [];
    for (let i = a0; i < a1; i++) {
      const j = places.get(this.old[i].name) ?? -1;
      const reached = named.length ? named[named.length - 1][1] : -1;
      if (j > reached && kind(this.old[i]) === kind(this.new[j])) named.push([i, j]);
    }
    if (2 * named.length >= Math.min(a1 - a0, b1 - b0)) return named;
    return this.shortest(a0, a1, b0, b1, kind) ?? named;
  }

  /**
   * The pairs of the same key in a shortest way from one to the other, by Myers (1986); nothing where too many differ.
   * @param {number} a0 @param {number} a1 @param {number} b0 @param {number} b1 @param {(layer: Part) => string} key
   * @returns {[number, number][] | null}
   */
  shortest(a0, a1, b0, b1, key) {
    const [a, b] = [this.old.slice(a0, a1).map(key), this.new.slice(b0, b1).map(key)];
    const [n, m] = [a.length, b.length];
    const reached = new Map([[1, 0]]);
    const at = (/** @type {Map<number, number>} */ one, /** @type {number} */ k) => one.get(k) ?? -1;
    /** @type {Map<number, number>[]} */
    const history = [];
    for (let edits = 0; edits <= Math.min(n + m, EDITS); edits++) {
      const had = new Map();
      for (let k = -edits - 1; k <= edits + 1; k++) if (reached.has(k)) had.set(k, reached.get(k));
      history.push(had);
      for (let k = -edits; k <= edits; k += 2) {
        const down = k === -edits || (k !== edits && at(reached, k - 1) < at(reached, k + 1));
        let x = down ? at(reached, k + 1) : at(reached, k - 1) + 1;
        while (x < n && x - k < m && a[x] === b[x - k]) x++;
        reached.set(k, x);
        if (x >= n && x - k >= m) return wayBack(history, n, m).map(([i, j]) => [a0 + i, b0 + j]);
      }
    }
    return null;
  }
}

/** @param {number} a0 @param {number} a1 @param {number} b0 @param {number} b1 @returns {Step[]} */
function apart(a0, a1, b0, b1) {
  /** @type {Step[]} */
  const steps = [];
  for (let i = a0; i < a1; i++) steps.push([i, null]);
  for (let j = b0; j < b1; j++) steps.push([null, j]);
  return steps;
}

/** The pairs along the way that was found. @param {Map<number, number>[]} history @param {number} x @param {number} y */
function wayBack(history, x, y) {
  /** @type {[number, number][]} */
  const found = [];
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const reached = history[edits];
    const k = x - y;
    const down = k === -edits || (k !== edits && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const start = reached.get(before) ?? 0;
    for (let i = x - 1; i > start - (down ? 1 : 0); i--) found.push([i, i - k]);
    [x, y] = [start, start - before];
  }
  return found.reverse();
}

/** The last part of a name, unless it is a number, which says little. @param {string} name */
function last(name) {
  const end = name.slice(name.lastIndexOf(".") + 1);
  return /^\d+$/.test(end) ? "" : end;
}

// --- what became of each layer ---------------------------------------------------------------------------

/** What each input and layer of the old network is called in the new one. @param {Network} old @param {Network} later @param {{old: Part | null, new: Part | null}[]} pairs */
function became(old, later, pairs) {
  const [before, after] = [old, later].map((one) => one.inputs.map(([name]) => name));
  const alike = before.length === after.length && before.every((name) => after.includes(name));
  /** @type {Map<string, string>} */
  const found = new Map();
  before.forEach((name, i) => {
    if (alike || i < after.length) found.set(name, alike ? name : after[i]);
  });
  for (const pair of pairs) if (pair.old && pair.new) found.set(pair.old.name, pair.new.name);
  return found;
}

/** @param {Network} old @param {Network} later @param {Step[]} steps @param {Ops} ops @returns {Pair[]} */
function judged(old, later, steps, ops) {
  const layers = steps.map(([i, j]) => ({
    old: i === null ? null : old.layers[i],
    new: j === null ? null : later.layers[j],
  }));
  const now = became(old, later, layers);
  const was = new Map([...now].map(([before, after]) => [after, before]));
  const numbers = new Map();
  const before = gathered(old, (name) => now.get(name) ?? `\n${name}`, numbers);
  const after = gathered(later, (name) => name, numbers);
  return layers.map(({ old: a, new: b }) => {
    if (!a || !b) return { old: a, new: b, kind: b ? "added" : "removed", what: "" };
    const alike = a.op === b.op && before.has(a.name) && before.get(a.name) === after.get(b.name);
    const what = [
      altered(a, b, ops),
      alike ? "" : rewired(a, b, now, was),
      sharedOtherwise(old.owners.get(a.name), later.owners.get(b.name), now),
      a.training === b.training ? "" : b.training ? "runs in training only" : "runs at inference, too",
    ].filter(Boolean);
    if (what.length) return { old: a, new: b, kind: "altered", what: what.join("; ") };
    if (!alike && (a.read !== b.read || a.made !== b.made || a.params !== b.params)) {
      const said = (/** @type {Part} */ one) => `${one.shapes.join(", ")} -> ${one.shape}`;
      return { old: a, new: b, kind: "affected", what: `on ${said(a)}, now ${said(b)}` };
    }
    return { old: a, new: b, kind: "same", what: "" };
  });
}

/** The attributes that differ, or the two ops. @param {Part} a @param {Part} b @param {Ops} ops */
function altered(a, b, ops) {
  const differing = ops.differing(a.op, b.op);
  if (!differing) return ops.sameCall(a, b) ? "" : `${a.op} -> ${b.op}`;
  if (!differing.length) return "";
  const [before, after] = [ops.of(a.op), ops.of(b.op)];
  const words = differing.map(
    (name) => `${name} ${written(before.values.get(name) ?? "")} -> ${written(after.values.get(name) ?? "")}`,
  );
  return `${before.kind}: ${words.join(", ")}`;
}

/** How the inputs differ, where that is not because a layer came between or went. @param {Part} a @param {Part} b @param {Map<string, string>} now @param {Map<string, string>} was */
function rewired(a, b, now, was) {
  if (a.inputs.length !== b.inputs.length) return `${a.inputs.length} inputs -> ${b.inputs.length}`;
  let { inputs } = b;
  if (a.commutes && b.commutes) {
    // the new ones in the order of the old ones that they are, the others where there is room
    const rest = [...inputs];
    const found = a.inputs.map((before) => {
      const place = rest.indexOf(now.get(before) ?? before);
      return place < 0 ? null : rest.splice(place, 1)[0];
    });
    inputs = found.map((after) => after ?? /** @type {string} */ (rest.shift()));
  }
  return a.inputs
    .map((before, i) => [before, inputs[i]])
    .filter(
      ([before, after]) => (now.get(before) ?? after) !== after && (was.get(after) ?? before) !== before,
    )
    .map(([before, after]) => `reads ${before} -> ${after}`)
    .join(", ");
}

/** Which tensors are of other layers than before. @param {Map<string, string> | undefined} old @param {Map<string, string> | undefined} later @param {Map<string, string>} now */
function sharedOtherwise(old, later, now) {
  /** @type {Map<string, [string, string, string[]]>} */
  const changed = new Map();
  for (const name of new Set([...(old?.keys() ?? []), ...(later?.keys() ?? [])])) {
    const [before, after] = [old?.get(name) ?? "", later?.get(name) ?? ""];
    if ((before && (now.get(before) ?? "")) === after) continue;
    const key = `${before}\n${after}`;
    if (!changed.has(key)) changed.set(key, [before, after, []]);
    changed.get(key)?.[2].push(name || "values");
  }
  const whose = (/** @type {string} */ owner) => (owner ? `of ${owner}` : "its own");
  return [...changed.values()]
    .map(([before, after, names]) => `${names.join(", ")} ${whose(before)} -> ${whose(after)}`)
    .join("; ");
}

/**
 * What each layer whose op associates reads in the end, one after the other, as a text that is equal where that is.
 * @param {Network} network @param {(name: string) => string} called @param {Map<string, bigint>} numbers
 */
function gathered(network, called, numbers) {
  /** @type {Map<string, [bigint, bigint]>} */
  const found = new Map();
  for (const layer of network.layers) {
    if (!layer.associates) continue;
    let [value, power] = [0n, 1n];
    for (const name of layer.inputs) {
      const source = network.index.get(name);
      const nested = source?.op === layer.op ? found.get(name) : undefined;
      const known = called(name);
      if (!nested && !numbers.has(known)) numbers.set(known, scattered(numbers.size + 1));
      const [more, times] = nested ?? [numbers.get(known) ?? 0n, BASE];
      value = (value * times + more) % PRIME;
      power = (power * times) % PRIME;
    }
    found.set(layer.name, [value, power]);
  }
  return new Map([...found].map(([name, both]) => [name, both.join(" ")]));
}

/** A number that says nothing of the one that it is of. @param {number} number */
function scattered(number) {
  let value = BigInt(number) * BASE;
  for (let i = 0; i < 3; i++) value = (value * value + BASE + BigInt(i)) % PRIME;
  return value;
}

/** How inputs and outputs differ, in words. @param {Difference} found */
export function boundary({ old, new: later, pairs }) {
  const words = [];
  const inputs = [old, later].map((one) => one.inputs.map(([name, , made]) => `${name} ${made}`).join(", "));
  if (inputs[0] !== inputs[1]) {
    const [before, after] = [old, later].map((one) =>
      one.inputs.map(([name, shape]) => `${name} ${shape}`).join(", "),
    );
    words.push(`inputs: ${before} -> ${after}`);
  }
  const now = became(old, later, pairs);
  const stays = new Set(now.values());
  const to = new Map(later.outputs);
  const names = [old, later].map((one) => one.outputs.map(([name]) => name).join("\n"));
  const moved = old.outputs.some(([name, layer]) => {
    const after = to.get(name) ?? "";
    return now.has(layer) && stays.has(after) && now.get(layer) !== after;
  });
  if (names[0] !== names[1] || moved) {
    const [before, after] = [old, later].map((one) =>
      one.outputs.map(([name, layer]) => `${name} from ${layer}`).join(", "),
    );
    words.push(`outputs: ${before} -> ${after}`);
  }
  return words;
}

// --- groups ----------------------------------------------------------------------------------------------

/** The scopes around a layer, the outermost first. @param {string} name */
function scopesAround(name) {
  const found = [];
  for (let i = name.indexOf("."); i >= 0; i = name.indexOf(".", i + 1)) found.push(name.slice(0, i));
  return found;
}

/** @param {Pair} pair */
const layerOf = (pair) => /** @type {Part} */ (pair.new ?? pair.old);

/** All positions in order, those that repeat together: `stretches` of repeats.py. @param {number} length @param {(start: number, period: number) => number} copies @param {number} [longest] */
export function stretches(length, copies, longest = 1) {
  const found = [];
  for (let start = 0; start < length; ) {
    let best = { start, period: 1, copies: 1, stop: start + 1 };
    for (let period = 1; period <= longest && best.stop !== length; period++) {
      const count = copies(start, period);
      const stop = start + period * count;
      if (count > 1 && stop > best.stop) best = { start, period, copies: count, stop };
    }
    found.push(best);
    start = best.stop;
  }
  return found;
}

/** How many of some layers each scope holds. @param {Part[]} layers */
function counted(layers) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const layer of layers)
    for (const scope of scopesAround(layer.name)) found.set(scope, (found.get(scope) ?? 0) + 1);
  return found;
}

/**
 * Layers by the largest scopes of which nothing else is left; scopes that are alike as one.
 * @param {Network} network @param {Map<string, number>} whole  how many layers its scopes hold
 * @param {Pair[]} pairs @returns {Group[]}
 */
function groups(network, whole, pairs) {
  const inside = counted(pairs.map(layerOf));
  /** @type {[string, Pair[]][]} */
  const found = [];
  for (const pair of pairs) {
    const { name } = layerOf(pair);
    const place =
      scopesAround(name).find((scope) => inside.get(scope) === whole.get(scope) && inside.get(scope) !== 1) ??
      name;
    if (found.length && found[found.length - 1][0] === place) found[found.length - 1][1].push(pair);
    else found.push([place, [pair]]);
  }
  const copies = (/** @type {number} */ first) => {
    let end = first + 1;
    while (end < found.length && alike(found[first], found[end])) end++;
    return end - first;
  };
  return stretches(found.length, copies).map((stretch) => {
    const [name, members] = found[stretch.start];
    const end = found[stretch.stop - 1][0];
    return {
      name: name === end ? name : `${name}..${end.slice(end.lastIndexOf(".") + 1)}`,
      what: members.length === 1 ? layerOf(members[0]).op : (network.made.get(name) ?? ""),
      pairs: found.slice(stretch.start, stretch.stop).flatMap(([, group]) => group),
      repeats: stretch.copies,
    };
  });
}

/** Whether two neighbouring scopes hold the same layers. @param {[string, Pair[]]} one @param {[string, Pair[]]} other */
function alike([name, pairs], [next, others]) {
  const [first, second] = [name, next].map((path) => {
    const cut = path.lastIndexOf(".");
    return [path.slice(0, Math.max(cut, 0)), path.slice(cut + 1)];
  });
  if (first[0] !== second[0] || pairs.length !== others.length || pairs.length < 2) return false;
  if (!/^\d+$/.test(first[1]) || !/^\d+$/.test(second[1])) return false;
  const look = (/** @type {Pair} */ pair, /** @type {number} */ cut) => {
    const layer = layerOf(pair);
    return [layer.name.slice(cut), layer.op, layer.made, layer.params].join("\n");
  };
  return pairs.every((pair, i) => look(pair, name.length) === look(others[i], next.length));
}

/** Layers that both networks have, as a group of each. @param {Pair[]} pairs @returns {[Group, Group]} */
function stretch(pairs) {
  const [first, last] = [pairs[0], pairs[pairs.length - 1]];
  const [old, later] = /** @type {["old", "new"]} */ (["old", "new"]).map((side) => {
    const [start, stop] = [first, last].map((pair) => /** @type {Part} */ (pair[side]));
    const name = start === stop ? start.name : `${start.name} to ${stop.name}`;
    return { name, what: start === stop ? start.op : "", pairs, repeats: 1 };
  });
  return [old, later];
}

/** Both networks side by side, in order: stretches that are the same, and what changed between them. @param {Difference} found @returns {Aligned[]} */
export function alignedOf({ old, new: later, pairs }) {
  const of = (/** @type {Pair} */ pair) =>
    pair.kind === "removed" ? "added" : pair.kind === "affected" ? "same" : pair.kind;
  const whole = [old, later].map((network) => counted(network.layers));
  /** @type {Aligned[]} */
  const made = [];
  for (let at = 0; at < pairs.length; ) {
    const kind = of(pairs[at]);
    let end = at + 1;
    while (end < pairs.length && of(pairs[end]) === kind) end++;
    const run = pairs.slice(at, end);
    at = end;
    if (kind === "added") {
      const [gone, came] = [old, later].map((network, i) =>
        groups(
          network,
          whole[i],
          run.filter((pair) => pair.kind === (i ? "added" : "removed")),
        ),
      );
      for (let i = 0; i < Math.max(gone.length, came.length); i++)
        made.push({ kind: came[i] ? "added" : "removed", old: gone[i] ?? null, new: came[i] ?? null });
    } else if (kind === "altered") {
      for (const pair of run) {
        const [before, after] = stretch([pair]);
        made.push({ kind, old: before, new: after });
      }
    } else {
      const [before, after] = stretch(run);
      const affected = run.some((pair) => pair.kind === "affected");
      made.push({ kind: affected ? "affected" : "same", old: before, new: after });
    }
  }
  return made;
}
