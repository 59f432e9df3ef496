#include "io/hdf5.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "io/hdf5_call.h"

namespace brainquant {

namespace fs = std::filesystem;
using hdf5::call;
using hdf5::checked;

namespace {

constexpr std::size_t kMostNames = 1'000'000;
constexpr std::size_t kLongestString = 64 << 10;     // bytes
constexpr hsize_t kLargestChunk = hsize_t{1} << 30;  // bytes that libhdf5 allocates for one chunk
constexpr int kHighestRank = H5S_MAX_RANK;

// Opening follows hard links only: others can lead to any file of the system.
void require_link(const H5::Group& group, const std::string& path, const std::string& where, const std::string& name) {
  H5L_info_t info{};
  if (name.empty() || checked(H5Lexists(group.getId(), name.c_str(), H5P_DEFAULT), "H5Lexists") == 0) {
    throw FormatError(path, where, "missing");
  }
  checked(H5Lget_info(group.getId(), name.c_str(), &info, H5P_DEFAULT), "H5Lget_info");
  if (info.type != H5L_TYPE_HARD) throw FormatError(path, where, "a link to somewhere else, which is not followed");
}

std::vector<hsize_t> dimensions(const H5::DataSpace& space) {
  if (!space.isSimple() || space.getSimpleExtentType() == H5S_NULL) throw H5::Exception("dimensions", "no data");
  const int rank = space.getSimpleExtentNdims();
  if (rank < 0 || rank > kHighestRank) throw H5::Exception("dimensions", "a bad number of dimensions");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  if (rank > 0) space.getSimpleExtentDims(sizes.data());
  return sizes;
}

std::string shape_text(const std::vector<hsize_t>& sizes) { return fmt::format("[{}]", fmt::join(sizes, ", ")); }

void require_sound_number(const H5::DataType& type, const std::string& path, const std::string& where) {
  if (hdf5::is_sound_number(type)) return;
  throw FormatError(path, where, fmt::format("a damaged type of {} bytes", H5Tget_size(type.getId())),
                    "one whose bits lie within its bytes, at most 8 of an integer and 16 of a float");
}

// The number of values, or more than `most` where that would be exceeded.
std::size_t capped_count(const std::vector<hsize_t>& sizes, std::size_t most) {
  if (std::find(sizes.begin(), sizes.end(), 0U) != sizes.end()) return 0;
  hsize_t count = 1;
  for (const hsize_t size : sizes) {
    if (size > most / count) return most + 1;
    count *= size;
  }
  return count;
}

// Whether the file holds every value, as far as that can be told without reading: nothing is allocated on the word of a
// header. Returns what is wrong, or nothing.
std::string storage_problem(const H5::H5File& file, const H5::DataSet& data, const std::vector<hsize_t>& sizes,
                            hsize_t bytes) {
  const H5::DSetCreatPropList layout = data.getCreatePlist();
  if (layout.getExternalCount() > 0) return "its values lie in another file, which is not read";
  const hsize_t stored = bytes > 0 ? data.getStorageSize() : 0;
  switch (layout.getLayout()) {
    case H5D_COMPACT:
      return stored < bytes ? "the file does not hold all of its values" : "";
    case H5D_CONTIGUOUS:
      if (stored < bytes) return "the file does not hold all of its values";
      if (bytes > 0 && (data.getOffset() > file.getFileSize() || bytes > file.getFileSize() - data.getOffset())) {
        return "its values reach past the end of the file";
      }
      return "";
    case H5D_CHUNKED: {
      std::vector<hsize_t> chunk(sizes.size());
      if (layout.getChunk(static_cast<int>(chunk.size()), chunk.data()) != static_cast<int>(chunk.size())) {
        return "its chunks have another number of dimensions";
      }
      const std::size_t values = capped_count(chunk, kLargestChunk);
      if (values == 0 || values > kLargestChunk / data.getDataType().getSize()) return "its chunks are too large";
      hsize_t chunks = 1;
      for (std::size_t i = 0; i < sizes.size(); ++i) chunks *= (sizes[i] + chunk[i] - 1) / chunk[i];
      hsize_t chunks_stored = 0;
      checked(H5Dget_num_chunks(data.getId(), data.getSpace().getId(), &chunks_stored), "H5Dget_num_chunks");
      return chunks_stored < chunks ? "the file does not hold all of its values" : "";
    }
    default:
      return "its values lie in another file, which is not read";  // a virtual data set
  }
}

template <class Value>
std::vector<Value> read_values(const H5::H5File& file, const H5::DataSet& data, const std::string& path,
                               const std::string& where, std::size_t max_values) {
  constexpr bool integers = std::is_same_v<Value, std::int64_t>;
  const H5T_class_t kind = data.getTypeClass();
  const bool usable = kind == H5T_INTEGER || (!integers && kind == H5T_FLOAT);
  if (!usable) throw FormatError(path, where, "values of another type", integers ? "integers" : "floats or integers");
  require_sound_number(data.getDataType(), path, where);
  const std::size_t element = data.getDataType().getSize();
  const std::vector<hsize_t> sizes = dimensions(data.getSpace());
  const std::size_t count = capped_count(sizes, max_values);
  if (count > max_values) {
    throw FormatError(path, where, fmt::format("shape {}", shape_text(sizes)),
                      fmt::format("at most {} values", max_values));
  }
  const std::string problem = storage_problem(file, data, sizes, count * element);
  if (!problem.empty()) throw FormatError(path, where, problem);
  std::vector<Value> values(count);
  if (count > 0) {
    data.read(values.data(), integers ? H5::PredType::NATIVE_INT64 : H5::PredType::NATIVE_FLOAT);
  }
  return values;
}

std::string fixed_string(const H5::Attribute& attribute, const H5::StrType& type) {
  std::string text(type.getSize(), '\0');
  attribute.read(type, text.data());
  text.resize(std::min(text.find('\0'), text.size()));
  if (type.getStrpad() == H5T_STR_SPACEPAD) text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

std::string variable_string(const H5::Attribute& attribute, const H5::StrType& type) {
  char* text = nullptr;
  attribute.read(type, &text);
  if (text == nullptr) return "";
  const std::unique_ptr<char, herr_t (*)(void*)> owner(text, [](void* p) { return H5free_memory(p); });
  return std::string(text, std::find(text, text + kLongestString + 1, '\0'));
}

}  // namespace

struct Hdf5File::Impl {
  fs::path path;
  H5::H5File file;
};

struct Hdf5Group::Impl {
  std::string path;
  std::string name;
  H5::H5File file;
  H5::Group group;

