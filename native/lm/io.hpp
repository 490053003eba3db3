// Reading and writing language models.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "lm/compact.hpp"
#include "lm/ngram.hpp"

namespace ctckit {

// From and to ARPA text. A FormatError names the line.
std::shared_ptr<const NGram> ngram_from_arpa(std::string_view text);
std::string arpa_text(const NGram& model);

// Maps a binary file: an NGram or a CompactNGram. Checks its header and its length, not its body.
std::shared_ptr<const BackoffModel> ngram_from_file(const std::string& path);
// Copies a model from memory and checks its body too.
std::shared_ptr<const BackoffModel> ngram_from_bytes(std::string_view bytes);
// Whether the body has the checksum of the header.
bool is_intact(const NGram& model);
bool is_intact(const CompactNGram& model);
// The header of a binary file. The rest of the file is the model's memory.
NGram::Header file_header(const NGram& model, std::string_view note);
CompactNGram::Header file_header(const CompactNGram& model, std::string_view note);

}  // namespace ctckit
