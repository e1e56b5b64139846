// Answers questions on standard input by the viewer's own functions, for the tests: JSON in, JSON out.
import { compose } from "./src/compose.js";
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
