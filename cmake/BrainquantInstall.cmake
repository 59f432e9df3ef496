# `cmake --install`: the apps (apps/CMakeLists.txt), the static library with its headers, and the CMake package that find_package(brainquant)
# reads. The installed apps find LibTorch where it was at build time (their run path), so that installation must stay.
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/brainquant")

# Named, because CMake's own search for run paths leaves out folders inside the source tree, where .venv is.
set(_torch_libraries "${BRAINQUANT_TORCH_PREFIX}/lib")
foreach(_app quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment)
  set_target_properties(${_app} PROPERTIES INSTALL_RPATH "${_torch_libraries}" INSTALL_RPATH_USE_LINK_PATH ON)
endforeach()

install(TARGETS brainquant EXPORT brainquantTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET brainquant_c)
  set_target_properties(brainquant_c PROPERTIES INSTALL_RPATH "${_torch_libraries}" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS brainquant_c EXPORT brainquantTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/brainquant" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(EXPORT brainquantTargets NAMESPACE brainquant:: DESTINATION "${_package_dir}")

set(BRAINQUANT_HDF5_LIBRARIES ${HDF5_CXX_LIBRARIES} ${HDF5_C_LIBRARIES})
list(REMOVE_DUPLICATES BRAINQUANT_HDF5_LIBRARIES)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/brainquantConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/brainquantConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/brainquantConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/brainquantConfig.cmake" "${PROJECT_BINARY_DIR}/brainquantConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/brainquantFindLibTorch.cmake" DESTINATION "${_package_dir}")
