// What two stages of the pipeline hand each other: a queue that makes a fast producer wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace brainquant {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  /// Waits for room. False once the queue is stopped: nobody will take the item.
  bool push(T item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || items_.size() < capacity_; });
    if (stopped_) return false;
    items_.push_back(std::move(item));
    changed_.notify_all();
    return true;
  }

  /// Waits until nothing is left in the queue. False once it is stopped.
  bool wait_until_empty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || items_.empty(); });
    return !stopped_;
  }

  /// The next item; nothing after the last one. Rethrows what the producer failed with, after all that it had pushed.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || finished_ || !items_.empty(); });
    if (stopped_) return {};
    if (items_.empty()) {
      if (failure_) std::rethrow_exception(failure_);
      return {};
    }
    T item = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return item;
  }

  /// The producer's last word: no more items, because of `failure` if there is one.
  void finish(std::exception_ptr failure = {}) {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    failure_ = std::move(failure);
    changed_.notify_all();
  }

  /// The consumer's last word: it takes nothing more.
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
  std::exception_ptr failure_;
  bool finished_ = false;
  bool stopped_ = false;
};

}  // namespace brainquant
