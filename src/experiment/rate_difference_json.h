// A difference of error rates in JSON.
#pragma once

#include "brainquant/scoring/bootstrap.h"
#include "evaluation/json_fields.h"

namespace brainquant {

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, RateDifference>& difference) {
  fields("points", difference.difference);
  fields("low", difference.low);
  fields("high", difference.high);
}

}  // namespace brainquant
