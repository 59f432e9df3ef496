// How this library calls HDF5: one at a time, silently, and with typed errors.
#pragma once

#include <H5Cpp.h>

#include <filesystem>
#include <mutex>
#include <new>
#include <string>

#include "brainquant/support/error.h"

namespace brainquant::hdf5 {

/// Held while HDF5 is called, and while its C++ objects are destroyed. May be taken again by the thread that holds it.
/// What libhdf5 refuses meanwhile is kept for refusal(); it never prints, not even when the process ends.
class Lock {
 public:
  Lock();
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> lock_;
};

void forget_refusal();

/// Throws std::bad_alloc when memory is about to run out: libhdf5 crashes when it does so inside.
void require_memory();

/// What libhdf5 said of the call that failed last in this thread since forget_refusal(), in one line.
std::string refusal(const H5::Exception& exception);

/// For calls of the C API, which return a negative number when they fail.
template <class Result>
Result checked(Result result, const char* function) {
  if (result < 0) throw H5::Exception(function, "failed");
  return result;
}

/// Runs `f` under the lock; what libhdf5 refuses becomes a FormatError that names file and object.
template <class F>
auto call(const std::string& path, const std::string& where, F&& f) {
  const Lock lock;
  forget_refusal();
  try {
    require_memory();
    return f();
  } catch (const H5::Exception& exception) {
    throw FormatError(path, where, refusal(exception));
  } catch (const std::bad_alloc&) {
    throw FormatError(path, where, "needs more memory than there is");
  }
}

/// Whether a number's type says nothing impossible: at most 8 bytes for an integer and 16 for a float, and its bits lie
/// within them. libhdf5 takes a damaged type's word and reads beyond the value. True for types that aren't numbers.
bool is_sound_number(const H5::DataType& type);

/// Throws FileError unless `path` is a file that can be opened for reading; libhdf5 does not tell such cases apart.
void require_regular_file(const std::filesystem::path& path);

/// Destroys an HDF5 object's holder under the lock.
template <class Pointer>
void destroy(Pointer& pointer) {
  const Lock lock;
  pointer.reset();
}

}  // namespace brainquant::hdf5
