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
# The CRNN's logits in float32, of a line alone and in a batch: sums of some hundred terms of size 0.1 in other orders.
CRNN_SINGLE = 1e-5
# The same for the tests' small CRNN, whose sums have some ten terms.
SMALL_CRNN_SINGLE = 1e-6
# The live lattice: float64 in a browser, whose exp and log may differ in the last bit, relative to max(1, |x|).
BROWSER = 1e-9
