// The fusion score of a text, token by token, to score texts that differ in one token.
//
// What a token adds depends on the text before it only through its context. After a change, the contexts are soon the
// same as before, and from there on so is all that is added. Each word is chosen where it ends (see Scorers::next).
#pragma once
#include <span>
#include <vector>

#include "scorers/scorers.hpp"

namespace ctckit {

class FusionPath {
 public:
  // `before`: tokens before the text, which never change.
  FusionPath(const Scorers& scorers, std::span<const int32_t> before, std::span<const int32_t> tokens);

  // The change of the score if `position` had this token; the blank: no token. −∞ if the new text is forbidden.
  double gain(size_t position, int32_t token) const;
  void change(size_t position, int32_t token);

 private:
  // The text with one change: its contexts and gains from the change on, until the contexts are the old ones.
  struct Change {
    double gain;
    std::vector<Context> contexts;  // after each token, the changed one first
    std::vector<double> gains;
  };
  Change changed(size_t position, int32_t token) const;
  double gained(Context& context, int32_t token) const;
  double gained_at_end(const Context& context) const;

  const Scorers& scorers_;
  std::vector<int32_t> tokens_;
  std::vector<Context> contexts_;  // before each token, and after the last one
  std::vector<double> gains_;      // of each token
};

}  // namespace ctckit
