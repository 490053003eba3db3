// The prefixes that the search has been through, as a tree: a node for each prefix that has, or had, a longer one in the beam.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ctckit {

class PrefixTree {
 public:
  static constexpr int32_t none = -1;
  static constexpr int32_t root = 0;

  struct Node {
    int32_t parent, token;
    int32_t depth;  // tokens since the very beginning
    int32_t entry;  // where the beam keeps this prefix, or none
    int32_t first_child, next_sibling;
    uint32_t child_tokens;  // bit token % 32 is set where a child has such a token: most look-ups end here
  };

  PrefixTree() { clear(); }

  // Back to the empty prefix alone, which is in the beam's entry 0.
  void clear();

  Node& operator[](int32_t node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& operator[](int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  size_t size() const { return nodes_.size(); }

  int32_t add(int32_t parent, int32_t token, int32_t entry);
  int32_t child(int32_t parent, int32_t token) const;  // or none

  // The longest prefix of both.
  int32_t common(int32_t a, int32_t b) const;
  // The prefix of `node` that has `depth` tokens.
  int32_t ancestor(int32_t node, int32_t depth) const;
  // The tokens between the prefix `from` and its continuation `node`.
  void append_tokens(int32_t from, int32_t node, std::vector<int32_t>& tokens) const;

  // Forgets all nodes but `top`, which becomes the root, and those between it and a node of `used`, whose numbers are
  // replaced by the new ones.
  void keep(int32_t top, const std::vector<int32_t*>& used);

 private:
  std::vector<Node> nodes_;
};

}  // namespace ctckit
