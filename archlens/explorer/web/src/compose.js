// A network whose scopes are open or closed: the places that archlens found within each scope, put into one
// another. What is opened takes more room than its box had, and all around it moves apart along the axes, by
// as much, so that what lay beside each other, above or beneath still does. Nothing is placed anew.

/** @typedef {import("./layers.js").Inside} Inside */
/** @typedef {import("./layers.js").Scope} Scope */

/**
 * @typedef {object} Composed
 * @property {number} width
 * @property {number} height
 * @property {{layer: boolean, number: number, copies: number, differ: string, x: number, y: number, width: number, height: number}[]} boxes
 * @property {{scope: number, copies: number, differ: string, x: number, y: number, width: number, height: number, depth: number}[]} frames
 * @property {{points: number[], tip: boolean}[]} lines  x and y in turn; whether it ends at a box
 * @property {Map<number, [number, number]>} enters  where each tensor enters
 * @property {Map<number, [number, number]>} leaves  where each leaves
 */

const HEADER = 30;
const FOOT = 14;
const ASIDE = 14;

/**
 * @param {Inside} inside @param {number} number  of the scope
 * @param {Set<number>} open  the scopes that are open
 * @param {boolean} [each]  whether each of those that repeat is shown, or the first for all
 * @param {number} [depth]
 * @returns {Composed | null}  null where the scope has no places
 */
export function compose(inside, number, open, each = true, depth = 0) {
  const { scopes, places: all } = inside.nested;
  const scope = scopes[number];
  const folds = (!each && scope.folds) || [];
  const which = folds.length ? scope.folded : scope.places;
  if (typeof which !== "number") return null;
  const places = all[which];
  const shown = scope.children.map((_, i) => i).filter((i) => standsFor(i, folds)[0] === i);
  const count = shown.length;
  /** @type {Map<number, Composed>} */
  const opened = new Map();
  shown.forEach((place, i) => {
    const [kind, child] = scope.children[place];
    const inner = kind && open.has(child) ? compose(inside, child, open, each, depth + 1) : null;
    if (inner) opened.set(i, inner);
  });
  const needs = new Map(
    [...opened].map(([i, inner]) => [
      i,
      [Math.max(inner.width, 90) + 2 * ASIDE, inner.height + HEADER + FOOT],
    ]),
  );
  const across = stretched([...needs].map(([i, [wide]]) => interval(places.boxes[i], 0, wide)));
  const along = stretched([...needs].map(([i, [, high]]) => interval(places.boxes[i], 1, high)));

  /** @type {Composed} */
  const made = {
    width: across(places.size[0]),
    height: along(places.size[1]),
    boxes: [],
    frames: [],
    lines: [],
    enters: new Map(),
    leaves: new Map(),
  };
  // where each child is now
  const rects = places.boxes.map(([x, y, w, h], i) => {
    const middle = across(x + w / 2);
    const [top, bottom] = [along(y), along(y + h)];
    const need = needs.get(i);
    if (need) return { x: middle - need[0] / 2, y: top, width: need[0], height: bottom - top };
    return { x: middle - w / 2, y: (top + bottom) / 2 - h / 2, width: w, height: h };
  });
  shown.forEach((place, i) => {
    const [kind, child] = scope.children[place];
    const rect = rects[i];
    const inner = opened.get(i);
    const fold = folds.find(([start, period]) => start <= place && place < start + period);
    const [, , copies, differ] = fold ?? [0, 0, 1, ""];
    if (!inner) {
      made.boxes.push({ layer: !kind, number: child, copies, differ, ...rect });
      return;
    }
    made.frames.push({ scope: child, copies, differ, ...rect, depth });
    const [dx, dy] = [rect.x + (rect.width - inner.width) / 2, rect.y + HEADER];
    made.boxes.push(...inner.boxes.map((box) => ({ ...box, x: box.x + dx, y: box.y + dy })));
    made.frames.push(...inner.frames.map((frame) => ({ ...frame, x: frame.x + dx, y: frame.y + dy })));
    made.lines.push(
      ...inner.lines.map(({ points, tip }) => ({
        tip,
        points: points.map((value, k) => value + (k % 2 ? dy : dx)),
      })),
    );
    inner.enters = moved(inner.enters, dx, dy);
    inner.leaves = moved(inner.leaves, dx, dy);
  });
  for (const [tail, head, points] of places.lines) {
    const way = points.map((value, k) => (k % 2 ? along(value) : across(value)));
    const [first, last] = [rects[tail], rects[head]];
    way[1] = first.y + first.height;
    way[way.length - 1] = last.y;
    // lines end in the middle of boxes, which stays where it is
    made.lines.push({ points: way, tip: head < count && !opened.has(head) });
    // what flows on is what the last of those makes that the first stands for
    const source = tail < count ? standsFor(shown[tail], folds)[1] : tail - count + scope.children.length;
    const target = head < count ? shown[head] : head - count + scope.children.length;
    const tensors = between(scope, scopes, source, target);
    const from = opened.get(tail);
    if (from) {
      // from where it leaves within, through the foot
      for (const tensor of tensors) {
        const port = scopes[scope.children[source][1]].leaves.indexOf(tensor);
        const start = from.leaves.get(scopes[scope.children[shown[tail]][1]].leaves[port]);
        if (!start) continue;
        const end = first.y + first.height;
        const points = jog(start[0], start[1], way[0], end, end - FOOT / 2);
        made.lines.push({ points, tip: false });
      }
    }
    const to = opened.get(head);
    if (to) {
      for (const tensor of tensors) {
        const end = to.enters.get(tensor);
        if (!end) continue;
        const points = jog(way[way.length - 2], last.y, end[0], end[1], last.y + HEADER - 6);
        made.lines.push({ points, tip: false });
      }
    }
  }
  scope.enters.forEach((tensor, i) => {
    const { x, y, height } = rects[count + i];
    made.enters.set(tensor, [x + 0.5, y + height]);
  });
  scope.leaves.forEach((tensor, i) => {
    const { x, y } = rects[count + scope.enters.length + i];
    made.leaves.set(tensor, [x + 0.5, y]);
  });
  return made;
}