  std::string where(const std::string& object) const { return name == "/" ? name + object : name + "/" + object; }

  H5::DataSet open(const std::string& dataset) const {
    require_link(group, path, where(dataset), dataset);
    return group.openDataSet(dataset);
  }

  H5::Attribute open_attribute(const std::string& attribute) const {
    if (!group.attrExists(attribute)) throw FormatError(path, where(attribute), "missing attribute");
    H5::Attribute opened = group.openAttribute(attribute);
    const std::vector<hsize_t> sizes = dimensions(opened.getSpace());
    if (capped_count(sizes, 1) != 1) {
      throw FormatError(path, where(attribute), fmt::format("an attribute of shape {}", shape_text(sizes)),
                        "one value");
    }
    return opened;
  }
};

Hdf5Group::Hdf5Group(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hdf5Group::Hdf5Group(Hdf5Group&&) noexcept = default;
Hdf5Group& Hdf5Group::operator=(Hdf5Group&& other) noexcept {
  hdf5::destroy(impl_);
  impl_ = std::move(other.impl_);
  return *this;
}
Hdf5Group::~Hdf5Group() { hdf5::destroy(impl_); }

std::vector<std::string> Hdf5Group::names() const {
  return call(impl_->path, impl_->name, [&] {
    std::vector<std::string> names;
    const auto add = [](hid_t /*group*/, const char* name, const H5L_info_t* /*info*/, void* list) -> herr_t {
      auto& all = *static_cast<std::vector<std::string>*>(list);
      if (all.size() >= kMostNames) return -1;
      all.emplace_back(name);
      return 0;
    };
    checked(H5Literate(impl_->group.getId(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &names), "H5Literate");
    std::sort(names.begin(), names.end());
    return names;
  });
}

bool Hdf5Group::has_dataset(const std::string& dataset) const {
  return call(impl_->path, impl_->where(dataset),
              [&] { return checked(H5Lexists(impl_->group.getId(), dataset.c_str(), H5P_DEFAULT), "H5Lexists") > 0; });
}

std::vector<std::int64_t> Hdf5Group::shape(const std::string& dataset) const {
  return call(impl_->path, impl_->where(dataset), [&] {
    const std::vector<hsize_t> sizes = dimensions(impl_->open(dataset).getSpace());
    for (const hsize_t size : sizes) {
      if (!std::in_range<std::int64_t>(size)) {
        throw FormatError(impl_->path, impl_->where(dataset), fmt::format("shape {} is too large", shape_text(sizes)));
      }
    }
    return std::vector<std::int64_t>(sizes.begin(), sizes.end());
  });
}

std::vector<float> Hdf5Group::floats(const std::string& dataset, std::size_t max_values) const {
  return call(impl_->path, impl_->where(dataset), [&] {
    return read_values<float>(impl_->file, impl_->open(dataset), impl_->path, impl_->where(dataset), max_values);
  });
}

std::vector<std::int64_t> Hdf5Group::integers(const std::string& dataset, std::size_t max_values) const {
  return call(impl_->path, impl_->where(dataset), [&] {
    return read_values<std::int64_t>(impl_->file, impl_->open(dataset), impl_->path, impl_->where(dataset), max_values);
  });
}

std::int64_t Hdf5Group::integer_attribute(const std::string& attribute) const {
  return call(impl_->path, impl_->where(attribute), [&] {
    const H5::Attribute opened = impl_->open_attribute(attribute);
    if (opened.getTypeClass() != H5T_INTEGER) {
      throw FormatError(impl_->path, impl_->where(attribute), "an attribute of another type", "an integer");
    }
    require_sound_number(opened.getDataType(), impl_->path, impl_->where(attribute));
    std::int64_t value = 0;
    opened.read(H5::PredType::NATIVE_INT64, &value);
    return value;
  });
}

std::string Hdf5Group::string_attribute(const std::string& attribute) const {
  return call(impl_->path, impl_->where(attribute), [&] {
    const H5::Attribute opened = impl_->open_attribute(attribute);
    if (opened.getTypeClass() != H5T_STRING) {
      throw FormatError(impl_->path, impl_->where(attribute), "an attribute of another type", "a string");
    }
    const H5::StrType type = opened.getStrType();
    const bool variable = type.isVariableStr();
    std::string text;
    if (variable || type.getSize() <= kLongestString) {
      text = variable ? variable_string(opened, type) : fixed_string(opened, type);
    }
    if (text.size() > kLongestString || (!variable && type.getSize() > kLongestString)) {
      throw FormatError(impl_->path, impl_->where(attribute), "a longer string",
                        fmt::format("at most {} bytes", kLongestString));
    }
    return text;
  });
}

Hdf5File::Hdf5File(fs::path path) {
  hdf5::require_regular_file(path);
  impl_ = call(path.string(), "", [&] {
    H5::FileAccPropList access;
    // File systems without locks (some network ones) are read all the same.
    checked(H5Pset_file_locking(access.getId(), true, true), "H5Pset_file_locking");
    return std::make_unique<Impl>(
        Impl{path, H5::H5File(path.string(), H5F_ACC_RDONLY, H5::FileCreatPropList::DEFAULT, access)});
  });
}

Hdf5File::~Hdf5File() { hdf5::destroy(impl_); }

const fs::path& Hdf5File::path() const { return impl_->path; }

Hdf5Group Hdf5File::group(const std::string& name) const {
  return call(impl_->path.string(), name, [&] {
    if (name != "/") require_link(impl_->file.openGroup("/"), impl_->path.string(), name, name);
    return Hdf5Group(std::make_unique<Hdf5Group::Impl>(
        Hdf5Group::Impl{impl_->path.string(), name, impl_->file, impl_->file.openGroup(name)}));
  });
}

std::string hdf5_version() {
  const hdf5::Lock lock;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  hdf5::checked(::H5get_libversion(&major, &minor, &release), "H5get_libversion");
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace brainquant
