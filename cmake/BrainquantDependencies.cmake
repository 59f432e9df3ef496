# Finds everything the library and its tests link to. scripts/setup.sh installs all of it on Debian 12.

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C CXX)

find_package(PkgConfig REQUIRED)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)

if(BRAINQUANT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(BRAINQUANT_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()

include(BrainquantLibTorch)
