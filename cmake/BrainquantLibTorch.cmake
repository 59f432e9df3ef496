# Finds LibTorch: the torch wheel of the project's virtual environment (scripts/setup.sh), or any LibTorch on
# CMAKE_PREFIX_PATH, which is looked at first. Gives the target brainquant_libtorch for the few files that include
# LibTorch's headers.

if(NOT Torch_DIR)
  find_path(BRAINQUANT_TORCH_CMAKE_DIR TorchConfig.cmake PATH_SUFFIXES share/cmake/Torch NO_DEFAULT_PATH
            PATHS ${CMAKE_PREFIX_PATH})
  if(NOT BRAINQUANT_TORCH_CMAKE_DIR)
    file(GLOB _wheel_dirs "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
    find_path(BRAINQUANT_TORCH_CMAKE_DIR TorchConfig.cmake PATH_SUFFIXES share/cmake/Torch NO_DEFAULT_PATH
              PATHS ${_wheel_dirs})
  endif()
  if(BRAINQUANT_TORCH_CMAKE_DIR)
    set(Torch_DIR "${BRAINQUANT_TORCH_CMAKE_DIR}")
  endif()
endif()
find_package(Torch QUIET)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch was not found. Run scripts/setup.sh, which puts it into .venv, or name its folder: "
                      "cmake --preset release -DCMAKE_PREFIX_PATH=/path/to/libtorch")
endif()
message(STATUS "LibTorch ${Torch_VERSION}: ${Torch_DIR}")

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
target_link_libraries(brainquant_libtorch INTERFACE ${TORCH_LIBRARIES})
foreach(_dir IN LISTS TORCH_INCLUDE_DIRS)
  target_compile_options(brainquant_libtorch INTERFACE "SHELL:-idirafter ${_dir}")
endforeach()
