// Finds all n-grams of a KenLM file, in order to write it in another format.
#pragma once
#include <memory>

#include "lm/kenlm/model.hpp"

namespace ctckit::kenlm {

std::shared_ptr<const NGram> listed_model(const Model& model, const Trie& tables);
// A hash table does not say the words of its n-grams. Of order 2, all pairs of words are tried; of higher orders, all
// n-grams that begin and end with two of the order before.
std::shared_ptr<const NGram> listed_model(const Model& model, const Probing& tables);

}  // namespace ctckit::kenlm
