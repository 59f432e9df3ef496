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

# Every installed header stands on its own: nothing that it includes was left behind.
file(GLOB_RECURSE headers RELATIVE "${prefix}/include" "${prefix}/include/*.h")
foreach(header IN LISTS headers)
  file(WRITE "${WORK}/header.cpp" "#include \"${header}\"\n")
  run(${COMPILER} -std=c++20 -Werror -fsyntax-only -I "${prefix}/include" "${WORK}/header.cpp")
endforeach()

# Configures with the arguments, builds and runs a consumer.
function(consume)
  file(REMOVE_RECURSE "${WORK}/build")
  run(${CMAKE_COMMAND} -S "${SOURCE}" -B "${WORK}/build" -G Ninja -DCMAKE_PREFIX_PATH=${prefix}
      -DCMAKE_CXX_COMPILER=${COMPILER} -DWANTED=${VERSION} ${ARGN})
  run(${CMAKE_COMMAND} --build "${WORK}/build")
  run("${WORK}/build/consumer" "${WORK}/no_such_model")
  message("${output}")
  foreach(expected "version ${VERSION}" "it is five o'clock" "open_model: [^\n]*no_such_model" "quantize: [^\n]*no_such_model"
          "evaluate: [^\n]*no_such_model" "compare: [^\n]*no_such_model" "language model: [^\n]*no_such_model")
    if(NOT output MATCHES "${expected}")
      message(FATAL_ERROR "the consumer did not print ${expected}:\n${output}")
    endif()
  endforeach()
endfunction()
consume()

# The rig's library alone: the examples in C, C++ and Python, built on the moved package, say the same words.
file(REMOVE_RECURSE "${WORK}/examples")
run(${CMAKE_COMMAND} -S "${EXAMPLES}" -B "${WORK}/examples" -G Ninja -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON)
run(${CMAKE_COMMAND} --build "${WORK}/examples")
run("${prefix}/bin/quantize_model" --model_path "${STUDY}/model" --output_path "${WORK}/q.pt" --force)
file(WRITE "${WORK}/bins.py" "import sys, h5py, numpy\nfile = h5py.File(sys.argv[1])\n"
  "numpy.concatenate([file[name]['input_features'][:] for name in file]).astype('f4').tofile(sys.argv[2])\n")
run(${PYTHON} "${WORK}/bins.py" "${STUDY}/data/t15.2023.08.11/data_val.hdf5" "${WORK}/bins")
file(GLOB_RECURSE library "${prefix}/libbrainquant_c.so")
set(arguments "${WORK}/q.pt" t15.2023.08.11 "${GRAPH}")
set(said "")
foreach(client "${WORK}/examples/live_decoder" "${WORK}/examples/live_decoder_cpp"
        "${PYTHON};${EXAMPLES}/live_decoder.py;${library}")
  execute_process(COMMAND ${client} ${arguments} INPUT_FILE "${WORK}/bins" OUTPUT_VARIABLE words ERROR_VARIABLE problem
                  RESULT_VARIABLE result)
  if(NOT result EQUAL 0 OR NOT words MATCHES "= [a-z]")
    message(FATAL_ERROR "${client}\ngave ${result}: ${problem}\n${words}")
  endif()
  if(said AND NOT words STREQUAL said)
    message(FATAL_ERROR "${client} says\n${words}\nand another client\n${said}")
  endif()
  set(said "${words}")
endforeach()
# Whether this machine is fast enough just now is not what is tested.
execute_process(COMMAND "${WORK}/examples/live_decoder" --selftest "${WORK}/q.pt" OUTPUT_VARIABLE output
                ERROR_VARIABLE problem)
if(NOT output MATCHES "checksums hold.*last bin to its logits.*\n(NOT )?fit")
  message(FATAL_ERROR "live_decoder --selftest said\n${output}${problem}")
endif()
message("${output}")
# No path of this build or of its virtual environment; what needs LibTorch may find it beside itself.
run(readelf -d "${library}")
if(output MATCHES "R(UN)?PATH")
  message(FATAL_ERROR "${library} names a path:\n${output}")
endif()
file(GLOB_RECURSE full_library "${prefix}/libbrainquant_c_torch.so")
run(readelf -d "${full_library}")
if(NOT output MATCHES "R(UN)?PATH[^\n]*\\[[$]ORIGIN\\]\n")
  message(FATAL_ERROR "${full_library} should look beside itself only:\n${output}")
endif()

# A LibTorch for a GPU whose toolkit is missing: its own package ends the configuration, as that of the CUDA wheels does.
set(gpu "${WORK}/gpu")
file(REMOVE_RECURSE "${gpu}")
file(MAKE_DIRECTORY "${gpu}/lib" "${gpu}/share/cmake/Torch")
file(GLOB libraries "${TORCH}/lib/*.so*")
foreach(library IN LISTS libraries)
  get_filename_component(name "${library}" NAME)
  file(CREATE_LINK "${library}" "${gpu}/lib/${name}" SYMBOLIC)
endforeach()
file(CREATE_LINK "${TORCH}/include" "${gpu}/include" SYMBOLIC)
file(WRITE "${gpu}/lib/libtorch_cuda.so" "")
file(WRITE "${gpu}/share/cmake/Torch/TorchConfig.cmake" "message(FATAL_ERROR \"I cannot find the CUDA libraries\")\n")
consume(-DTorch_DIR=${gpu}/share/cmake/Torch)
