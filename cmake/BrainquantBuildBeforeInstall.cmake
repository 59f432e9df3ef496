# `cmake --install` of a folder in which only some targets were built (scripts/demo.sh) first builds what is missing. A whole
# build is left alone: root, who installs, must leave no files of his own in it. Included before the rules that install
# those targets, because install rules run in the order in which they are given.
set(_targets brainquant_runtime brainquant_c)
if(NOT BRAINQUANT_RUNTIME_ONLY)
  list(APPEND _targets quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment
    brainquant brainquant_c_torch)
endif()
list(TRANSFORM _targets REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE _files)
install(CODE "
  set(_files \"${_files}\")
  foreach(_file IN LISTS _files)
    if(NOT EXISTS \"\${_file}\")
      message(STATUS \"Building what is missing: \${_file}\")
      execute_process(COMMAND \"${CMAKE_COMMAND}\" --build \"${CMAKE_BINARY_DIR}\" --config \"$<CONFIG>\" --target ${_targets}
        COMMAND_ERROR_IS_FATAL ANY)
      break()
    endif()
  endforeach()")
