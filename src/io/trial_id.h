// Which trial something is of.
#pragma once

#include <string>

namespace brainquant {

struct TrialId {
  std::string session;  // "t15.2023.08.11"
  std::string name;     // group name, "trial_0000"

  /// "t15.2023.08.11/trial_0000"
  std::string label() const { return session + "/" + name; }
};

}  // namespace brainquant
