"""Break the kernels on purpose, one rule at a time, and expect the native tests to fail: ``make mutants``.

``--patterns`` only checks that each pattern is in the source exactly once, and lists those that are not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

NATIVE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """One broken rule: ``broken`` replaces ``original`` in ``file``; line breaks do not matter."""

    rule: str
    file: str
    original: str
    broken: str

    def occurrences(self, text: str) -> int:
        """Return how often the pattern occurs; it must be once."""
        return len(self._pattern.findall(text))

    def apply(self, text: str) -> str:
        """Return the source with the rule broken."""
        return self._pattern.sub(lambda _: self.broken, text)

    @property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(r"\s+".join(re.escape(word) for word in self.original.split()))


MUTANTS = (
    Mutant("search: repeat rule", "search/beam.cpp", "source_[at] = capacity_ + parent;", "source_[at] = parent;"),
    Mutant(
        "search: repeat rule, new token",
        "simd/beam_kernel.cpp",
        "store(repeated + i, load(beam.masses + beam.capacity + i) * prob);",
        "store(repeated + i, load(beam.masses + i) * prob);",
    ),
    Mutant("search: repetitions that exist", "search/beam.cpp", "unrepeatable(parent);", ""),
    Mutant(
        "search: extensions that exist",
        "search/beam.cpp",
        "mark_child(parent, token);",
        "",
    ),
    Mutant("search: scale", "search/beam.cpp", "log_scale_ -= shift * ln2;", ""),
    Mutant(
        "search: padding of candidates",
        "search/candidates.cpp",
        "values_.begin() + whole_blocks(count)",
        "end",
    ),
    Mutant(
        "search: end of the text",
        "search/search.cpp",
        "weighted_ && ended ? scorers_->finish",
        "weighted_ && !ended ? scorers_->finish",
    ),
    Mutant("search: ties", "search/candidates.cpp", "selection.ties -= one;\n    return one;", "return one;"),
    Mutant(
        "search: steps remembered",
        "search/step_memory.hpp",
        " || place.state != state",
        "",
    ),
    Mutant(
        "ranking: texts written alike",
        "search/ranking.cpp",
        "log_prob = log_add(log_prob, known_->log_prob_of(other))",
        "(void)other",
    ),
    Mutant("cuts: states of the same token", "loss/border.cpp", "skips ? u[s + 2] : impossible", "impossible"),
    Mutant("cuts: mass of what is left out", "loss/border.cpp", "mass - kept;", "mass;"),
    Mutant("entry from the border", "simd/loss_kernel.cpp", "s < item_->entry_states; ++s", "s < 1; ++s"),
    Mutant("change: skip into it", "search/passes.cpp", "instead.front() != left", "true"),
    Mutant("change: skip out of it", "search/passes.cpp", "before_right != right", "true"),
    Mutant("change: blanks in it", "search/passes.cpp", "k > 0 ? middle_[2 * k - 1] : left_blank", "left_blank"),
    Mutant("passes: skip", "simd/passes_kernel.cpp", "load(problem.skip + i + 1) * next", "next"),
    Mutant("passes: last emission", "simd/passes_kernel.cpp", "k < problem.classes", "k + 2 < problem.classes"),
    Mutant("ranking: score after a change", "scorers/fusion_path.cpp", "change.gain -= gains_[next];", ""),
    Mutant("words of one spelling", "scorers/word_choice.cpp", "choice.score > same.score", "false"),
    Mutant("search: saved label part", "search/beam.cpp", "label_[i] = text.label;", ""),
    Mutant("search: saved contexts", "search/beam.cpp", "entries_[i] = text.scored;", ""),
    Mutant("search: saved prefixes in range", "search/state.cpp", "within(state.prefixes[k].parent, k + 1)", "true"),
    Mutant("search: saved contexts in range", "search/state.cpp", "&& scorers_.can_have(entry.context)", ""),
    Mutant("hotwords inside of hotwords", "scorers/hotwords.cpp", "found_[node] += found_[shorter_[node]];", ""),
    Mutant("look-ahead", "scorers/lexicon.cpp", ": changes_[next].entering;", ": 1.0f;"),
    Mutant(
        "charge of unknown words",
        "scorers/scorers.cpp",
        "value - plan_.oov_charge * letters : value",
        "value : value",
    ),
    Mutant(
        "repeated boundaries", "scorers/scorers.cpp", "if (letter == boundary && context.letters == 0) continue;", ""
    ),
    Mutant("repeat rule", "simd/transitions.hpp", "i < tokens_ && y[i] != y[i - 1]", "i < tokens_"),
    Mutant("skip rule", "simd/transitions.hpp", "i < tokens_ && y[i] != y[i - 1]", "false"),
    Mutant(
        "skip rule, backward",
        "simd/transitions.hpp",
        "return sum(to.label_at(i), to.blank_at(i + 1), to.label_at(i + 1) * skip_.at(i + 1));",
        "return sum(to.label_at(i), to.blank_at(i + 1));",
    ),
    Mutant("hop", "simd/transitions.hpp", ", from.label_at(i - 2) * at(label_hop, i));", ");"),
    Mutant("counts", "simd/transitions.hpp", "add(label_skip, i + 1, label * next.label_at(i + 1), likelihood);", ""),
    Mutant(
        "two labels a frame",
        "simd/transitions.hpp",
        "static constexpr int speed = 2;",
        "static constexpr int speed = 1;",
    ),
    Mutant("half precision", "simd/half.hpp", "(magnitude + 0xfffu +", "(magnitude +"),
    Mutant(
        "sparse gradient",
        "simd/loss_kernel.cpp",
        "stream_array(item_->gradient_frame(t), canvas_, classes_, static",
        "if (t) stream_array(item_->gradient_frame(t), canvas_, classes_, static",
    ),
    Mutant("kept exponentials", "simd/loss_kernel.cpp", "return frame_scale(out, classes_, scale);", "return;"),
    Mutant("length mask", "loss/loss.cpp", "  std::fill(valid_end,", "  if (false) std::fill(valid_end,"),
    Mutant(
        "input length", "loss/loss.cpp", "static_cast<int>(batch.input_lengths[b])", "static_cast<int>(batch.frames)"
    ),
    Mutant(
        "blank index",
        "simd/emissions.hpp",
        "static_cast<Mantissa>(x[blank_])",
        "static_cast<Mantissa>(x[0])",
    ),
    Mutant("blank's gradient", "simd/lattice.hpp", "sink.gradient[sink.blank_class] -=", "sink.gradient[0] -="),
    Mutant("renormalization", "simd/loss_kernel.cpp", "after.renormalize(window.from, window.to);", ";"),
    Mutant(
        "renormalization, backward",
        "simd/loss_kernel.cpp",
        "if (t % renormalize_each == 0) here.renormalize(window.from, window.to);",
        ";",
    ),
    Mutant(
        "checkpoint",
        "simd/loss_kernel.cpp",
        "    keep(before, checkpoint(segment));",
        "    keep(before, checkpoint(0));",
    ),
    Mutant("recomputation", "simd/loss_kernel.cpp", "        recompute(segment, first, past);", ""),
    Mutant("checkpoints of checkpoints", "simd/loss_kernel.cpp", "recompute_checkpoints(segment);", "(void)0;"),
    Mutant(
        "recomputation's window",
        "simd/loss_kernel.cpp",
        "alive_.from - Transitions::speed * (past - t) - block",
        "alive_.from",
    ),
    Mutant("posterior pruning", "simd/number.hpp", "dead = -64 - 70", "dead = -4"),
    Mutant(
        "masked classes",
        "simd/number.hpp",
        "const Bits impossible = masked<Number>(exact.value);",
        "const Bits impossible = exact.value != exact.value;",
    ),
    Mutant("out of range", "loss/loss.cpp", "if (outcome.out_of_range) outcome", "if (false) outcome"),
    Mutant(
        "nothing to emit",
        "loss/loss.cpp",
        "if (whole && item.frames < frames_needed(item.target, item.tokens))",
        "if (false)",
    ),
    Mutant("hvp: repeat rule", "loss/states.hpp", "(k == 2 && s % 2 && label(s) != label(s - 2))", "(k == 2 && s % 2)"),
    Mutant(
        "hvp: mean score",
        "loss/hvp.cpp",
        "past.score + here[s].score - total.score",
        "past.score + here[s].score",
    ),
    Mutant(
        "hvp: length mask",
        "loss/hvp.cpp",
        "std::fill(item + batch.input_lengths[b]",
        "std::fill(item + batch.frames",
    ),
    Mutant("align: repeat rule", "align/token_graph.cpp", "if (item.tokens[i] != item.tokens[i - 1])", "if (true)"),
    Mutant("align: next group", "simd/align_kernel.cpp", "edge[f] = label[group - 1];", ""),
    Mutant("align: hop", "simd/align_kernel.cpp", "hopped + weight(label_hop)", "before + weight(label_skip)"),
    Mutant(
        "align: two labels a frame", "align/token_graph.cpp", "passes(blank_hop) ? 2 : 1;", "passes(blank_hop) ? 1 : 1;"
    ),
    Mutant("align: window on the way back", "align/path.cpp", "graph_.reach() * frames, 0);", "frames / 2, 0);"),
    Mutant(
        "align: rows that are kept",
        "align/path.cpp",
        "if ((t - checkpoint.frame) % every == 0)",
        "if (t == checkpoint.frame)",
    ),
    Mutant("align: ties", "align/path.cpp", "if (score >= end.log_prob &&", "if (score > end.log_prob &&"),
    Mutant(
        "align: ties of transitions", "align/path.cpp", "if (!(value > most)) return;", "if (!(value >= most)) return;"
    ),
    Mutant(
        "align: proof",
        "align/path.cpp",
        "limits.bound - limits.rest[pass + 1]",
        "limits.bound - limits.rest[0]",
    ),
    Mutant(
        "align: beam without a proof",
        "align/align.cpp",
        "certified_limits(finder.graph(), bound) : AlignLimits{};",
        "beam : AlignLimits{};",
    ),
    Mutant(
        "align: double precision in the end",
        "align/align.cpp",
        "return find<double>(corridor_limits(ends_, item_.count, item_.frames), 0);",
        "return found;",
    ),
    Mutant(
        "align: tokens left out", "align/spans.cpp", "(after + 1) | 1; s < before", "(after + 1) | 1; s + 2 < before"
    ),
    Mutant(
        "align: length mask",
        "align/align.cpp",
        "batch.frame_stride, batch.input_lengths[b]",
        "batch.frame_stride, batch.input_lengths[0]",
    ),
    Mutant("the pool has one owner", "core/threads.cpp", "if (!owner.owns_lock()) return false;", ""),
    Mutant("all helpers are waited for", "core/threads.cpp", "idle_.wait(lock, [this] { return active_ == 0; });", ""),
    Mutant("a pool of its own after a fork", "core/threads.cpp", "(void)pool.release();", "return;"),
    Mutant(
        "a buffer has one owner",
        "core/buffers.cpp",
        "memory_ = std::move(kept.memory);",
        "memory_.reset(kept.memory.get());",
    ),
    Mutant("back-off", "lm/ngram.hpp", "back_off += node.back_off;", ""),
    Mutant("followed", "lm/builder.cpp", "node.followed}", "0}"),
    Mutant("state of a longest n-gram", "lm/builder.cpp", "longest_suffix(state, word);\n    const", "0;\n    const"),
    Mutant("shorter context", "lm/builder.cpp", "longest_suffix(node.parent, node.word) : 0", "node.word + 1 : 0"),
    Mutant("equal contexts", "lm/builder.cpp", "!each || matters(node)", "!each || node.followed"),
    Mutant("missing context", "lm/builder.cpp", "log_prob += nodes_[state].back_off;", ""),
    Mutant("a context's bit", "lm/builder.cpp", "nodes_[state].followed |= NGram::by_bit(words[k]);", ""),
    Mutant("pruned mass", "lm/train.cpp", "static_cast<double>(sums.pruned);", "0;"),
    Mutant("lower order", "lm/train.cpp", "static_cast<float>(own + lower);", "static_cast<float>(own);"),
    Mutant("KenLM: back-offs", "lm/kenlm/model.cpp", "sum += back_offs.values[static_cast<size_t>(k - 1)];", ";"),
    Mutant("KenLM: words of a state", "lm/kenlm/model.cpp", "found.kept = length;", ";"),
    Mutant("KenLM: kept contexts", "lm/kenlm/model.cpp", "&& kept.context == before.words", ""),
    Mutant("KenLM: the end of a list", "lm/kenlm/trie.cpp", "++place == near.last", "++place + 1 == near.last"),
    Mutant("KenLM: high bits", "lm/kenlm/trie.cpp", "high << level.child_bits | low", "low"),
    Mutant("KenLM: sign of a word", "lm/kenlm/probing.hpp", "return {-std::abs(log_prob)", "return {log_prob"),
    Mutant(
        "KenLM: order of n-grams",
        "lm/kenlm/listing.cpp",
        "last_first.rbegin(), last_first.rend()",
        "last_first.begin(), last_first.end()",
    ),
    Mutant("checksum", "core/checksum.cpp", "for (const uint64_t chain : chains) result = stir(result, chain);", ""),
)


def misfits() -> list[str]:
    """Return the mutants whose pattern is not in the source exactly once."""
    sources = {mutant.file: (NATIVE / mutant.file).read_text(encoding="utf-8") for mutant in MUTANTS}
    found = [(mutant, mutant.occurrences(sources[mutant.file])) for mutant in MUTANTS]
    return [f"{each.rule}: {each.file} has {n} × {each.original!r}" for each, n in found if n != 1]


def configure(folder: Path) -> None:
    """Copy the sources and configure a release build for one instruction set: all sets have the same rules."""
    shutil.copytree(NATIVE, folder / "native")
    golden = Path("tests", "golden", "kenlm")
    shutil.copytree(NATIVE.parent / golden, folder / golden)
    options = ("CMAKE_BUILD_TYPE=Release", "CTCKIT_SANITIZE=OFF", "CTCKIT_WERROR=OFF", "CTCKIT_BASELINE_ONLY=ON")
    run = ["cmake", "-G", "Ninja", "-S", folder / "native/tests", "-B", folder / "build"]
    subprocess.run([*run, *(f"-D{each}" for each in options)], capture_output=True, check=True)


def survives(mutant: Mutant | None, folder: Path) -> bool:
    """Return whether the native tests pass on the broken kernels, or on the unbroken ones without a mutant."""
    path = folder / "native" / (mutant.file if mutant else "loss/loss.cpp")
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.apply(original) if mutant else original, encoding="utf-8")
    done = subprocess.run(["cmake", "--build", folder / "build"], capture_output=True, text=True, check=False)
    path.write_text(original, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"{mutant.rule if mutant else 'control'} does not build:\n{done.stdout}{done.stderr}")
    runs = (["thread_tests"], ["core_tests", "1000"], ["search_tests", "100"], ["ngram_tests"], ["align_tests"])
    return all(passes([folder / "build" / name, *rest]) for name, *rest in runs)


def passes(command: list[str | Path]) -> bool:
    """Return whether a test ends in time and without a failure: a mutant may hang."""
    try:
        return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    """Try every mutant. The exit code is the number of survivors."""
    if wrong := misfits():
        raise SystemExit("Fix the list of mutants; each pattern must occur once:\n" + "\n".join(wrong))
    if "--patterns" in sys.argv[1:]:
        return 0
    console = Console()
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configure(folder)
        if not survives(None, folder):
            raise SystemExit("The native tests fail on the unbroken kernels, so mutants cannot be tested.")
        for mutant in MUTANTS:
            alive = survives(mutant, folder)
            survivors += alive
            console.print(f"{mutant.rule:32} {'[red]survived[/red]' if alive else 'killed'}")
    console.print(f"{len(MUTANTS) - survivors} killed, {survivors} survived")
    return survivors


if __name__ == "__main__":
    sys.exit(main())
