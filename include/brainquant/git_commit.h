#pragma once

namespace brainquant {

/// The commit that this library was built from: 40 hex digits, and "-dirty" after them if a tracked file differed from
/// it.
/// "" if it was not built from a clone of the project, or git could not say.
const char* git_commit();

}  // namespace brainquant
