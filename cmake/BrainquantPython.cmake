# The Python that puts Vega into the library (cmake/write_page_assets.py): that of the virtual environment of
# scripts/setup.sh, or -DBRAINQUANT_PYTHON=/path/to/python with the package vl-convert-python.
find_program(BRAINQUANT_PYTHON python PATHS "${PROJECT_SOURCE_DIR}/.venv/bin" NO_DEFAULT_PATH)
if(BRAINQUANT_PYTHON)
  execute_process(COMMAND "${BRAINQUANT_PYTHON}" -c "import vl_convert" RESULT_VARIABLE _status OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT BRAINQUANT_PYTHON OR NOT _status EQUAL 0)
  message(FATAL_ERROR "The build needs a Python with the package vl-convert-python. Run scripts/setup.sh, which puts it "
                      "into .venv, or name one: -DBRAINQUANT_PYTHON=/path/to/python")
endif()
