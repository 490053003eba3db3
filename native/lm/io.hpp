// Where language models come from and go to.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "lm/ngram.hpp"

namespace ctckit {

// ARPA text. FormatError says the line.
std::shared_ptr<const NGram> ngram_from_arpa(std::string_view text);
std::string arpa_text(const NGram& model);

// A file of our own, mapped: its header and its length are checked, its body is not.
std::shared_ptr<const NGram> ngram_from_file(const std::string& path);
// The same from memory, which is copied; its body is checked.
std::shared_ptr<const NGram> ngram_from_bytes(std::string_view bytes);
// Whether the body is what was written.
bool is_intact(const NGram& model);
// What the file begins with; the rest of it is the model's memory as it is.
NGram::Header file_header(const NGram& model, std::string_view note);

}  // namespace ctckit
