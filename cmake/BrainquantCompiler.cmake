# Compiler settings that every target of this project shares.

option(BRAINQUANT_WERROR "Treat warnings as errors" OFF)
set(BRAINQUANT_SANITIZE "" CACHE STRING "Sanitizer to build with: address or undefined")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(brainquant_compiler INTERFACE)
# -ffp-contract=off: a multiplication and an addition stay two roundings wherever the code is compiled
# (docs/numerics.md); without it GCC fuses them in the files that may use FMA instructions.
target_compile_options(brainquant_compiler INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -ffp-contract=off
  # GCC 12 sees overlaps in std::string that are not there (its bug 105651)
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(BRAINQUANT_WERROR)
  target_compile_options(brainquant_compiler INTERFACE -Werror)
endif()
if(BRAINQUANT_SANITIZE)
  target_compile_options(brainquant_compiler INTERFACE
    -fsanitize=${BRAINQUANT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(brainquant_compiler INTERFACE -fsanitize=${BRAINQUANT_SANITIZE})
endif()
