# The packages of the runtime: `cpack` in a BRAINQUANT_RUNTIME_ONLY build makes the Debian package brainquant-runtime and a
# tarball that may be unpacked anywhere (scripts/package.sh). Both hold what BrainquantInstall.cmake installs, and what a rig
# without this source tree is used by: examples, documents and a manual page.
install(FILES README.md CHANGELOG.md packaging/copyright DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.md" PATTERN images EXCLUDE
  PATTERN schemas EXCLUDE)
install(DIRECTORY examples DESTINATION "${CMAKE_INSTALL_DOCDIR}")
# Compressed, as Debian wants manual pages; the fixed time keeps the file the same bytes from build to build.
configure_file(packaging/brainquant-runtime.7.in brainquant-runtime.7 @ONLY)
file(ARCHIVE_CREATE OUTPUT "${PROJECT_BINARY_DIR}/brainquant-runtime.7.gz" PATHS "${PROJECT_BINARY_DIR}/brainquant-runtime.7"
  FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9 MTIME "2000-01-01 00:00:00 UTC")
install(FILES "${PROJECT_BINARY_DIR}/brainquant-runtime.7.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man7")

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME brainquant-runtime)
set(CPACK_PACKAGE_VENDOR "brainquant developers")
set(CPACK_PACKAGE_CONTACT "brainquant developers" CACHE STRING "Who made the packages, as Name <address>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "INT8 runtime for brain-to-text decoders, with a C library")
set(CPACK_PACKAGE_DESCRIPTION "Decodes neural features into phonemes and words as they are recorded, from the quantized
files of brainquant: a C library, its header, a static library for C++, CMake package and examples.")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" CPACK_SYSTEM_NAME)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")  # functions are only added (c_api.h)
# The C library is complete without them: what find_package(brainquant_runtime) looks for, for the static library.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, g++, pkg-config, libfmt-dev, libssl-dev, libzip-dev, zlib1g-dev")
include(CPack)