/** The child that is shown for one, and the last that it is shown for. @param {number} child @param {import("./layers.js").Fold[]} folds */
function standsFor(child, folds) {
  for (const [start, period, copies] of folds) {
    const column = (child - start) % period;
    if (child >= start && child < start + period * copies)
      return [start + column, start + column + period * (copies - 1)];
  }
  return [child, child];
}

/** Where a box begins and ends along an axis, and how long it has to be. @param {number[]} box @param {0 | 1} axis @param {number} need */
const interval = (box, axis, need) =>
  /** @type {[number, number, number]} */ ([box[axis], box[axis] + box[axis + 2], need]);

/**
 * A map of an axis under which each interval is at least as long as it has to be: nothing comes nearer to
 * anything, and what is one above the other shares the room.
 * @param {[number, number, number][]} intervals @returns {(value: number) => number}
 */
export function stretched(intervals) {
  const ends = [...new Set(intervals.flatMap((one) => one.slice(0, 2)))].sort((a, b) => a - b);
  /** @type {[number, number, number][]} */
  const pieces = []; // from, to, how much longer
  for (let i = 0; i + 1 < ends.length; i++) {
    const [from, to] = [ends[i], ends[i + 1]];
    let share = 0;
    for (const [start, stop, need] of intervals) {
      if (start <= from && stop >= to) share = Math.max(share, need / (stop - start) - 1);
    }
    if (share) pieces.push([from, to, share]);
  }
  return (value) => {
    let more = 0;
    for (const [from, to, share] of pieces) {
      if (value <= from) break;
      more += (Math.min(value, to) - from) * share;
    }
    return value + more;
  };
}

/** @param {Map<number, [number, number]>} places @param {number} dx @param {number} dy */
const moved = (places, dx, dy) =>
  new Map(
    [...places].map(([tensor, [x, y]]) => [tensor, /** @type {[number, number]} */ ([x + dx, y + dy])]),
  );

/** The tensors that flow from one child, or way in, to another child, or way out. @param {Scope} scope @param {Scope[]} scopes @param {number} tail @param {number} head */
function between(scope, scopes, tail, head) {
  const count = scope.children.length;
  /** @type {number[]} */
  let given;
  if (tail >= count) given = [scope.enters[tail - count]];
  else if (scope.children[tail][0]) given = scopes[scope.children[tail][1]].leaves;
  else given = [scope.children[tail][1]];
  if (head >= count) return given.filter((one) => one === scope.leaves[head - count - scope.enters.length]);
  if (!scope.children[head][0]) return given;
  const taken = new Set(scopes[scope.children[head][1]].enters);
  return given.filter((one) => taken.has(one));
}

/** @param {number} x @param {number} y @param {number} toX @param {number} toY @param {number} turn */
const jog = (x, y, toX, toY, turn) =>
  Math.abs(x - toX) < 0.5 ? [toX, y, toX, toY] : [x, y, x, turn, toX, turn, toX, toY];
