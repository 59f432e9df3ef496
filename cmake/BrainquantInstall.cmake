# `cmake --install`: the static libraries with their headers and CMake packages, find_package(brainquant_runtime) and
# find_package(brainquant), the C libraries, and the apps (apps/CMakeLists.txt). The apps find LibTorch where it was at build
# time (their run path), so that installation must stay; nothing else names a path of the build machine.
include(CMakePackageConfigHelpers)

# brainquant_install_package(NAME TARGETS...): the targets and the CMake package called NAME.
function(brainquant_install_package name)
  set(dir "${CMAKE_INSTALL_LIBDIR}/cmake/${name}")
  install(TARGETS ${ARGN} EXPORT ${name}Targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT ${name}Targets NAMESPACE brainquant:: DESTINATION "${dir}")
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/${name}Config.cmake.in"
    "${PROJECT_BINARY_DIR}/${name}Config.cmake" INSTALL_DESTINATION "${dir}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/${name}ConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/${name}Config.cmake" "${PROJECT_BINARY_DIR}/${name}ConfigVersion.cmake"
    DESTINATION "${dir}")
endfunction()

set(_left_out "")
if(BRAINQUANT_RUNTIME_ONLY)
  # What brainquant_runtime has no functions of.
  foreach(_name torch evaluation experiment reporting components.h git_commit.h dataset_options.h add_session.h inspection.h
      quantize_job.h tensor_report.h)
    list(APPEND _left_out PATTERN "${_name}" EXCLUDE)
  endforeach()
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/brainquant" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" ${_left_out})
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
brainquant_install_package(brainquant_runtime brainquant_runtime brainquant_c)

if(NOT BRAINQUANT_RUNTIME_ONLY)
  # Named, because CMake's own search for run paths leaves out folders inside the source tree, where .venv is.
  set_target_properties(quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment
    PROPERTIES INSTALL_RPATH "${BRAINQUANT_TORCH_PREFIX}/lib" INSTALL_RPATH_USE_LINK_PATH ON)
  # Its caller brings LibTorch: beside it, by the loader's path, or loaded before.
  set_target_properties(brainquant_c_torch PROPERTIES INSTALL_RPATH "$ORIGIN")
  set(BRAINQUANT_HDF5_LIBRARIES ${HDF5_CXX_LIBRARIES} ${HDF5_C_LIBRARIES})
  list(REMOVE_DUPLICATES BRAINQUANT_HDF5_LIBRARIES)
  brainquant_install_package(brainquant brainquant brainquant_c_torch)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/brainquantFindLibTorch.cmake"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/brainquant")
endif()
