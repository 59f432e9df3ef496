#include "model/trial_reader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "support/start_thread.h"

namespace brainquant {

struct TrialReader::Impl {
  Impl(Dataset& source, std::vector<std::size_t> trials, std::size_t capacity)
      : dataset(source), order(std::move(trials)), capacity_bytes(capacity) {
    thread = start_thread("reading trials", [this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
  }

  void run() {
    try {
      for (const std::size_t index : order) {
        // Room is made before reading, so that a trial being read counts as well.
        const std::size_t bytes = bytes_of(index);
        if (!wait_for_room(bytes)) return;
        Trial trial = dataset.read(index);
        const std::lock_guard lock(mutex);
        queue.push_back({std::move(trial), bytes});
        changed.notify_all();
      }
      finish(nullptr);
    } catch (...) {
      finish(std::current_exception());
    }
  }

  std::size_t bytes_of(std::size_t index) {
    return static_cast<std::size_t>(dataset.bins(index) * dataset.features_per_bin()) * sizeof(float);
  }

  // False when the reader is being destroyed.
  bool wait_for_room(std::size_t bytes) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stopping || held_bytes == 0 || held_bytes + bytes <= capacity_bytes; });
    held_bytes += bytes;
    most_held_bytes = std::max(most_held_bytes, held_bytes);
    return !stopping;
  }

  void finish(std::exception_ptr problem) {
    const std::lock_guard lock(mutex);
    failure = problem;
    finished = true;
    changed.notify_all();
  }

  std::optional<Trial> next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return finished || !queue.empty(); });
    if (queue.empty()) {
      if (failure) std::rethrow_exception(failure);
      return std::nullopt;
    }
    Item item = std::move(queue.front());
    queue.pop_front();
    held_bytes -= item.bytes;
    changed.notify_all();
    return std::move(item.trial);
  }

  struct Item {
    Trial trial;
    std::size_t bytes;
  };

  Dataset& dataset;
  const std::vector<std::size_t> order;
  const std::size_t capacity_bytes;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Item> queue;
  std::size_t held_bytes = 0;  // of the queue and of the trial being read
  std::size_t most_held_bytes = 0;
  bool stopping = false;
  bool finished = false;
  std::exception_ptr failure;
  std::jthread thread;  // last: it uses the others
};

TrialReader::TrialReader(Dataset& dataset, std::vector<std::size_t> order, std::size_t capacity_bytes)
    : impl_(std::make_unique<Impl>(dataset, std::move(order), capacity_bytes)) {}

TrialReader::~TrialReader() = default;

std::optional<Trial> TrialReader::next() { return impl_->next(); }

std::size_t TrialReader::most_bytes_held() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->most_held_bytes;
}

}  // namespace brainquant
