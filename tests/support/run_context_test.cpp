#include "brainquant/support/run_context.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

TEST(RunContext, IsSilentAndNeverCancelledByDefault) {
  const RunContext context;
  context.log.warning("nobody hears this");
  context.progress.update("stage", 1, 2);
  EXPECT_NO_THROW(context.cancel.check());
}

TEST(RunContext, HandsOnWhatItIsGiven) {
  class Recorder : public Log, public Progress {
   public:
    void info(const std::string& message) override { text += message; }
    void update(const std::string& stage, std::int64_t done, std::int64_t total) override {
      text += stage + std::to_string(done) + "/" + std::to_string(total);
    }
    std::string text;
  } recorder;
  CancelToken cancel;
  const RunContext context(recorder, recorder, cancel);
  context.log.info("message ");
  context.log.debug("dropped");
  context.progress.update("stage ", 1, 2);
  EXPECT_EQ(recorder.text, "message stage 1/2");
  EXPECT_NO_THROW(context.cancel.check());
  cancel.cancel();
  EXPECT_THROW(context.cancel.check(), Interrupted);
}

TEST(Errors, SayWhereWhatWasFoundAndExpected) {
  EXPECT_STREQ(FormatError("f", "", "is empty").what(), "f: is empty");
  EXPECT_STREQ(FormatError("f", "field", "is missing").what(), "f: field: is missing");
  EXPECT_STREQ(FormatError("f", "field", "1", "2").what(), "f: field: found 1, expected 2");
  EXPECT_STREQ(FileError("f", "cannot open").what(), "f: cannot open");
}

}  // namespace
}  // namespace brainquant
