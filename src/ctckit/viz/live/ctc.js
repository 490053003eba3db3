// CTC in float64: the states of a target, their transitions, and the recursions over them.
// The same as topology.py and kernels/loss/reference.py, which define each quantity; tests compare the two.
// A matrix is an array of rows; everything is a natural logarithm, −∞ means impossible.

export const IMPOSSIBLE = -Infinity;
export const TRANSITIONS = ["stay", "advance", "skip"]; // how many states ahead: 0, 1, 2

/** The S = 2N + 1 states of a target: the class of each, and whether a skip enters it. */
export function topologyOf(target, blank) {
  const labels = [blank];
  const skips = [false];
  target.forEach((token, n) => {
    labels.push(token, blank);
    skips.push(n > 0 && token !== target[n - 1], false);
  });
  return { labels, skips, states: labels.length };
}

/** The number of tokens that equal the one before. */
export function adjacentRepeats(target) {
  return target.filter((token, n) => n > 0 && token === target[n - 1]).length;
}

/** The smallest number of frames that can emit a target. */
export function framesNeeded(target) {
  return target.length + adjacentRepeats(target);
}

/** Whether there is a transition from state s − k to state s. */
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

/** The log-probabilities of one frame of logits; all −∞ if every class is masked. */
export function logSoftmax(logits) {
  const total = logSum(logits);
  return Float64Array.from(logits, (logit) => (logit === IMPOSSIBLE ? IMPOSSIBLE : logit - total));
}

/** log(e^a + e^b + e^c), without an array, for the recursions. */
function logSumOfThree(a, b, c) {
  const top = Math.max(a, b, c);
  if (top === IMPOSSIBLE) return IMPOSSIBLE;
  return top + Math.log(Math.exp(a - top) + Math.exp(b - top) + Math.exp(c - top));
}

/** The term of transition k into state s, from the states `before`. */
function arrival(before, topology, k, s) {
  return hasArrow(topology, k, s) ? before[s - k] : IMPOSSIBLE;
}

/** The term of transition k out of state s, into the states `after`. */
function departure(after, topology, k, s) {
  return hasArrow(topology, k, s + k) ? after[s + k] : IMPOSSIBLE;
}

/** The sum of the terms of stay, advance and skip into state s. */
export function arrivals(before, topology, s) {
  return TRANSITIONS.map((_, k) => arrival(before, topology, k, s));
}

/** The sum of the terms of stay, advance and skip out of state s. */
export function departures(after, topology, s) {
  return TRANSITIONS.map((_, k) => departure(after, topology, k, s));
}

function emissionsOf(logProbs, topology) {
  return logProbs.map((frame) => Float64Array.from(topology.labels, (label) => frame[label]));
}

/** alpha[t][s]: all partial paths that are in s at frame t, its emission included. */
export function forward(emission, topology) {
  const alpha = [];
  const begin = (s) => (s < 2 ? 0 : IMPOSSIBLE);
  const arriving = (from, s) =>
    logSumOfThree(arrival(from, topology, 0, s), arrival(from, topology, 1, s), arrival(from, topology, 2, s));
  emission.forEach((frame, t) => {
    alpha.push(frame.map((score, s) => score + (t === 0 ? begin(s) : arriving(alpha[t - 1], s))));
  });
  return alpha;
}

/** beta[t][s]: all paths from s at frame t to the end, its own emission excluded. */
export function backward(emission, topology) {
  const beta = new Array(emission.length);
  const end = (s) => (s >= topology.states - 2 ? 0 : IMPOSSIBLE);
  const leaving = (to, s) =>
    logSumOfThree(departure(to, topology, 0, s), departure(to, topology, 1, s), departure(to, topology, 2, s));
  for (let t = emission.length - 1; t >= 0; t--) {
    const after = beta[t + 1]?.map((value, s) => value + emission[t + 1][s]);
    beta[t] = emission[t].map((_, s) => (after ? leaving(after, s) : end(s)));
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
    const transition = new Uint8Array(topology.states);
    const before = best;
    best = emission[t].map((score, s) => {
      let top = before[s];
      for (let k = 1; k < TRANSITIONS.length; k++) {
        const coming = arrival(before, topology, k, s);
        if (coming > top) [top, transition[s]] = [coming, k];
      }
      return top + score;
    });
    back.push(transition);
  }
  let last = topology.states - 1;
  if (last > 0 && best[last - 1] > best[last]) last -= 1;
  if (best[last] === IMPOSSIBLE) return { path: [], logProb: IMPOSSIBLE };
  const path = [last];
  for (let t = back.length - 1, s = last; t >= 0; t--) path.push((s -= back[t][s]));
  return { path: path.reverse(), logProb: best[last] };
}

/** All quantities of one target and one (T, C) matrix of log-probabilities. */
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
export function transitionOccupancy(lattice, t) {
  const { topology, alpha, beta, emission, total, feasible } = lattice;
  return TRANSITIONS.map((_, k) =>
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
