// Against the examples of FIPS 180-2 and the system's sha256sum.

#include "support/sha256.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "support/atomic_file.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

std::string sha256_of(const std::string& text) { return sha256_of_bytes(text.data(), text.size()); }

TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, TakesItsInputInPieces) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hash.hex(), sha256_of(std::string(1'000'000, 'a')));
}

TEST(Sha256, OfAFileAgreesWithSha256sum) {
  const ScratchFolder folder;
  std::mt19937 random(1);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20, (std::size_t{3} << 20) + 17}) {
    std::string content(size, '\0');
    for (char& c : content) c = static_cast<char>(random());
    write_file_atomically(folder / "file", content);
    char digest[65] = {};
    std::FILE* program = ::popen(("sha256sum '" + (folder / "file").string() + "'").c_str(), "r");
    ASSERT_NE(program, nullptr);
    ASSERT_EQ(std::fread(digest, 1, 64, program), 64U);
    ::pclose(program);
    EXPECT_EQ(sha256_of_file(folder / "file"), digest);
    EXPECT_EQ(sha256_of(content), digest);
  }
}

TEST(Sha256, NamesAFileThatCannotBeRead) {
  const ScratchFolder folder;
  testing::expect_contains(testing::message_of<FileError>([&] { sha256_of_file(folder / "absent"); }),
                           "absent: cannot open");
  testing::expect_contains(testing::message_of<FileError>([&] { sha256_of_file(folder.path()); }), "cannot read");
}

}  // namespace
}  // namespace brainquant
