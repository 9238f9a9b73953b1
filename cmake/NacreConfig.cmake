# find_package(Nacre): the compiler and nacre_add_model().
#
#   nacre_add_model(digits digits.nacre)                       a static library and its header, found by those who link it
#   nacre_add_model(digits digits.nacre SHARED CPU native)     a shared one, for this machine
#   nacre_add_model(digits digits.nacre WEIGHTS digits.safetensors EMBED)   the weights inside
#   target_link_libraries(app PRIVATE digits)                  and `#include "digits.h"`
#
# Works from an installed prefix; from a build tree of Nacre with -DNACRE_EXECUTABLE=BUILD/bin/nacre; and inside Nacre's own
# build (add_subdirectory).

if(NOT NACRE_EXECUTABLE AND NOT TARGET nacre)
  get_filename_component(_nacre_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  find_program(NACRE_EXECUTABLE nacre HINTS "${_nacre_prefix}/bin" NO_CMAKE_FIND_ROOT_PATH)
  if(NOT NACRE_EXECUTABLE)
    set(Nacre_FOUND FALSE)
    set(Nacre_NOT_FOUND_MESSAGE "the program `nacre` is not in ${_nacre_prefix}/bin and not on the path")
    return()
  endif()
endif()

function(nacre_add_model target source)
  cmake_parse_arguments(PARSE_ARGV 2 model "EMBED;STATIC;SHARED;REFERENCE" "WEIGHTS;CPU" "SET;DEPENDS")
  if(model_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "nacre_add_model: unknown arguments ${model_UNPARSED_ARGUMENTS}")
  endif()
  if(model_STATIC AND model_SHARED)
    message(FATAL_ERROR "nacre_add_model: STATIC or SHARED, not both")
  endif()
  if(TARGET nacre)
    set(compiler $<TARGET_FILE:nacre>)
    set(compiler_files nacre)
    foreach(archive nacre_rt nacre_main nacre_png nacre_train)
      if(TARGET ${archive})
        list(APPEND compiler_files ${archive})
      endif()
    endforeach()
  else()
    set(compiler ${NACRE_EXECUTABLE})
    set(compiler_files ${NACRE_EXECUTABLE})
  endif()

  get_filename_component(source "${source}" ABSOLUTE)
  get_filename_component(stem "${source}" NAME_WE)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.nacre")
  set(header "${folder}/${stem}.h")
  if(model_SHARED)
    set(kind shared)
    set(library "${folder}/lib${stem}.so")
  else()
    set(kind static)
    set(library "${folder}/lib${stem}.a")
  endif()

  set(flags)
  if(model_CPU)
    list(APPEND flags --cpu ${model_CPU})
  endif()
  if(model_REFERENCE)
    list(APPEND flags --reference)
  endif()
  foreach(setting IN LISTS model_SET)
    list(APPEND flags --set ${setting})
  endforeach()
  set(inputs "${source}" ${model_DEPENDS})
  if(model_WEIGHTS)
    get_filename_component(weights "${model_WEIGHTS}" ABSOLUTE)
    list(APPEND flags --weights "${weights}")
    list(APPEND inputs "${weights}")
  endif()
  if(model_EMBED)
    list(APPEND flags --embed-weights)
  endif()

  add_custom_command(
    OUTPUT "${library}" "${header}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${folder}"
    COMMAND ${compiler} build "${source}" --emit=${kind} -o "${library}" ${flags}
    COMMAND ${compiler} build "${source}" --emit=header -o "${header}" ${flags}
    DEPENDS ${inputs} ${compiler_files}
    COMMENT "Compiling the model ${stem}.nacre"
    VERBATIM)
  add_custom_target(${target}_build DEPENDS "${library}" "${header}")

  find_package(Threads REQUIRED)
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_build)
  if(TARGET nacre)
    set(public "${CMAKE_BINARY_DIR}/include")
  else()
    get_filename_component(public "${NACRE_EXECUTABLE}" REALPATH)
    get_filename_component(public "${public}/../../include" ABSOLUTE)
  endif()
  target_include_directories(${target} INTERFACE "${folder}" "${public}") # the model's header, and nacre.h
  target_link_libraries(${target} INTERFACE "${library}" Threads::Threads m)
  # Makes users relink when the model changes.
  set_property(TARGET ${target} PROPERTY INTERFACE_LINK_DEPENDS "${library}")
endfunction()
