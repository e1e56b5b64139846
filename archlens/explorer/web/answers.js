// Answers questions on standard input by the viewer's own functions, for the tests: JSON in, JSON out.
import { compose } from "./src/compose.js";
import { alignedOf, boundary, find, networkOf } from "./src/difference.js";
import { axis, front, full, rounded } from "./src/numbers.js";
import { fromFragment, toFragment } from "./src/state.js";
import { unfolding } from "./src/unfold.js";
import { arithmetic, formula, INPUT, output, remainder, through, unseen } from "./src/window.js";

/** @type {Record<string, (...given: any[]) => unknown>} */
const known = {
  window: (w, size) => ({
    output: output(w, size),
    remainder: remainder(w, size),
    unseen: unseen(w, size),
    formula: formula(w),
    arithmetic: arithmetic(w, size),
  }),
  field: (windows) => {
    /** @type {import("./src/window.js").Field | null} */
    let field = INPUT;
    for (const w of windows) field = field && through(field, w);
    return field;
  },
  front,
  axis: (values, log, fromZero) => {
    const made = axis(values, log, fromZero);
    return { ticks: made.ticks, at: values.map(made.at) };
  },
  full,
  rounded,
  restored: (state) => fromFragment(toFragment(state)),
  fromFragment,
  unfolded: (folded) => {
    const unfold = unfolding(folded);
    return folded.networks.map((/** @type {unknown} */ _, /** @type {number} */ i) => unfold(i));
  },
  differences: (folded, pairs) => {
    const unfold = unfolding(folded);
    const run = (/** @type {import("./src/difference.js").Part | null} */ part) =>
      part && !part.training ? (part.macs ?? 0) : 0;
    return pairs.map((/** @type {[number, number]} */ both) => {
      const [old, later] = both.map((i) => networkOf(/** @type {any} */ (unfold(i))));
      const found = find(old, later, folded);
      return {
        unchanged: found.pairs.filter((pair) => pair.kind === "same").length,
        changes: found.pairs
          .filter((pair) => pair.kind !== "same")
          .map((pair) => ({
            change: pair.kind,
            old: pair.old?.name ?? null,
            new: pair.new?.name ?? null,
            op: [pair.old?.op ?? null, pair.new?.op ?? null],
            what: pair.what || null,
            params: (pair.new?.params ?? 0) - (pair.old?.params ?? 0),
            macs: run(pair.new) - run(pair.old),
          })),
        boundary: boundary(found),
        aligned: alignedOf(found).map(({ kind, old, new: later }) => [
          kind,
          ...[old, later].map((one) => one && [one.name, one.what, one.pairs.length, one.repeats]),
        ]),
      };
    });
  },
  compose: (inside, open, each) => {
    const made = compose(inside, 0, new Set(open), each);
    return made && { ...made, enters: [...made.enters], leaves: [...made.leaves] };
  },
};

let text = "";
for await (const chunk of process.stdin) text += chunk;
/** @type {[string, any[]][]} */
const asked = JSON.parse(text);
console.log(JSON.stringify(asked.map(([name, given]) => known[name](...given))));
