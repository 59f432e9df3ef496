// What PickleValue's shared parts hold; seen only by the files that make values.
#pragma once

#include "io/pickle.h"

namespace brainquant {

struct PickleValue::Text {
  std::string text;
  bool is_bytes = false;
};

struct PickleValue::Sequence {
  Items items;
  bool is_tuple = false;
};

struct PickleValue::Mapping {
  Entries entries;
};

}  // namespace brainquant
