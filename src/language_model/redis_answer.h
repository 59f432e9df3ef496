// What the language-model server's last answer to a trial says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"

namespace brainquant {

/// The candidates in the fields of an entry of remote_lm_output_final, as decoding/redis_language_model.h describes
/// them. Throws ServerError naming the field: missing, not tuples of five, a score that is no number, NaN or +infinity
/// (-infinity is the logarithm of a probability of 0), text that is not UTF-8.
std::vector<SentenceCandidate> candidates_of_answer(const std::map<std::string, std::string>& fields);

}  // namespace brainquant
