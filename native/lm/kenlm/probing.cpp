#include "lm/kenlm/probing.hpp"

namespace ctckit::kenlm {

Probing::Probing(const Header& header, Sections& sections)
    : weights_bytes_(header.kind == Kind::rest_probing ? 12 : 8),
      unigrams_(sections.take(header.counts[0] + 1, weights_bytes_, "words' weights")) {
  for (int length = 2; length <= header.order(); ++length) {
    const uint64_t bytes = sizeof(uint64_t) + (length == header.order() ? sizeof(float) : weights_bytes_);
    tables_.emplace_back(sections, header, header.counts[static_cast<size_t>(length - 1)], bytes,
                         std::to_string(length) + "-grams");
  }
}

}  // namespace ctckit::kenlm
