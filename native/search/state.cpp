#include "search/state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/checksum.hpp"

namespace ctckit {

namespace {

constexpr uint32_t version = 2;
constexpr uint32_t byte_order = 0x01020304;

struct Header {
  uint64_t checksum;  // of the bytes after it
  uint32_t byte_order, version;
  int32_t classes, blank, beam_width, forgotten;
  uint32_t texts, prefixes;
  double log_scale;
};
static_assert(sizeof(Header) == 48 && sizeof(Beam::Text) == 100 && sizeof(Beam::Link) == 8, "no padding");

uint64_t checksum_of(std::string_view bytes) {
  constexpr size_t from = sizeof(Header::checksum);
  return checksum(reinterpret_cast<const std::byte*>(bytes.data()) + from, bytes.size() - from);
}

template <class T>
void append(std::string& bytes, const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// Copies values from the front of the bytes, which are long enough.
template <class T>
std::vector<T> taken(std::string_view& bytes, size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), bytes.data(), count * sizeof(T));
  bytes.remove_prefix(count * sizeof(T));
  return values;
}

void expect(bool condition, const char* otherwise) {
  if (!condition) throw StateError(otherwise);
}

Header checked_header(std::string_view bytes, const SearchPlan& plan) {
  expect(bytes.size() >= sizeof(Header), "the header is incomplete.");
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  expect(header.byte_order == byte_order,
         "the byte order is that of another kind of machine, or the bytes are damaged.");
  expect(header.version == version, "the version is that of another ctckit, or the bytes are damaged.");
  expect(header.checksum == checksum_of(bytes), "the checksum is wrong: the bytes are damaged.");
  expect(header.classes == plan.classes && header.blank == plan.blank && header.beam_width == plan.beam_width,
         "the classes, the blank or the beam width are not those of the decoder.");
  expect(bytes.size() == sizeof header + uint64_t{header.texts} * sizeof(Beam::Text) +
                             uint64_t{header.prefixes} * sizeof(Beam::Link),
         "the number of bytes is not that of the header.");
  return header;
}

// The ranges that the search relies on. Numbers within them may still be senseless, but never lead out of an array.
class Ranges {
 public:
  explicit Ranges(const Scorers& scorers) : scorers_(scorers), plan_(scorers.plan()) {}

  void check(const Beam::State& state) {
    constexpr int32_t most_tokens = 1 << 30;
    expect(std::isfinite(state.log_scale), "the scale is out of range.");
    expect(state.forgotten >= 0 && state.forgotten < most_tokens && state.prefixes.size() < most_tokens,
           "the number of tokens is out of range.");
    expect(state.texts.size() <= static_cast<size_t>(plan_.beam_width), "the number of texts is out of range.");
    for (size_t k = 0; k < state.prefixes.size(); ++k)  // number k + 1; a parent is older than its children
      expect(within(state.prefixes[k].parent, k + 1) && is_token(state.prefixes[k].token), "a prefix is out of range.");
    has_text_.assign(state.prefixes.size() + 1, false);
    float top = state.texts.empty() ? Beam::lowest : 0;
    for (const Beam::Text& each : state.texts) {
      expect(is_placed(each.placed, state.prefixes), "a text is out of range.");
      expect(is_mass(each.placed.mass) && is_mass(each.blank_part) && is_mass(each.label), "a mass is out of range.");
      expect(is_factor(each.placed.factor) && is_scored(each.scored), "the scores of a text are out of range.");
      top = std::max(top, each.placed.mass);
    }
    expect(top >= Beam::lowest, "all masses are out of range.");
  }

 private:
  static bool within(int32_t value, size_t count) { return value >= 0 && static_cast<size_t>(value) < count; }
  // By the bits: neither NaN nor −0.
  static bool is_mass(float value) { return std::bit_cast<uint32_t>(value) < std::bit_cast<uint32_t>(Beam::highest); }
  static bool is_factor(float value) { return value >= 0 && value <= largest_factor; }
  bool is_token(int32_t token) const {
    return within(token, static_cast<size_t>(plan_.classes)) && token != plan_.blank;
  }

  bool is_scored(const Beam::Entry& entry) const {
    const bool ended = entry.ended.factor == -1 || is_factor(entry.ended.factor);
    return ended && is_factor(entry.inner_bound) && is_factor(entry.ending_bound) && scorers_.can_have(entry.context);
  }

  // A text without a node has a parent; a text with a node has that node alone, and is its prefix. Only the text at the
  // root may be empty.
  bool is_placed(const Beam::Arrival& text, const std::vector<Beam::Link>& prefixes) {
    if (text.node == PrefixTree::none) return within(text.parent, has_text_.size()) && is_token(text.token);
    if (!within(text.node, has_text_.size()) || has_text_[static_cast<size_t>(text.node)]) return false;
    has_text_[static_cast<size_t>(text.node)] = true;
    if (text.node == PrefixTree::root)
      return text.parent == PrefixTree::none && (is_token(text.token) || text.token == plan_.blank);
    const Beam::Link& prefix = prefixes[static_cast<size_t>(text.node) - 1];
    return text.parent == prefix.parent && text.token == prefix.token;
  }

  const Scorers& scorers_;
  const SearchPlan& plan_;
  std::vector<bool> has_text_;  // of each node
};

}  // namespace

std::string state_bytes(const Search& search) {
  const SearchPlan& plan = search.plan();
  const Beam::State state = search.state();
  Header header = {0,
                   byte_order,
                   version,
                   plan.classes,
                   plan.blank,
                   plan.beam_width,
                   state.forgotten,
                   static_cast<uint32_t>(state.texts.size()),
                   static_cast<uint32_t>(state.prefixes.size()),
                   state.log_scale};
  std::string bytes(sizeof header, '\0');
  append(bytes, state.texts);
  append(bytes, state.prefixes);
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = checksum_of(bytes);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

Beam::State state_from_bytes(std::string_view bytes, const Scorers& scorers) {
  const Header header = checked_header(bytes, scorers.plan());
  bytes.remove_prefix(sizeof header);
  Beam::State state = {header.log_scale, header.forgotten, {}, {}};
  state.texts = taken<Beam::Text>(bytes, header.texts);
  state.prefixes = taken<Beam::Link>(bytes, header.prefixes);
  Ranges(scorers).check(state);
  return state;
}

}  // namespace ctckit
