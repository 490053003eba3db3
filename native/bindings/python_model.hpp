// A language model in Python, in the search: ctckit.language_models.numbered.
//
// The search releases the GIL, and its threads are not Python's. The model is asked with the GIL. An exception in Python
// is thrown as nanobind's python_error, which may pass through any thread, and ends the search.
#pragma once
#include <nanobind/nanobind.h>

#include <memory>
#include <vector>

#include "lm/session.hpp"

namespace ctckit {

// A Python object that may be released in any thread.
class PythonObject {
 public:
  explicit PythonObject(nanobind::object object) : object_(std::move(object)) {}
  ~PythonObject();
  PythonObject(const PythonObject&) = delete;
  PythonObject& operator=(const PythonObject&) = delete;

  const nanobind::object& operator*() const { return object_; }
  const nanobind::object* operator->() const { return &object_; }

 private:
  nanobind::object object_;
};

// A NumberedModel.
class PythonModel final : public LanguageModel {
 public:
  explicit PythonModel(nanobind::object model);

  uint32_t unknown() const noexcept override { return unknown_; }
  uint32_t end() const noexcept override { return end_; }
  double unigram(uint32_t word) const noexcept override { return word < unigrams_.size() ? unigrams_[word] : 0; }
  ModelState first_state() const noexcept override { return start_; }
  Scored score(const ModelState& state, uint32_t word) const override;  // throws: only its sessions can be asked
  std::shared_ptr<Session> session() const override;

 private:
  PythonObject model_;
  uint32_t unknown_, end_;
  ModelState start_;
  std::vector<double> unigrams_;
};

// A Session of numbered.py.
class PythonSession final : public Session {
 public:
  explicit PythonSession(nanobind::object session);

  const nanobind::object& object() const { return *session_; }

  uint32_t unknown() const noexcept override { return unknown_; }
  uint32_t end() const noexcept override { return end_; }
  double unigram(uint32_t) const noexcept override { return 0; }  // look-aheads are those of the model
  ModelState first_state() const noexcept override { return start_; }

 private:
  std::vector<Scored> ask(std::span<const Query> queries) const override;
  void keep_states(std::span<const ModelState> states) const override;

  PythonObject session_;
  uint32_t unknown_, end_;
  ModelState start_;
};

}  // namespace ctckit
