#include "language_model/fst_file.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "brainquant/support/error.h"
#include "language_model/mapped_bytes.h"

namespace brainquant {
namespace {

static_assert(std::endian::native == std::endian::little,
              "OpenFst's files are little-endian and are mapped as they are");

constexpr std::int32_t kSymbolTableMagic = 2125658996;
constexpr std::uint32_t kMaxTypeLength = 64;
constexpr std::uint32_t kMaxSymbolLength = 1u << 20;
constexpr std::int32_t kHasInputSymbols = 1;
constexpr std::int32_t kHasOutputSymbols = 2;
constexpr std::int32_t kAligned = 4;
constexpr std::uint64_t kAlignment = 16;

struct Header {
  std::string type;
  std::int32_t version = 0;
  bool aligned = false;
  std::int64_t start = -1;
  std::int64_t states = 0;
  std::int64_t arcs = 0;
};

/// Graphs name their words in words.txt; a table inside the file is stepped over.
void skip_symbol_table(const MappedBytes& file, std::uint64_t& offset) {
  if (file.read<std::int32_t>(offset, "symbol table") != kSymbolTableMagic) {
    throw FormatError(file.path(), "symbol table", "not an OpenFst symbol table");
  }
  file.read_string(offset, kMaxSymbolLength, "symbol table's name");
  file.read<std::int64_t>(offset, "symbol table");
  const auto symbols = file.read<std::int64_t>(offset, "symbol table");
  for (std::int64_t i = 0; i < symbols; ++i) {
    file.read_string(offset, kMaxSymbolLength, "symbol");
    file.read<std::int64_t>(offset, "symbol");
  }
}

Header read_header(const MappedBytes& file, std::uint64_t& offset) {
  if (file.read<std::int32_t>(offset, "header") != kOpenFstMagic)
    throw FormatError(file.path(), "header", "not an OpenFst file");
  Header header;
  header.type = file.read_string(offset, kMaxTypeLength, "header, type");
  if (header.type != "vector" && header.type != "const") {
    throw FormatError(file.path(), "header, type", '"' + header.type + '"', "\"vector\" or \"const\"");
  }
  const std::string arc_type(file.read_string(offset, kMaxTypeLength, "header, arc type"));
  if (arc_type != "standard") {
    throw FormatError(file.path(), "header, arc type", '"' + arc_type + '"', "\"standard\" (tropical weights)");
  }
  header.version = file.read<std::int32_t>(offset, "header, version");
  const bool version_known = header.version == 2 || (header.version == 1 && header.type == "const");
  if (!version_known) throw FormatError(file.path(), "header, version", std::to_string(header.version), "1 or 2");
  const auto flags = file.read<std::int32_t>(offset, "header, flags");
  file.read<std::uint64_t>(offset, "header, properties");
  header.start = file.read<std::int64_t>(offset, "header, start");
  header.states = file.read<std::int64_t>(offset, "header, states");
  header.arcs = file.read<std::int64_t>(offset, "header, arcs");
  header.aligned = header.type == "const" && (header.version == 1 || (flags & kAligned) != 0);
  if ((flags & kHasInputSymbols) != 0) skip_symbol_table(file, offset);
  if ((flags & kHasOutputSymbols) != 0) skip_symbol_table(file, offset);

  if (header.start < 0 || header.states <= 0) throw FormatError(file.path(), "header", "the graph has no start state");
  if (header.states > std::numeric_limits<std::int32_t>::max() || header.start >= header.states) {
    throw FormatError(file.path(), "header", fmt::format("start state {} of {} states", header.start, header.states),
                      "a start state within at most 2147483647 states");
  }
  return header;
}

std::uint64_t aligned_up(std::uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

FstFile::FstFile(const std::filesystem::path& path) : path_(path.string()) {
  auto file = std::make_unique<MappedBytes>(path);
  std::uint64_t offset = 0;
  const Header header = read_header(*file, offset);
  start_ = static_cast<std::int32_t>(header.start);
  num_states_ = static_cast<std::int32_t>(header.states);
  if (header.type == "vector") {
    read_vector(*file, offset);
    return;
  }

  if (header.arcs < 0 || header.arcs > std::numeric_limits<std::uint32_t>::max()) {
    throw FormatError(path_, "header, arcs", std::to_string(header.arcs), "0 to 4294967295");
  }
  num_arcs_ = static_cast<std::uint64_t>(header.arcs);
  const std::uint64_t state_bytes = sizeof(FstState) * static_cast<std::uint64_t>(num_states_);
  const std::uint64_t arc_bytes = sizeof(FstArc) * num_arcs_;
  if (header.aligned) offset = aligned_up(offset);
  const char* states = file->range(offset, state_bytes, "states");
  offset += state_bytes;
  if (header.aligned) offset = aligned_up(offset);
  const char* arcs = file->range(offset, arc_bytes, "arcs");
  if (header.aligned) {
    states_ = reinterpret_cast<const FstState*>(states);
    arcs_ = reinterpret_cast<const FstArc*>(arcs);
    mapping_ = std::move(file);
    return;
  }
  own_states_.resize(static_cast<std::size_t>(num_states_));
  own_arcs_.resize(num_arcs_);
  std::memcpy(own_states_.data(), states, state_bytes);
  if (arc_bytes > 0) std::memcpy(own_arcs_.data(), arcs, arc_bytes);
  states_ = own_states_.data();
  arcs_ = own_arcs_.data();
}

FstFile::~FstFile() = default;

void FstFile::read_vector(const MappedBytes& file, std::uint64_t offset) {
  // Each state has at least its weight and its count.
  constexpr std::uint64_t kStateBytes = sizeof(float) + sizeof(std::int64_t);
  if (static_cast<std::uint64_t>(num_states_) > (file.size() - offset) / kStateBytes) {
    throw FormatError(path_, "header, states", fmt::format("{} states in {} bytes", num_states_, file.size()),
                      "a file of that many states (is it truncated?)");
  }
  own_states_.resize(static_cast<std::size_t>(num_states_));
  // Read in two passes, and let go of what has been read: a large graph is never in memory twice.
  constexpr std::uint64_t kReleaseEvery = 64u << 20;
  std::uint64_t released = 0;
  const auto release = [&](std::uint64_t read) {
    if (read - released < kReleaseEvery) return;
    file.release_before(read);
    released = read;
  };
  std::uint64_t counting = offset;
  for (FstState& state : own_states_) {
    state.final_weight = file.read<float>(counting, "states");
    const auto arcs = file.read<std::int64_t>(counting, "states");
    const std::uint64_t room = (file.size() - counting) / sizeof(FstArc);
    if (arcs < 0 || static_cast<std::uint64_t>(arcs) > room) {
      throw FormatError(path_, fmt::format("state {}", &state - own_states_.data()),
                        fmt::format("{} arcs with room for {} in the rest of the file", arcs, room),
                        "as many arcs as the file holds (is it truncated?)");
    }
    state.first_arc = static_cast<std::uint32_t>(num_arcs_);
    state.arcs = static_cast<std::uint32_t>(arcs);
    num_arcs_ += static_cast<std::uint64_t>(arcs);
    if (num_arcs_ > std::numeric_limits<std::uint32_t>::max()) {
      throw FormatError(path_, "arcs", "more than 4294967295 arcs", "fewer");
    }
    counting += static_cast<std::uint64_t>(arcs) * sizeof(FstArc);
    release(counting);
  }
  released = 0;

  own_arcs_.resize(num_arcs_);
  for (FstState& state : own_states_) {
    offset += kStateBytes;
    const std::uint64_t bytes = state.arcs * sizeof(FstArc);
    FstArc* arcs = own_arcs_.data() + state.first_arc;
    if (bytes > 0) std::memcpy(arcs, file.range(offset, bytes, "arcs"), bytes);
    offset += bytes;
    release(offset);
    state.input_epsilons = 0;
    state.output_epsilons = 0;
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      state.input_epsilons += arcs[i].input == 0 ? 1 : 0;
      state.output_epsilons += arcs[i].output == 0 ? 1 : 0;
    }
  }
  states_ = own_states_.data();
  arcs_ = own_arcs_.data();
}

void FstFile::throw_bad_arcs() const { throw FormatError(path_, "states", "a state's arcs lie outside the graph"); }

void FstFile::throw_bad_target(const FstArc& arc) const {
  throw FormatError(path_, "arcs", fmt::format("an arc to state {}", arc.next),
                    fmt::format("0 to {}", num_states_ - 1));
}

void FstFile::check(const FstLimits& limits) const {
  check_arcs(limits);
  check_epsilon_cycles();
}

void FstFile::check_arcs(const FstLimits& limits) const {
  const auto bad_weight = [](float w) { return std::isnan(w) || w == -std::numeric_limits<float>::infinity(); };
  for (std::int32_t s = 0; s < num_states_; ++s) {
    const FstState& from = state(s);
    const auto where = [&](std::uint32_t i) { return fmt::format("state {}, arc {}", s, i); };
    if (bad_weight(from.final_weight)) {
      throw FormatError(path_, fmt::format("state {}", s), fmt::format("final weight {}", from.final_weight),
                        "a number, or infinity for a state that is not final");
    }
    const FstArc* first = arcs(from);
    std::uint32_t input_epsilons = 0;
    for (std::uint32_t i = 0; i < from.arcs; ++i) {
      const FstArc& arc = first[i];
      next(arc);
      if (arc.input < 0 || arc.input > limits.max_input) {
        throw FormatError(path_, where(i), fmt::format("input label {}", arc.input),
                          fmt::format("0 to {} (epsilon and the classes)", limits.max_input));
      }
      if (arc.output < 0 || arc.output > limits.max_output) {
        throw FormatError(path_, where(i), fmt::format("output label {}", arc.output),
                          fmt::format("0 to {} (the words)", limits.max_output));
      }
      if (bad_weight(arc.weight)) throw FormatError(path_, where(i), fmt::format("weight {}", arc.weight), "a number");
      input_epsilons += arc.input == 0 ? 1 : 0;
    }
    if (input_epsilons != from.input_epsilons) {
      throw FormatError(path_, fmt::format("state {}", s),
                        fmt::format("{} input epsilons claimed", from.input_epsilons),
                        fmt::format("{}, as its arcs have", input_epsilons));
    }
  }
}

void FstFile::check_epsilon_cycles() const {
  enum : std::uint8_t { kNew, kOpen, kDone };
  std::vector<std::uint8_t> mark(static_cast<std::size_t>(num_states_), kNew);
  struct Visit {
    std::int32_t state;
    std::uint32_t arc;
  };
  std::vector<Visit> path;
  for (std::int32_t root = 0; root < num_states_; ++root) {
    if (mark[root] != kNew || state(root).input_epsilons == 0) continue;
    mark[root] = kOpen;
    path.push_back({root, 0});
    while (!path.empty()) {
      Visit& visit = path.back();
      const FstState& from = state(visit.state);
      if (visit.arc == from.arcs) {
        mark[visit.state] = kDone;
        path.pop_back();
        continue;
      }
      const FstArc& arc = arcs_[from.first_arc + visit.arc++];
      if (arc.input != 0) continue;
      if (mark[arc.next] == kOpen) {
        throw FormatError(path_, fmt::format("state {}", arc.next), "the graph loops through it in input epsilons",
                          "a graph without epsilon loops");
      }
      if (mark[arc.next] == kNew) {
        mark[arc.next] = state(arc.next).input_epsilons == 0 ? kDone : kOpen;
        if (mark[arc.next] == kOpen) path.push_back({arc.next, 0});
      }
    }
  }
}

}  // namespace brainquant
