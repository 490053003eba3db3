// CTC in float64: the states of a target, their arrows, and the recursions over them.
// The same as topology.py and kernels/reference.py, which say what each quantity is; tests hold the two together.
// A matrix is an array of rows; everything is a natural logarithm, −∞ means impossible.

export const IMPOSSIBLE = -Infinity;
export const ARROWS = ["stay", "advance", "skip"]; // how many states ahead: 0, 1, 2

/** The S = 2N + 1 states of a target: the class of each, and whether a skip leads there. */
export function topologyOf(target, blank) {
  const labels = [blank];
  const skips = [false];
  target.forEach((token, n) => {
    labels.push(token, blank);
    skips.push(n > 0 && token !== target[n - 1], false);
  });
  return { labels, skips, states: labels.length };
}

/** How often a token equals the one before it. */
export function adjacentRepeats(target) {
  return target.filter((token, n) => n > 0 && token === target[n - 1]).length;
}

/** The smallest number of frames that can emit a target. */
export function framesNeeded(target) {
  return target.length + adjacentRepeats(target);
}

/** Whether an arrow leads from state s − k to state s. */
export function hasArrow(topology, k, s) {
  return s >= k && s < topology.states && (k < 2 || topology.skips[s]);
}

/** log Σ exp. */
export function logSum(terms) {
  let top = IMPOSSIBLE;
  for (const term of terms) if (term > top) top = term;
  if (top === IMPOSSIBLE) return IMPOSSIBLE;
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - top);
  return top + Math.log(sum);
}

/** The log-probabilities of one frame of logits; all −∞ where every class is masked. */
export function logSoftmax(logits) {
  const total = logSum(logits);
  return Float64Array.from(logits, (logit) => (logit === IMPOSSIBLE ? IMPOSSIBLE : logit - total));
}

/** What comes into state s by stay, advance and skip, from the states `before`. */
export function arrivals(before, topology, s) {
  return ARROWS.map((_, k) => (hasArrow(topology, k, s) ? before[s - k] : IMPOSSIBLE));
}

/** What goes out of state s by stay, advance and skip, into the states `after`. */
export function departures(after, topology, s) {
  return ARROWS.map((_, k) => (hasArrow(topology, k, s + k) ? after[s + k] : IMPOSSIBLE));
}

function emissionsOf(logProbs, topology) {
  return logProbs.map((frame) => Float64Array.from(topology.labels, (label) => frame[label]));
}

/** alpha[t][s]: all partial paths that are in s at frame t, its emission included. */
export function forward(emission, topology) {
  const alpha = [];
  emission.forEach((frame, t) => {
    const arriving = (s) => (t === 0 ? (s < 2 ? 0 : IMPOSSIBLE) : logSum(arrivals(alpha[t - 1], topology, s)));
    alpha.push(frame.map((score, s) => arriving(s) + score));
  });
  return alpha;
}

/** beta[t][s]: all ways to go on from s at frame t to the end, its own emission excluded. */
export function backward(emission, topology) {
  const beta = new Array(emission.length);
  const { states } = topology;
  for (let t = emission.length - 1; t >= 0; t--) {
    const after = t + 1 < emission.length ? beta[t + 1].map((value, s) => value + emission[t + 1][s]) : null;
    beta[t] = emission[t].map((_, s) =>
      after ? logSum(departures(after, topology, s)) : s >= states - 2 ? 0 : IMPOSSIBLE,
    );
  }
  return beta;
}

/** log p(target): all complete paths. */
export function logLikelihood(alpha, topology) {
  if (alpha.length === 0) return topology.states === 1 ? 0 : IMPOSSIBLE;
  return logSum(alpha[alpha.length - 1].slice(-2));
}

/** The best single path, as states, and its log-probability. Stay wins ties over advance, advance over skip. */
export function viterbi(emission, topology) {
  if (emission.length === 0) return { path: [], logProb: topology.states === 1 ? 0 : IMPOSSIBLE };
  const back = [];
  let best = emission[0].map((score, s) => (s < 2 ? score : IMPOSSIBLE));
  for (let t = 1; t < emission.length; t++) {
    const arrow = new Uint8Array(topology.states);
    const before = best;
    best = emission[t].map((score, s) => {
      const arriving = arrivals(before, topology, s);
      const top = Math.max(...arriving);
      arrow[s] = arriving.indexOf(top);
      return top + score;
    });
    back.push(arrow);
  }
  let last = topology.states - 1;
  if (last > 0 && best[last - 1] > best[last]) last -= 1;
  if (best[last] === IMPOSSIBLE) return { path: [], logProb: IMPOSSIBLE };
  const path = [last];
  for (let t = back.length - 1; t >= 0; t--) path.unshift(path[0] - back[t][path[0]]);
  return { path, logProb: best[last] };
}

/** Everything about one target and one (T, C) matrix of log-probabilities. */
export function latticeOf(logProbs, target, blank) {
  const topology = topologyOf(target, blank);
  const emission = emissionsOf(logProbs, topology);
  const alpha = forward(emission, topology);
  const beta = backward(emission, topology);
  const total = logLikelihood(alpha, topology);
  const feasible = total > IMPOSSIBLE;
  const occupancy = alpha.map((row, t) => row.map((a, s) => (feasible ? Math.exp(a + beta[t][s] - total) : 0)));
  const { path, logProb: pathLogProb } = viterbi(emission, topology);
  return { ...topology, topology, target, emission, alpha, beta, total, feasible, occupancy, path, pathLogProb };
}

/** (3, S): p(the path leaves state s by stay, advance, skip between frames t − 1 and t | target). */
export function arrowOccupancy(lattice, t) {
  const { topology, alpha, beta, emission, total, feasible } = lattice;
  return ARROWS.map((_, k) =>
    Array.from(alpha[t - 1], (a, s) =>
      feasible && hasArrow(topology, k, s + k) ? Math.exp(a + emission[t][s + k] + beta[t][s + k] - total) : 0,
    ),
  );
}

/** (T, C): the gradient of −log p(target) with respect to the logits, softmax − occupancy of the classes. */
export function logitGradient(lattice, logProbs) {
  return logProbs.map((frame, t) => {
    const gradient = Float64Array.from(frame, lattice.feasible ? Math.exp : () => 0);
    lattice.labels.forEach((label, s) => (gradient[label] -= lattice.occupancy[t][s]));
    return gradient;
  });
}
