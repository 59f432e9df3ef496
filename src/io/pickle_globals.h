// The allow-list: what a pickle may call, and what comes of it. Nothing here imports, looks up or runs anything.
#pragma once

#include <optional>
#include <string>

#include "io/pickle.h"

namespace brainquant {

/// The problem with a call's arguments, without its place.
struct PickleProblem {
  std::string text;
};

/// "__builtin__.set" and "numpy._core.multiarray.scalar" under their one name here ("builtins.set",
/// "numpy.core.multiarray.scalar").
std::string canonical_global(const std::string& module, const std::string& name);

/// The element type of "torch.FloatStorage" and its like.
std::optional<TensorType> storage_type_of(const std::string& global);

/// Calls `global` with `arguments`. What it returns may share the arguments' parts. Bytes and items that it copies are
/// taken off `budget`, so that a small pickle can't ask for much memory. Throws PickleProblem if the global is not on
/// the list, the arguments don't fit it or the budget is spent.
PickleValue call_global(const std::string& global, const PickleValue::Items& arguments, std::size_t& budget);

/// `object` after Python's BUILD with `state`. Throws PickleProblem.
PickleValue build_object(const PickleValue& object, const PickleValue& state);

}  // namespace brainquant
