// The binary files: a header, then the model's memory, in one of two layouts: version 1 is that of ngram.hpp, version 2 that
// of compact.hpp. Files are memory-mapped.
//
// The header has a checksum and the length of the file. Loading rejects a truncated file, another version or byte
// order, and a damaged header. The body has its own checksum, which takes a pass over the file: the caller decides when
// to check it. An unchecked damaged body can only give wrong probabilities (see ngram.hpp). Truncating a mapped file
// would crash any process that reads it, so the writer never changes an existing file.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/checksum.hpp"
#include "core/huge_pages.hpp"
#include "lm/io.hpp"
#include "lm/mapped_file.hpp"

namespace ctckit {
namespace {

constexpr std::array<char, 8> magic{'C', 'T', 'C', 'K', 'I', 'T', 'L', 'M'};
constexpr uint32_t byte_order = 0x01020304;
constexpr uint64_t most = std::numeric_limits<uint32_t>::max();

template <class Model>
constexpr uint32_t version = std::is_same_v<Model, NGram> ? 1 : 2;

// Both headers begin with these.
struct Front {
  std::array<char, 8> magic;
  uint32_t version, byte_order;
};
constexpr size_t header_bytes = sizeof(NGram::Header);
static_assert(header_bytes == sizeof(CompactNGram::Header));

template <class Header>
uint64_t checksum_of(Header header) {
  header.header_checksum = 0;
  return checksum(reinterpret_cast<const std::byte*>(&header), sizeof header);
}

template <class Model>
uint64_t body_checksum(const Model& model) {
  return checksum(model.data() + header_bytes, model.header().bytes - header_bytes);
}

template <class Header>
bool has_sound_words(const Header& header) {
  return header.words && header.name_bytes <= most << 8 && header.order >= 1 && header.order <= NGram::max_order &&
         header.unknown < header.words && header.begin < header.words && header.end < header.words &&
         header.note_bytes <= header.note.size();
}

// Whether the sizes in the header are consistent; all other code relies on them.
bool is_sound(const NGram::Header& header) {
  return has_sound_words(header) && header.slots && header.slots <= most && header.name_slots &&
         header.name_slots <= most && header.states && header.states <= most &&
         NGram::sections(header).bytes == header.bytes;
}

bool is_sound(const CompactNGram::Header& header) {
  constexpr unsigned most_bits = 57;  // of one packed number
  const auto& counts = header.counts;
  const auto is_small = [](uint64_t each) { return each <= most; };
  const auto is_packed = [](const CompactNGram::Floats& floats) { return floats.bits <= 32; };
  if (!has_sound_words(header) || counts[0] != header.words || !std::ranges::all_of(counts, is_small)) return false;
  if (!header.states || header.states > most || header.first[0] != 0 || header.first[1] != 1 ||
      !std::ranges::is_sorted(header.first) || header.first.back() > header.states) {
    return false;
  }
  if (header.states > header.entries() + 1) return false;  // there is an n-gram for each state but the first
  if (header.filters != 0 && header.filters != header.states) return false;
  if (header.low_bits > most_bits || header.link_bits > 32 || !is_packed(header.log_probs) ||
      !is_packed(header.back_offs)) {
    return false;
  }
  const uint64_t bits = BitVector::most_bits;
  return header.runs() <= bits && header.longer() + header.runs() <= bits && header.entries() <= bits &&
         header.name_bytes + header.words <= bits && CompactNGram::sections(header).bytes == header.bytes;
}

void check_front(const std::byte* memory, size_t bytes) {
  if (bytes < header_bytes) throw FormatError("the file is truncated: its header is incomplete.");
  const auto front = loaded<Front>(memory);
  if (front.magic != magic) throw FormatError("this is not a language model of ctckit.");
  if (front.byte_order != byte_order) {
    throw FormatError("the file was written on a machine with another byte order.");
  }
  if (front.version != version<NGram> && front.version != version<CompactNGram>) {
    throw FormatError("version " + std::to_string(front.version) + " of the format; this ctckit reads versions " +
                      std::to_string(version<NGram>) + " and " + std::to_string(version<CompactNGram>) + ".");
  }
}

template <class Model>
std::shared_ptr<const Model> checked(std::shared_ptr<const std::byte> memory, size_t bytes, const std::string& path) {
  const auto header = loaded<typename Model::Header>(memory.get());
  if (header.header_checksum != checksum_of(header) || !is_sound(header)) throw FormatError("the header is damaged.");
  if (header.bytes != bytes) {
    throw FormatError("the file has " + std::to_string(bytes) + " bytes; its header says " +
                      std::to_string(header.bytes) + ". Is it truncated?");
  }
  return std::make_shared<const Model>(std::move(memory), path);
}

std::shared_ptr<const BackoffModel> in_memory(std::shared_ptr<const std::byte> memory, size_t bytes,
                                              const std::string& path) {
  check_front(memory.get(), bytes);
  if (loaded<Front>(memory.get()).version == version<NGram>) return checked<NGram>(std::move(memory), bytes, path);
  return checked<CompactNGram>(std::move(memory), bytes, path);
}

template <class Model>
typename Model::Header header_of(const Model& model, std::string_view note) {
  typename Model::Header header = model.header();
  if (note.size() > header.note.size()) throw FormatError("the note is too long.");
  header.magic = magic;
  header.version = version<Model>;
  header.byte_order = byte_order;
  header.note.fill('\0');
  std::memcpy(header.note.data(), note.data(), note.size());
  header.note_bytes = static_cast<uint32_t>(note.size());
  header.body_checksum = body_checksum(model);
  header.header_checksum = checksum_of(header);
  return header;
}

}  // namespace

std::shared_ptr<const BackoffModel> ngram_from_file(const std::string& path) {
  MappedFile file = mapped_file(path);
  return in_memory(std::move(file.memory), file.bytes, path);
}

std::shared_ptr<const BackoffModel> ngram_from_bytes(std::string_view bytes) {
  const std::shared_ptr<std::byte> memory = zeroed_memory(bytes.size());
  std::memcpy(memory.get(), bytes.data(), bytes.size());
  auto model = in_memory(memory, bytes.size(), {});
  const auto* const fast = dynamic_cast<const NGram*>(model.get());
  if (!(fast ? is_intact(*fast) : is_intact(dynamic_cast<const CompactNGram&>(*model)))) {
    throw FormatError("the model is damaged.");
  }
  return model;
}

bool is_intact(const NGram& model) { return body_checksum(model) == model.header().body_checksum; }
bool is_intact(const CompactNGram& model) { return body_checksum(model) == model.header().body_checksum; }

NGram::Header file_header(const NGram& model, std::string_view note) { return header_of(model, note); }
CompactNGram::Header file_header(const CompactNGram& model, std::string_view note) { return header_of(model, note); }

}  // namespace ctckit
