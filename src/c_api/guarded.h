// What every function of the C libraries has around it: no exception leaves it, and bq_last_error() tells what was
// thrown.
#pragma once

#include <fmt/format.h>

#include <new>
#include <stdexcept>
#include <string>

#include "brainquant/c_api.h"
#include "brainquant/support/error.h"
#include "support/utf8.h"

namespace brainquant::c_api {

/// Of this thread: what bq_last_error() gives.
std::string& last_error() noexcept;

/// BQ_ERROR_ARGUMENT.
struct ArgumentError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline int failed(int status, const char* what) noexcept {
  try {
    last_error() = valid_utf8(what);
  } catch (...) {
    last_error().clear();
  }
  return status;
}

/// Runs `work` and turns what it throws into a status.
template <typename Work>
auto guarded(Work work) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (const ArgumentError& error) {
    return failed(BQ_ERROR_ARGUMENT, error.what());
  } catch (const UsageError& error) {
    return failed(BQ_ERROR_USAGE, error.what());
  } catch (const FileError& error) {
    return failed(BQ_ERROR_FILE, error.what());
  } catch (const FormatError& error) {
    return failed(BQ_ERROR_FORMAT, error.what());
  } catch (const Error& error) {
    return failed(BQ_ERROR_WORK, error.what());
  } catch (const std::bad_alloc&) {
    return failed(BQ_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return failed(BQ_ERROR_INTERNAL, error.what());
  } catch (...) {
    return failed(BQ_ERROR_INTERNAL, "unknown failure");
  }
}

inline void require(const void* pointer, const char* name) {
  if (pointer == nullptr) throw ArgumentError(fmt::format("{} is NULL", name));
}

}  // namespace brainquant::c_api
