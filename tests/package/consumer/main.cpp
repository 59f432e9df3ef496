// Calls into several layers, so that the whole library and what it depends on has to link.
#include <iostream>

#include "brainquant/decoding/error_rate.h"
#include "brainquant/model/checkpoint.h"
#include "brainquant/support/error.h"
#include "brainquant/support/sha256.h"
#include "brainquant/torch/libtorch_environment.h"

int main(int, char** arguments) {
  std::cout << brainquant::sha256_of_bytes("abc", 3) << '\n'
            << brainquant::normalize_sentence("It is   FIVE o'clock!") << '\n'
            << "LibTorch " << brainquant::libtorch_version() << '\n';
  try {
    brainquant::load_checkpoint(arguments[1]);
  } catch (const brainquant::FileError& error) {
    std::cout << "FileError: " << error.what() << '\n';
  }
}
