"""From log-probabilities to texts: greedy decoding, beam search, streams, and the tuning of their weights."""

from ctckit.decoding.endpointing import EndpointRules
from ctckit.decoding.partials import Partial
from ctckit.decoding.rescoring import rescore
from ctckit.decoding.settings_file import read_settings, write_settings
from ctckit.kernels.search.plan import Parts

__all__ = ["EndpointRules", "Partial", "Parts", "read_settings", "rescore", "write_settings"]
