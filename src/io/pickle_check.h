// What a value made by a pickle must satisfy before anybody walks through it.
#pragma once

#include <unordered_set>

#include "io/pickle.h"

namespace brainquant {

/// Throws PickleProblem if containers hold themselves or lie deeper than 64 levels, or if a dict holds a key twice.
/// Returns the addresses of the Items and Entries of every container in `root`.
std::unordered_set<const void*> check_pickled_value(const PickleValue& root);

}  // namespace brainquant
