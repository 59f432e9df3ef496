# Writes the source file that tells the library its git commit; one that would say the same is left as it is, so nothing is
# compiled again:  cmake -DSOURCE_DIR=... -DOUTPUT=... -P write_git_commit.cmake
cmake_minimum_required(VERSION 3.25)

# A git hook that starts a build would otherwise have us look at the hook's repository.
foreach(variable GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_OBJECT_DIRECTORY GIT_COMMON_DIR)
  unset(ENV{${variable}})
endforeach()

# Sets `output`; "" if git is missing, refuses, or has no answer. Takes no locks: the user's own git may be at work.
function(ask_git)
  execute_process(COMMAND git --no-optional-locks -c core.fsmonitor=false ${ARGN} WORKING_DIRECTORY "${SOURCE_DIR}"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(succeeded FALSE PARENT_SCOPE)
  if(result EQUAL 0)
    set(succeeded TRUE PARENT_SCOPE)
  else()
    set(output "")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(commit "")
# A prefix means that a copy without a repository of its own lies in somebody else's.
ask_git(rev-parse --show-prefix)
if(succeeded AND output STREQUAL "")
  ask_git(rev-parse --verify HEAD)
  set(commit "${output}")
endif()
if(NOT commit STREQUAL "")
  ask_git(status --porcelain --untracked-files=no)
  if(NOT output STREQUAL "")
    string(APPEND commit "-dirty")
  endif()
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/git_commit.cpp.in" "${OUTPUT}" @ONLY)
