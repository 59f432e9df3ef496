# For the build and for the installed package: where LibTorch is and what to link.

# brainquant_find_libtorch_folder(FALLBACKS...): sets Torch_DIR, unless the user did, to a folder of CMAKE_PREFIX_PATH or else
# of the fallbacks, which are LibTorch folders or torch packages of Python's.
macro(brainquant_find_libtorch_folder)
  if(NOT Torch_DIR)
    foreach(_brainquant_paths "${CMAKE_PREFIX_PATH}" "${ARGN}")
      find_path(BRAINQUANT_TORCH_CMAKE_DIR TorchConfig.cmake PATH_SUFFIXES share/cmake/Torch NO_DEFAULT_PATH
                PATHS ${_brainquant_paths})
    endforeach()
    if(BRAINQUANT_TORCH_CMAKE_DIR)
      set(Torch_DIR "${BRAINQUANT_TORCH_CMAKE_DIR}")
    endif()
  endif()
endmacro()

# Sets `result` to whether find_package(Torch) can be called. A CUDA build's package ends the configuration where its toolkit
# is missing, which no caller can catch, so a CMake of its own tries it first.
function(brainquant_torch_package_works result)
  set(${result} TRUE PARENT_SCOPE)
  file(GLOB devices "${Torch_DIR}/../../../lib/libtorch_cuda*" "${Torch_DIR}/../../../lib/libtorch_hip*"
    "${Torch_DIR}/../../../lib/libtorch_xpu*")
  if(NOT Torch_DIR OR NOT devices)
    return()
  endif()
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/brainquant_torch")
  file(REMOVE_RECURSE "${folder}")
  file(WRITE "${folder}/CMakeLists.txt"
    "cmake_minimum_required(VERSION 3.25)\nproject(torch_check LANGUAGES C CXX)\nfind_package(Torch REQUIRED)\n")
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${folder}" -B "${folder}/build" -G "${CMAKE_GENERATOR}"
      "-DTorch_DIR=${Torch_DIR}" "-DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}" "-DCMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH}"
    RESULT_VARIABLE code OUTPUT_FILE "${folder}/log" ERROR_FILE "${folder}/log")
  if(NOT code EQUAL 0)
    message(STATUS "LibTorch is built for a GPU, and CMake cannot use its package here (${folder}/log): "
                   "its CPU part is linked alone")
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

# After brainquant_find_libtorch_folder. BRAINQUANT_LIBTORCH_DIRECT: ON links LibTorch's CPU libraries, which need no package
# and know no GPU; OFF takes LibTorch's own package; AUTO takes the package where it works.
# Sets BRAINQUANT_TORCH_FOUND, _VERSION, _INCLUDE_DIRS and _LIBRARIES.
macro(brainquant_find_libtorch)
  set(BRAINQUANT_TORCH_FOUND FALSE)
  set(_brainquant_package TRUE)
  if(Torch_FOUND)  # by the caller
  elseif(BRAINQUANT_LIBTORCH_DIRECT STREQUAL "AUTO")
    brainquant_torch_package_works(_brainquant_package)
  elseif(BRAINQUANT_LIBTORCH_DIRECT)
    set(_brainquant_package FALSE)
  endif()
  if(_brainquant_package)
    find_package(Torch QUIET)
    if(Torch_FOUND)
      set(BRAINQUANT_TORCH_FOUND TRUE)
      set(BRAINQUANT_TORCH_VERSION "${Torch_VERSION}")
      set(BRAINQUANT_TORCH_INCLUDE_DIRS ${TORCH_INCLUDE_DIRS})
      set(BRAINQUANT_TORCH_LIBRARIES ${TORCH_LIBRARIES})
    endif()
  elseif(Torch_DIR)
    get_filename_component(_brainquant_torch "${Torch_DIR}/../../.." ABSOLUTE)
    # torch_cpu of a GPU build names libraries that only the loader finds, by its run path.
    set(BRAINQUANT_TORCH_LIBRARIES
      "${_brainquant_torch}/lib/libtorch_cpu.so" "${_brainquant_torch}/lib/libc10.so" "-Wl$<COMMA>--allow-shlib-undefined")
    set(BRAINQUANT_TORCH_INCLUDE_DIRS "${_brainquant_torch}/include" "${_brainquant_torch}/include/torch/csrc/api/include")
    set(BRAINQUANT_TORCH_VERSION "")
    foreach(_brainquant_header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)  # since 2.9, before
      if(EXISTS "${_brainquant_torch}/include/${_brainquant_header}" AND BRAINQUANT_TORCH_VERSION STREQUAL "")
        file(STRINGS "${_brainquant_torch}/include/${_brainquant_header}" _brainquant_lines
          REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
        list(TRANSFORM _brainquant_lines REPLACE ".* " "")
        list(JOIN _brainquant_lines "." BRAINQUANT_TORCH_VERSION)
      endif()
    endforeach()
    if(EXISTS "${_brainquant_torch}/lib/libtorch_cpu.so" AND EXISTS "${_brainquant_torch}/lib/libc10.so")
      set(BRAINQUANT_TORCH_FOUND TRUE)
    endif()
  endif()
endmacro()
