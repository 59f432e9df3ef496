// Writes OpenFst files arc by arc, damaged ones too.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace brainquant::test {

inline constexpr float kNotFinal = std::numeric_limits<float>::infinity();

struct TinyArc {
  std::int32_t input, output;
  float weight;
  std::int32_t next;
};

struct TinyState {
  float final_weight = kNotFinal;
  std::vector<TinyArc> arcs;
};

class Bytes {
 public:
  template <typename T>
  Bytes& add(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Bytes& add_string(const std::string& text) {
    add(static_cast<std::int32_t>(text.size()));
    text_ += text;
    return *this;
  }
  Bytes& align() {
    text_.resize((text_.size() + 15) / 16 * 16);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct TinyHeader {
  std::string type = "vector";
  std::string arc_type = "standard";
  std::int32_t version = 2;
  std::int32_t flags = 0;
  std::int64_t start = 0;
  std::int64_t states = 0;
  std::int64_t arcs = 0;
};

inline Bytes header_bytes(const TinyHeader& header) {
  Bytes bytes;
  bytes.add(std::int32_t{2125659606}).add_string(header.type).add_string(header.arc_type).add(header.version);
  bytes.add(header.flags).add(std::uint64_t{0}).add(header.start).add(header.states).add(header.arcs);
  return bytes;
}

inline std::string vector_fst(const std::vector<TinyState>& states, TinyHeader header = {}) {
  header.states = header.states == 0 ? static_cast<std::int64_t>(states.size()) : header.states;
  Bytes bytes = header_bytes(header);
  for (const TinyState& state : states) {
    bytes.add(state.final_weight).add(static_cast<std::int64_t>(state.arcs.size()));
    for (const TinyArc& arc : state.arcs) bytes.add(arc);
  }
  return bytes.text();
}

}  // namespace brainquant::test
