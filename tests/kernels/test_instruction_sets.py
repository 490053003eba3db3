"""The core finds the instruction sets of the processor, whatever compiler built it."""

from ctckit.kernels import runtime
from tests.support.processor import expected_instruction_sets


def test_the_core_has_the_instruction_sets_of_the_processor():
    assert runtime.instruction_sets() == expected_instruction_sets()
