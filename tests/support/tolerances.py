"""Every tolerance of the tests, with its reason. No test has another one, and CI uses the same ones."""

# float64 against float64: some hundred operations of relative error 1e-16 each.
DOUBLE = 1e-12
# A whole lattice in float64: log-sums over up to some thousand frames and states, each rounded as above.
LATTICE_DOUBLE = 1e-9
# The sum of one path over up to a million float32 log-probabilities in float64, in another order: nats.
PATH_NATS = 1e-6
# The same for a million frames.
LONG_PATH_NATS = 1e-5
# A published number, printed from float32 arithmetic.
PUBLISHED = 1e-6
# float32 kernels, loss relative to max(1, |loss|): each frame rounds the logit differences once, 2^-24 of their size.
SINGLE_LOSS = 1e-5
# float32 kernels, gradient of a loss of weight 1, absolute.
SINGLE_GRADIENT = 1e-5
# torch's own float32 loss and gradient on short inputs.
TORCH_SINGLE = 1e-4
# A gradient that is returned in half precision: rounded once, to the nearest of 11 or of 8 bits, relative to its size.
HALF_ROUNDING = {"float16": 2**-11, "bfloat16": 2**-8}
# A second derivative by central differences of the gradient: step² and 1e-16 / step, with a step of 1e-5.
CENTRAL_DIFFERENCE = 1e-8
# pyctcdecode's scores: KenLM counts in float32 log10, ctckit in float32 nats, some thirty words each.
PYCTCDECODE = 1e-4
# The native search: sums of float32 masses over some tens of frames, relative to max(1, |score|).
SEARCH_SINGLE = 1e-4
# A language model's log-probability, nats: float32 sums of at most seven parts, each up to 30 in size.
LM_NATS = 2e-5
# log10 of a probability or a back-off, from float32 logarithms printed with seven digits: ours, and lmplz'.
LM_LOG10 = 2e-6
# Durations and confidences of float32 log-probabilities: sums of float32 occupancies, relative to their size.
OCCUPANCY_SINGLE = 1e-6
# The mean arrival of 400 sampled paths, against the expectation: more than three standard errors (0.29), frames.
SAMPLED_FRAMES = 1.0
# A border rounded to whole frames, where no span may be empty.
WHOLE_FRAME = 1.0
# Durations in windows of the default size, if the network is certain at the cuts: frames, summed from the beginning.
WINDOWED_FRAMES = 0.05
# The same in windows of 16 to 333 frames, which have fewer places for a cut: the maximum, and the mean.
SMALL_WINDOWS_FRAMES = 0.3
SMALL_WINDOWS_MEAN_FRAMES = 0.01
# A tone in a spectrogram, kHz: a window of 25 ms resolves 40 Hz.
SPECTROGRAM_KHZ = 0.05
# The end of a spectrogram: half a window of 25 ms, and a hop of 5 ms, may be missing.
SPECTROGRAM_SECONDS = 0.02
# A click in a waveform: a few columns of the picture; in a spectrogram: half a window and half a hop.
WAVEFORM_SECONDS = 0.002
CLICK_SECONDS = 0.015
# A number that a page shows with two, three or four decimals: half a unit of the last one, with some slack.
TWO_DIGITS = 6e-3
THREE_DIGITS = 5e-4
FOUR_DIGITS = 1e-4
# The sum of a column of numbers with three decimals: eleven roundings, and numbers below 0.001 are left out.
COLUMN_OF_THREE_DIGITS = 0.01
# Samples in a file of 16 bits: one step.
SAMPLE_16_BITS = 2**-15
# A tone at half of full scale through SoX's resampler at its usual quality, away from the ends.
RESAMPLED = 2e-3
# Log-probabilities of the tests' acoustic model, which multiplies loudness by 60: the effect of one 16-bit step.
LOUDNESS_16_BITS = 0.01
# An acoustic model that runs twice in float32, alone and through ctckit: logits of size 10, sums in other orders.
NETWORK_SINGLE = 1e-4
# The CRNN's logits in float32, of a line alone and in a batch: sums of some hundred terms of size 0.1 in other orders.
CRNN_SINGLE = 1e-5
# The same for the tests' small CRNN, whose sums have some ten terms.
SMALL_CRNN_SINGLE = 1e-6
# The live lattice: float64 in a browser, whose exp and log may differ in the last bit, relative to max(1, |x|).
BROWSER = 1e-9

# --- the search and the language models (tests/decoding, tests/language_models, tests/compat) -------------------------

# The reference search in float64: log-sums over all paths of some ten frames, relative to max(1, |score|).
SEARCH_DOUBLE = 1e3 * DOUBLE
# The terms of a fusion score: the same float32 log-probabilities of the models, added up by two programs.
FUSION_TERMS = 1e-6
# The native rescoring of a text: means of float32 log-probabilities, and posteriors from float32 masses.
RESCORED_SINGLE = 1e-5
# log p over ten cuts: float32 sums over some hundred frames.
STREAM_LOG_PROB = 1e-5
# log p of a stream in which a token may also have been in frames that are dropped already.
STREAM_SILENCE = 1e-3
# log p over cuts, for each thousand frames, where the texts of the beam differ at a cut: what is left out there.
CUTS_NATS = 0.05
# Confidences beside a cut: the frames between the neighbors of a token end at the cut.
STREAM_CONFIDENCE = 1e-2
# log p of a stream that keeps 160 of 1,000 classes, for some hundred frames: paths through classes that were not kept.
PACKED_NATS = 1e-3
# Confidences of such a stream: alternatives that were not kept have the mean of their probabilities.
PACKED_CONFIDENCES = 1e-3
# log10 of a probability or a back-off, read from a file, kept as float32, written and read again.
ARPA_LOG10 = 1e-6
# The probabilities of all entries after a context: some ten float32 logarithms, their exponentials added up.
LM_SUM = 1e-5
# Two scores that must differ (nats): a defect of pyctcdecode shows by more than this, rounding by far less.
CLEARLY_DIFFERENT = 0.1
SLIGHTLY_DIFFERENT = 0.01
# A log-probability read from a file: decimal digits to log10 to float32 nats, relative.
LM_READ = 1e-6

# --- the loss and its kernels (tests/loss, tests/kernels, tests/fuzz, tests/test_*.py) --------------------------------

# The step of the central differences that CENTRAL_DIFFERENCE belongs to.
CENTRAL_STEP = 1e-5
# Laws that hold for every input: float64 over some hundred frames, with logits of size up to 150.
LAW = 1e-9
# The loss of float32 logits after a number up to 50 is added to each frame: the addition rounds each logit to 2^-19.
SHIFTED_LOSS = 1e-4
# Errors of float32 losses in the hard cases are relative to |loss|, but to no less than this.
SMALLEST_LOSS = 1e-3
# A loss that is below 1e-20 in exact arithmetic, from 400 float32 frames.
CERTAIN_LOSS = 1e-6
# float64 losses and gradients of 300 frames in graphs of up to 243 states: more operations than DOUBLE allows for.
LONG_DOUBLE_LOSS = 1e-11
LONG_DOUBLE_GRADIENT = 1e-10
# One step of half precision, relative: a truncated number, or two nearly equal numbers that are rounded apart.
HALF_STEP = {"float32": 0.0, "float16": 2**-10, "bfloat16": 2**-7}
# The frequency of a random event, in standard deviations from its probability; the seed is fixed.
SAMPLED_DEVIATIONS = 5
# A topology that is broken on purpose must change a loss by more than this.
BROKEN = 1e-3
