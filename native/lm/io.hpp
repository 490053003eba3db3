// Reading and writing language models.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "lm/ngram.hpp"

namespace ctckit {

// From and to ARPA text. A FormatError names the line.
std::shared_ptr<const NGram> ngram_from_arpa(std::string_view text);
std::string arpa_text(const NGram& model);

// Maps a binary file. Checks its header and its length, not its body.
std::shared_ptr<const NGram> ngram_from_file(const std::string& path);
// Copies a model from memory and checks its body too.
std::shared_ptr<const NGram> ngram_from_bytes(std::string_view bytes);
// Whether the body has the checksum of the header.
bool is_intact(const NGram& model);
// The header of a binary file. The rest of the file is the model's memory.
NGram::Header file_header(const NGram& model, std::string_view note);

}  // namespace ctckit
