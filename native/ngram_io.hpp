// Where language models come from and go to.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "ngram.hpp"

namespace ctckit {

// ARPA text. FormatError says the line.
std::shared_ptr<const NGram> ngram_from_arpa(std::string_view text);

}  // namespace ctckit
