// Zeroed arrays on cache-line boundaries; large ones on huge pages where the system has them, because the weights are
// read from end to end at every step and would otherwise miss the TLB at every page.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace brainquant {

template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::int64_t count) : count_(count) {
    constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;
    std::size_t bytes =
        static_cast<std::size_t>(count) * sizeof(T) + kLine;  // a line more: vectors may read past the end
    const std::size_t alignment = bytes >= kHugePage / 2 ? kHugePage : kLine;
    bytes = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (alignment == kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
    std::memset(memory, 0, bytes);
    data_.reset(static_cast<T*>(memory));
  }
  AlignedBuffer(AlignedBuffer&&) noexcept = default;
  AlignedBuffer& operator=(AlignedBuffer&&) noexcept = default;
  AlignedBuffer(const AlignedBuffer& other) : AlignedBuffer(other.count_) {
    if (count_ > 0) std::memcpy(data(), other.data(), static_cast<std::size_t>(count_) * sizeof(T));
  }
  AlignedBuffer& operator=(const AlignedBuffer& other) {
    if (this != &other) *this = AlignedBuffer(other);
    return *this;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](std::int64_t i) { return data_.get()[i]; }
  const T& operator[](std::int64_t i) const { return data_.get()[i]; }
  std::int64_t size() const { return count_; }
  /// Grows to at least `count`; what was in it is lost if it grows.
  void reserve(std::int64_t count) {
    if (count > count_) *this = AlignedBuffer(count);
  }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t count_ = 0;
};

}  // namespace brainquant
