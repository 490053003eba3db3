#include "lm/kenlm/vocabulary.hpp"

#include <algorithm>

namespace ctckit::kenlm {
namespace {

constexpr uint64_t table_entry = 12;  // a hash and a number
constexpr std::string_view unknown = "<unk>";

// Austin Appleby's MurmurHash64A (public domain), with seed 0.
uint64_t murmur(std::string_view text) noexcept {
  constexpr uint64_t factor = 0xC6A4A7935BD1E995u;
  constexpr int shift = 47;
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  size_t left = text.size();
  uint64_t hash = left * factor;
  for (; left >= 8; from += 8, left -= 8) {
    uint64_t part = loaded<uint64_t>(from) * factor;
    part = (part ^ part >> shift) * factor;
    hash = (hash ^ part) * factor;
  }
  if (left > 0) {
    uint64_t rest = 0;
    for (size_t k = 0; k < left; ++k) rest |= std::to_integer<uint64_t>(from[k]) << 8 * k;
    hash = (hash ^ rest) * factor;
  }
  hash = (hash ^ hash >> shift) * factor;
  return hash ^ hash >> shift;
}

}  // namespace

Buckets::Buckets(Sections& sections, const Header& header, uint64_t entries, uint64_t bucket_bytes,
                 const std::string& what)
    : count_(std::max(entries + 1, static_cast<uint64_t>(header.multiplier * static_cast<float>(entries)))),
      bucket_bytes_(bucket_bytes) {
  from_ = sections.take(count_, bucket_bytes, what);
}

Vocabulary::Vocabulary(const Header& header, Sections& sections) : sorted_(!header.is_probing()) {
  const uint64_t most = header.counts[0];
  if (sorted_) {
    const auto count = loaded<uint64_t>(sections.take(1, sizeof(uint64_t), "vocabulary"));
    hashes_ = sections.take(most, sizeof(uint64_t), "vocabulary");
    if (count >= most) {
      damaged("it has " + std::to_string(count) + " words and <unk>, its header says " + std::to_string(most));
    }
    size_ = static_cast<uint32_t>(count) + 1;
    for (uint64_t k = 1; k < count; ++k) {
      const std::byte* const at = hashes_ + k * sizeof(uint64_t);
      if (loaded<uint64_t>(at) < loaded<uint64_t>(at - sizeof(uint64_t))) damaged("its vocabulary is not sorted");
    }
    return;
  }
  const std::byte* const begin = sections.take(2, sizeof(uint32_t), "vocabulary");
  if (const auto version = loaded<uint32_t>(begin); version != 0) {
    throw FormatError("version " + std::to_string(version) +
                      " of KenLM's vocabulary; this ctckit reads version 0. Load the ARPA file.");
  }
  size_ = loaded<uint32_t>(begin + sizeof(uint32_t));
  if (size_ == 0 || size_ > most + 1) {
    damaged("it has " + std::to_string(size_) + " words, its header says " + std::to_string(most));
  }
  buckets_ = Buckets(sections, header, most, table_entry, "vocabulary");
}

uint32_t Vocabulary::find_hash(uint64_t hash) const noexcept {
  if (!sorted_) {
    const std::byte* const found = buckets_.find(hash);
    const uint32_t id = found ? loaded<uint32_t>(found) : 0;
    return id < size_ ? id : 0;
  }
  uint32_t first = 0, last = size_ - 1;  // the hash is at [first, last), if at all
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    const auto found = loaded<uint64_t>(hashes_ + uint64_t{middle} * sizeof(uint64_t));
    if (found == hash) return middle + 1;
    (found < hash ? first : last) = found < hash ? middle + 1 : middle;
  }
  return 0;
}

uint32_t Vocabulary::find(std::string_view word) const noexcept { return find_hash(murmur(word)); }

void Vocabulary::read_names(Sections& sections) {
  const uint64_t bytes = sections.left();
  const auto* const text = reinterpret_cast<const char*>(sections.take(bytes, 1, "words"));
  std::string_view left(text, bytes);
  names_.reserve(size_);
  for (uint32_t id = 0; id < size_; ++id) {
    const size_t end = left.find('\0');
    if (end == left.npos) {
      throw FormatError("the file ends after " + std::to_string(id) + " of its " + std::to_string(size_) +
                        " words. Is it truncated? Copy it again, or build it again from the ARPA file.");
    }
    const std::string_view name = left.substr(0, end);
    left.remove_prefix(end + 1);
    if (id == 0 ? name != unknown : find(name) == 0) {
      damaged("word " + std::to_string(id) + " of the list of words is not in the vocabulary");
    }
    names_.push_back(name);
  }
  if (!left.empty()) damaged(std::to_string(left.size()) + " bytes follow the list of words");
}

void Vocabulary::give_names(const std::vector<std::string>& words) {
  size_t bytes = 0;
  for (const std::string& word : words) bytes += word.size();
  auto text = std::make_shared<std::string>();
  text->reserve(bytes);  // views of it stay valid
  names_.assign(size_, {});
  names_[0] = unknown;
  const auto give = [&](std::string_view word) {
    const uint32_t id = find(word);
    if (id == 0 || !names_[id].empty()) return;
    const size_t from = text->size();
    text->append(word);
    names_[id] = std::string_view(*text).substr(from);
  };
  for (const std::string& word : words) give(word);
  given_ = std::move(text);
  for (const std::string_view special : {"<s>", "</s>"}) {
    if (const uint32_t id = find(special); id != 0) names_[id] = special;
  }
}

}  // namespace ctckit::kenlm
