#include "lm/kenlm/header.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>

namespace ctckit::kenlm {

namespace {

constexpr std::string_view any_version = "mmap lm http://kheafield.com/code format version ";
constexpr std::string_view unfinished = "mmap lm http://kheafield.com/code incomplete";
constexpr int version = 5;
constexpr uint64_t machine_at = 56, fixed_at = 88, counts_at = 108;
constexpr const char* rebuild =
    " Build it again from the ARPA file, with KenLM's build_binary on a machine like this one; or load the ARPA file.";

void check_version(std::string_view begin) {
  if (begin.starts_with(unfinished)) {
    throw FormatError("KenLM did not finish to write this file." + std::string(rebuild));
  }
  if (!begin.starts_with(any_version)) throw FormatError("this is not a binary file of KenLM.");
  begin.remove_prefix(any_version.size());
  const size_t digits = std::min(begin.find_first_not_of("0123456789"), begin.size() - 1);
  const std::string found(begin.substr(0, digits));
  if (found != std::to_string(version)) {
    throw FormatError("version " + (found.empty() ? std::string("?") : found) +
                      " of KenLM's format; this ctckit reads version " + std::to_string(version) + "." + rebuild);
  }
  begin.remove_prefix(digits);
  if (begin.front() != '\n' || begin.find_first_not_of('\0', 1) != begin.npos) damaged("text follows the version");
}

// Compares the numbers that tell the machine.
void check_machine(const std::byte* at) {
  constexpr uint32_t one = 1;
  const auto first = loaded<uint32_t>(at + 4), whole = loaded<uint32_t>(at + 12);
  if (first == 0x0000803Fu || whole == 0x01000000u) {
    throw FormatError("the file was written on a machine with another byte order." + std::string(rebuild));
  }
  const bool floats = loaded<float>(at) == 0.0f && loaded<float>(at + 4) == 1.0f && loaded<float>(at + 8) == -0.5f;
  const bool numbers = whole == one && loaded<uint32_t>(at + 16) == ~uint32_t{0};
  if (floats && numbers && loaded<uint64_t>(at + 20) == 1 && loaded<uint64_t>(at + 24) != 1) {
    throw FormatError("the file was written by a KenLM of 32 bits." + std::string(rebuild));
  }
  if (!floats || !numbers || loaded<uint32_t>(at + 20) != 0 || loaded<uint64_t>(at + 24) != 1) {
    throw FormatError("the numbers that tell the machine are not those of this one, or damaged." +
                      std::string(rebuild));
  }
}

}  // namespace

Header read_header(const std::byte* file, uint64_t bytes, Sections& sections) {
  if constexpr (std::endian::native != std::endian::little) {
    throw FormatError("KenLM's binary files are read on little-endian machines only. Load the ARPA file.");
  }
  Sections taken(file, bytes, 0);
  taken.take(counts_at, 1, "header");
  check_version({reinterpret_cast<const char*>(file), machine_at});
  check_machine(file + machine_at);

  Header header{};
  const auto order = loaded<uint8_t>(file + fixed_at);
  header.multiplier = loaded<float>(file + fixed_at + 4);
  const auto kind = loaded<int32_t>(file + fixed_at + 8);
  const auto has_words = loaded<uint8_t>(file + fixed_at + 12);
  const auto search_version = loaded<uint32_t>(file + fixed_at + 16);
  if (order < 2 || order > most_order) {
    damaged("its order is " + std::to_string(order) + "; expected 2 to " + std::to_string(most_order));
  }
  if (kind < 0 || kind > 5) damaged("its kind is " + std::to_string(kind) + "; expected 0 to 5");
  header.kind = static_cast<Kind>(kind);
  if (has_words > 1) damaged("the header says neither that the words are in the file nor that they are not");
  header.has_words = has_words == 1;
  if (!(header.multiplier >= 1 && header.multiplier <= 1e4f)) {
    damaged("its tables have " + std::to_string(header.multiplier) + " times as many buckets as entries");
  }
  const uint32_t expected = header.is_probing() ? 0 : 1;
  if (search_version != expected) {
    throw FormatError("version " + std::to_string(search_version) + " of KenLM's " +
                      (header.is_probing() ? "hash tables" : "trie") + "; this ctckit reads version " +
                      std::to_string(expected) + "." + rebuild);
  }
  const std::byte* const counts = taken.take(order, sizeof(uint64_t), "header");
  for (uint64_t n = 0; n < order; ++n) header.counts.push_back(loaded<uint64_t>(counts + n * sizeof(uint64_t)));
  taken.take((8 - taken.at() % 8) % 8, 1, "header");
  // Each n-gram takes some bits, so larger counts are impossible; smaller ones cannot overflow in what follows.
  for (const uint64_t count : header.counts) {
    if (count > bytes * 8) damaged("its header says " + std::to_string(count) + " n-grams");
  }
  if (header.counts[0] >= ~uint32_t{0}) damaged("its header says " + std::to_string(header.counts[0]) + " words");
  sections = taken;
  return header;
}

}  // namespace ctckit::kenlm
