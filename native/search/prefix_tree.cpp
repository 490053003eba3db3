#include "search/prefix_tree.hpp"

#include <algorithm>

namespace ctckit {

void PrefixTree::clear() { nodes_.assign(1, {none, none, 0, 0, none, none, 0}); }

int32_t PrefixTree::add(int32_t parent, int32_t token, int32_t entry) {
  const auto node = static_cast<int32_t>(nodes_.size());
  Node& added = nodes_.emplace_back();  // written field by field: copying a whole node would stall
  Node& above = (*this)[parent];
  added.parent = parent;
  added.token = token;
  added.depth = above.depth + 1;
  added.entry = entry;
  added.first_child = none;
  added.next_sibling = above.first_child;
  added.child_tokens = 0;
  above.first_child = node;
  above.child_tokens |= uint32_t{1} << (token & 31);
  return node;
}

int32_t PrefixTree::child(int32_t parent, int32_t token) const {
  const Node& above = (*this)[parent];
  if (!(above.child_tokens >> (token & 31) & 1)) return none;
  int32_t node = above.first_child;
  while (node != none && (*this)[node].token != token) node = (*this)[node].next_sibling;
  return node;
}

int32_t PrefixTree::ancestor(int32_t node, int32_t depth) const {
  while ((*this)[node].depth > depth) node = (*this)[node].parent;
  return node;
}

void PrefixTree::append_tokens(int32_t from, int32_t node, std::vector<int32_t>& tokens) const {
  const auto start = static_cast<std::ptrdiff_t>(tokens.size());
  for (; node != from; node = (*this)[node].parent) tokens.push_back((*this)[node].token);
  std::reverse(tokens.begin() + start, tokens.end());
}

void PrefixTree::keep(int32_t top, const std::vector<int32_t*>& used) {
  // A parent is always older than its children. Renumbering in order of age keeps that.
  std::vector<int32_t> renamed(nodes_.size(), none);
  renamed[static_cast<size_t>(top)] = root;
  for (const int32_t* each : used)
    for (int32_t node = *each; node != none && renamed[static_cast<size_t>(node)] == none; node = (*this)[node].parent)
      renamed[static_cast<size_t>(node)] = root;  // marked; numbered below
  std::vector<Node> kept;
  for (size_t node = static_cast<size_t>(top); node < nodes_.size(); ++node) {
    if (renamed[node] == none) continue;
    Node copy = nodes_[node];
    copy.first_child = copy.next_sibling = none;
    copy.child_tokens = 0;
    renamed[node] = static_cast<int32_t>(kept.size());
    copy.parent = kept.empty() ? none : renamed[static_cast<size_t>(copy.parent)];
    if (copy.parent != none) {
      Node& above = kept[static_cast<size_t>(copy.parent)];
      copy.next_sibling = above.first_child;
      above.first_child = renamed[node];
      above.child_tokens |= uint32_t{1} << (copy.token & 31);
    }
    kept.push_back(copy);
  }
  nodes_ = std::move(kept);
  for (int32_t* each : used) *each = renamed[static_cast<size_t>(*each)];
}

}  // namespace ctckit
