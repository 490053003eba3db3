// The binary file: a header, then the automaton's memory. Files are memory-mapped.
//
// The header has a checksum and the length of the file. Loading rejects a truncated file, another version or byte
// order, and a damaged header. The body has its own checksum, which takes a pass over the file: the caller decides when
// to check it. An unchecked damaged body can only give wrong probabilities (see ngram.hpp). Truncating a mapped file
// would crash any process that reads it, so the writer never changes an existing file.
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "core/checksum.hpp"
#include "core/huge_pages.hpp"
#include "lm/io.hpp"
#include "lm/mapped_file.hpp"

namespace ctckit {
namespace {

constexpr std::array<char, 8> magic{'C', 'T', 'C', 'K', 'I', 'T', 'L', 'M'};
constexpr uint32_t version = 1;
constexpr uint32_t byte_order = 0x01020304;

uint64_t checksum_of(NGram::Header header) {
  header.header_checksum = 0;
  return checksum(reinterpret_cast<const std::byte*>(&header), sizeof header);
}

uint64_t body_checksum(const NGram& model) {
  return checksum(model.data() + sizeof(NGram::Header), model.header().bytes - sizeof(NGram::Header));
}

// Whether the sizes in the header are consistent; all other code relies on them.
bool is_sound(const NGram::Header& header) {
  constexpr uint64_t most = std::numeric_limits<uint32_t>::max();
  const bool sizes = header.slots && header.slots <= most && header.name_slots && header.name_slots <= most &&
                     header.states && header.states <= most && header.words && header.name_bytes <= most << 8;
  return sizes && header.order >= 1 && header.order <= NGram::max_order && header.unknown < header.words &&
         header.begin < header.words && header.end < header.words && header.note_bytes <= header.note.size() &&
         NGram::sections(header).bytes == header.bytes;
}

void check_header(const std::byte* memory, size_t bytes) {
  NGram::Header header;
  std::memcpy(&header, memory, sizeof header);
  if (header.magic != magic) throw FormatError("this is not a language model of ctckit.");
  if (header.byte_order != byte_order) throw FormatError("the file was written on a machine with another byte order.");
  if (header.version != version) {
    throw FormatError("version " + std::to_string(header.version) + " of the format; this ctckit reads version " +
                      std::to_string(version) + ".");
  }
  if (header.header_checksum != checksum_of(header) || !is_sound(header)) throw FormatError("the header is damaged.");
  if (header.bytes != bytes) {
    throw FormatError("the file has " + std::to_string(bytes) + " bytes; its header says " +
                      std::to_string(header.bytes) + ". Is it truncated?");
  }
}

}  // namespace

std::shared_ptr<const NGram> ngram_from_file(const std::string& path) {
  MappedFile file = mapped_file(path);
  if (file.bytes < sizeof(NGram::Header)) throw FormatError("the file is truncated: its header is incomplete.");
  check_header(file.memory.get(), file.bytes);
  return std::make_shared<const NGram>(std::move(file.memory), path);
}

std::shared_ptr<const NGram> ngram_from_bytes(std::string_view bytes) {
  if (bytes.size() < sizeof(NGram::Header)) throw FormatError("the model is truncated.");
  const std::shared_ptr<std::byte> memory = zeroed_memory(bytes.size());
  std::memcpy(memory.get(), bytes.data(), bytes.size());
  check_header(memory.get(), bytes.size());
  auto model = std::make_shared<const NGram>(memory);
  if (!is_intact(*model)) throw FormatError("the model is damaged.");
  return model;
}

bool is_intact(const NGram& model) { return body_checksum(model) == model.header().body_checksum; }

NGram::Header file_header(const NGram& model, std::string_view note) {
  NGram::Header header = model.header();
  if (note.size() > header.note.size()) throw FormatError("the note is too long.");
  header.magic = magic;
  header.version = version;
  header.byte_order = byte_order;
  header.note.fill('\0');
  std::memcpy(header.note.data(), note.data(), note.size());
  header.note_bytes = static_cast<uint32_t>(note.size());
  header.body_checksum = body_checksum(model);
  header.header_checksum = checksum_of(header);
  return header;
}

}  // namespace ctckit
