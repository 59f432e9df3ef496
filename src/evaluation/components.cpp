#include "brainquant/components.h"

#include "io/hdf5.h"
#include "runtime/kernels/kernel_table.h"
#include "torch/libtorch_environment.h"

namespace brainquant {

std::vector<std::pair<std::string, std::string>> components() {
  return {{"LibTorch", libtorch_version()}, {"HDF5", hdf5_version()}, {"INT8 kernel", choose_kernel("").name}};
}

}  // namespace brainquant
