#include "core/checksum.hpp"

#include <array>
#include <cstring>

namespace ctckit {

// Eight independent chains, combined at the end. Each step is one-to-one in its input.
uint64_t checksum(const std::byte* from, size_t bytes) {
  constexpr uint64_t odd = 0x9E3779B97F4A7C15u;
  std::array<uint64_t, 8> chains{1, 2, 3, 4, 5, 6, 7, 8};
  const auto stir = [](uint64_t chain, uint64_t word) {
    chain = (chain ^ word) * odd;
    return chain ^ chain >> 32;
  };
  for (; bytes >= 64; from += 64, bytes -= 64) {
    std::array<uint64_t, 8> words;
    std::memcpy(words.data(), from, 64);
    for (size_t i = 0; i < 8; ++i) chains[i] = stir(chains[i], words[i]);
  }
  std::array<uint64_t, 8> words{};
  std::memcpy(words.data(), from, bytes);
  for (size_t i = 0; i < 8; ++i) chains[i] = stir(chains[i], words[i]);
  uint64_t result = bytes;
  for (const uint64_t chain : chains) result = stir(result, chain);
  return result;
}

}  // namespace ctckit
