// Names in a quantized file.
#pragma once

#include "brainquant/support/error.h"
#include "io/pickle.h"

namespace brainquant {

/// A name that one of the parse_* functions takes; a wrong one is the file's fault, not the user's.
template <typename Parse>
auto parsed(const PickleField& field, Parse parse) {
  try {
    return parse(field.as_string());
  } catch (const UsageError& error) {
    field.fail(error.what());
  }
}

}  // namespace brainquant
