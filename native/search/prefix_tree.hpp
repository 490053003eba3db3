// The prefixes of the search as a tree, with a node for each prefix that has, or had, an extension in the beam.
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
    int32_t depth;  // tokens since the beginning of the input
    int32_t entry;  // its entry in the beam, or none
    int32_t first_child, next_sibling;
    uint32_t child_tokens;  // bit token % 32 is set if a child has such a token: answers most lookups
  };

  PrefixTree() { clear(); }

  // Keeps only the empty prefix, which is entry 0 of the beam.
  void clear();

  Node& operator[](int32_t node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& operator[](int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  size_t size() const { return nodes_.size(); }

  int32_t add(int32_t parent, int32_t token, int32_t entry);
  int32_t child(int32_t parent, int32_t token) const;  // or none

  // The prefix of `node` that has `depth` tokens.
  int32_t ancestor(int32_t node, int32_t depth) const;
  // The tokens between the prefix `from` and its continuation `node`.
  void append_tokens(int32_t from, int32_t node, std::vector<int32_t>& tokens) const;

  // Makes `top` the root and deletes all nodes except those between it and a node of `used`. Replaces the numbers in
  // `used` by the new ones.
  void keep(int32_t top, const std::vector<int32_t*>& used);

 private:
  std::vector<Node> nodes_;
};

}  // namespace ctckit
