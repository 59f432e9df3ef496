// A difference of error rates in JSON.
#pragma once

#include "brainquant/scoring/bootstrap.h"
#include "evaluation/json_fields.h"

namespace brainquant {

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, Interval>& interval) {
  fields("low", interval.low);
  fields("high", interval.high);
}

template <typename Fields>
void list_fields(Fields& fields, OfStruct<Fields, RateDifference>& difference) {
  fields("points", difference.difference);
  fields("low", difference.low);
  fields("high", difference.high);
  fields.added_later("over_sessions", difference.over_sessions);
  fields.added_later("better_probability", difference.better_probability);
}

}  // namespace brainquant
