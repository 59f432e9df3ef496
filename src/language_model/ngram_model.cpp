#include "language_model/ngram_model.h"

#include <array>
#include <cstring>
#include <fstream>

#include "brainquant/support/error.h"
#include "language_model/arpa_model.h"
#include "language_model/grammar_fst.h"

namespace brainquant {

std::unique_ptr<const NgramModel> open_ngram_model(const std::filesystem::path& path, const WordTable& words) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError(path.string(), "can't be opened");
  std::array<char, 4> magic{};
  file.read(magic.data(), magic.size());
  std::int32_t number = 0;
  std::memcpy(&number, magic.data(), sizeof(number));
  if (number == kOpenFstMagic) return std::make_unique<const GrammarFst>(path, words);
  return std::make_unique<const ArpaModel>(path);
}

}  // namespace brainquant
