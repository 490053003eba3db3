// The vocabulary of a KenLM binary file: from words to numbers by the words' hashes, MurmurHash64A with seed 0.
//
// In tries, a uint64 count and the hashes of all words but <unk>, sorted: number k + 1 is the word of hash k. There is
// room for as many hashes as the header counts 1-grams. In probing files, a uint32 version 0, the uint32 number of words
// with <unk>, and a hash table with open addressing: each bucket is the uint64 hash, 0 where it is free, and the uint32
// number; the place of a hash is its remainder by the number of buckets, or one of the following places.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lm/kenlm/header.hpp"

namespace ctckit::kenlm {

// A hash table in the file. Its look-ups end even where no bucket is free.
class Buckets {
 public:
  Buckets() = default;
  Buckets(Sections& sections, const Header& header, uint64_t entries, uint64_t bucket_bytes, const std::string& what);

  // What follows the key in its bucket; null if the table does not have the key.
  const std::byte* find(uint64_t key) const noexcept {
    uint64_t place = key % count_;
    for (uint64_t steps = count_; steps > 0; --steps) {
      const std::byte* const bucket = at(place);
      const auto found = loaded<uint64_t>(bucket);
      if (found == key) return bucket + sizeof key;
      if (found == 0) return nullptr;
      if (++place == count_) place = 0;
    }
    return nullptr;
  }
  uint64_t count() const noexcept { return count_; }
  const std::byte* at(uint64_t place) const noexcept { return from_ + place * bucket_bytes_; }

 private:
  const std::byte* from_ = nullptr;
  uint64_t count_ = 1, bucket_bytes_ = 0;
};

class Vocabulary {
 public:
  Vocabulary(const Header& header, Sections& sections);

  uint32_t size() const noexcept { return size_; }
  uint32_t find(std::string_view word) const noexcept;  // 0, the number of <unk>, if absent
  std::string_view name(uint32_t id) const noexcept { return id < names_.size() ? names_[id] : std::string_view{}; }
  bool has_names() const noexcept { return !names_.empty(); }

  // Takes the words at the end of the file, and checks that each has its number.
  void read_names(Sections& sections);
  // Takes words from elsewhere; those that the file does not have are ignored.
  void give_names(const std::vector<std::string>& words);

 private:
  uint32_t find_hash(uint64_t hash) const noexcept;

  bool sorted_;
  const std::byte* hashes_ = nullptr;  // sorted
  Buckets buckets_;
  uint32_t size_;
  std::vector<std::string_view> names_;
  std::shared_ptr<const std::string> given_;  // the text of names that are not in the file
};

}  // namespace ctckit::kenlm
