# Finds LibTorch: the torch wheel of the project's virtual environment (scripts/setup.sh), or any LibTorch on
# CMAKE_PREFIX_PATH, which is looked at first. Gives the target brainquant_libtorch for the few files that include
# LibTorch's headers.
include(brainquantFindLibTorch)

set(BRAINQUANT_LIBTORCH_DIRECT AUTO CACHE STRING
  "Link LibTorch's CPU libraries without its CMake package: ON, OFF, or AUTO, which is ON where the package does not work")
set_property(CACHE BRAINQUANT_LIBTORCH_DIRECT PROPERTY STRINGS AUTO ON OFF)

file(GLOB _wheels "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
brainquant_find_libtorch_folder(${_wheels})
brainquant_find_libtorch()
if(NOT BRAINQUANT_TORCH_FOUND)
  message(FATAL_ERROR "LibTorch was not found. Run scripts/setup.sh, which puts it into .venv, or name its folder: "
                      "cmake --preset release -DCMAKE_PREFIX_PATH=/path/to/libtorch")
endif()
file(STRINGS "${Torch_DIR}/TorchConfig.cmake" _old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
if(_old_abi)
  message(FATAL_ERROR "LibTorch in ${Torch_DIR} was built with the C++ library's ABI from before C++11, which the other "
                      "libraries here do not have. Take a LibTorch of the 'cxx11 ABI'; since 2.7 there is no other.")
endif()
get_filename_component(BRAINQUANT_TORCH_PREFIX "${Torch_DIR}/../../.." ABSOLUTE)
message(STATUS "LibTorch ${BRAINQUANT_TORCH_VERSION}: ${Torch_DIR}")

# The torch wheel's include folder holds fmt 12, which must not shadow the fmt that spdlog was built with. So the imported
# targets lose their include folders, and the files that need LibTorch search these folders last.
set(BRAINQUANT_TORCH_IMPORTED torch torch_library torch_cpu torch_cpu_library c10 c10_library caffe2::mkl headeronly
    torch_cuda torch_cuda_library c10_cuda)
foreach(_target IN LISTS BRAINQUANT_TORCH_IMPORTED)
  if(TARGET ${_target})
    set_target_properties(${_target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "" INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "")
  endif()
endforeach()

add_library(brainquant_libtorch INTERFACE)
target_link_libraries(brainquant_libtorch INTERFACE ${BRAINQUANT_TORCH_LIBRARIES})
foreach(_dir IN LISTS BRAINQUANT_TORCH_INCLUDE_DIRS)
  target_compile_options(brainquant_libtorch INTERFACE "SHELL:-idirafter ${_dir}")
endforeach()
