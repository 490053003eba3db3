"""Every tolerance of the suite, with its reason. No test has another, and CI has none of its own."""

# float64 against float64: some hundred operations of relative error 1e-16 each.
DOUBLE = 1e-12
# A published number, printed from float32 arithmetic.
PUBLISHED = 1e-6
# float32 kernels, loss relative to max(1, |loss|): each frame rounds the logit differences once, 2^-24 of their size.
SINGLE_LOSS = 1e-5
# float32 kernels, gradient of a loss of weight 1, absolute.
SINGLE_GRADIENT = 1e-5
# torch's own float32 loss and gradient on short inputs.
TORCH_SINGLE = 1e-4
# A gradient handed on in half precision: rounded once, to the nearest of 11 or of 8 bits, relative to its size.
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
# Samples in a file of 16 bits: one step.
SAMPLE_16_BITS = 2**-15
# A tone at half of full scale through SoX's resampler at its usual quality, away from the ends.
RESAMPLED = 2e-3
# Log-probabilities of the tests' front end, which multiplies loudness by 60: a sample's step of 16 bits in them.
LOUDNESS_16_BITS = 0.01
# An acoustic network run twice in float32, alone and in our hands: logits of size 10, sums in other orders.
NETWORK_SINGLE = 1e-4
# The live lattice: float64 in a browser, whose exp and log may differ in the last bit, relative to max(1, |x|).
BROWSER = 1e-9
# The reference search in float64: log-sums over all paths of some ten frames, relative to max(1, |score|).
SEARCH_DOUBLE = 1e3 * DOUBLE
# The terms of a fusion score: the same float32 log-probabilities of the models, added up by two programs.
FUSION_TERMS = 1e-6
# The native rescoring of a text: means of float32 log-probabilities, and posteriors from float32 masses.
RESCORED_SINGLE = 1e-5
# log p of a stream over ten cuts: frames more than a window after a cut say almost nothing about it.
STREAM_LOG_PROB = 1e-6
# Confidences beside a cut: the frames between the neighbors of a token end at the cut.
STREAM_CONFIDENCE = 1e-2
# log p of a stream in which a token may also have been in frames that are dropped already.
STREAM_SILENCE = 1e-3
# log p of a stream in which a token lasts over a cut: alignments that leave it around the cut are not counted.
STREAM_LASTING_TOKEN = 1.0
# log10 of a probability or a back-off, read from a file, kept as float32, written and read again.
ARPA_LOG10 = 1e-6
# The probabilities of all entries after a context: some ten float32 logarithms, their exponentials added up.
LM_SUM = 1e-5
# Two scores that must differ (nats): a defect of pyctcdecode shows by more than this, rounding by far less.
CLEARLY_DIFFERENT = 0.1
SLIGHTLY_DIFFERENT = 0.01
# A log-probability read from a file: decimal digits to log10 to float32 nats, relative.
LM_READ = 1e-6
