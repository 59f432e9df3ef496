# Installs into a folder, moves it (a package must not know where it was installed), and builds and runs a consumer.
include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")

set(prefix "${WORK}/moved")
file(REMOVE_RECURSE "${WORK}/installed" "${prefix}" "${WORK}/build")
run(${CMAKE_COMMAND} --install "${BUILD}" --prefix "${WORK}/installed")
file(RENAME "${WORK}/installed" "${prefix}")

foreach(app quantize_model evaluate_quantized_model test_all_quantization_methods run_quantization_experiment)
  run("${prefix}/bin/${app}" --help)
  if(NOT output MATCHES "--model_path")
    message(FATAL_ERROR "the installed ${app} does not explain itself:\n${output}")
  endif()
endforeach()
file(GLOB_RECURSE license "${prefix}/share/LICENSE")
if(NOT license)
  message(FATAL_ERROR "no LICENSE below ${prefix}/share")
endif()

run(${CMAKE_COMMAND} -S "${SOURCE}" -B "${WORK}/build" -G Ninja -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${COMPILER}
    -DWANTED=${VERSION})
run(${CMAKE_COMMAND} --build "${WORK}/build")
run("${WORK}/build/consumer" "${WORK}/no_such_model")
message("${output}")
# SHA-256 of "abc" is FIPS 180-4's own example.
foreach(expected "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" "it is five o'clock" "FileError")
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "the consumer did not print ${expected}:\n${output}")
  endif()
endforeach()
