# End to end: a real broker, the real daemon, real clients; one test for each scenario file.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
file(GLOB e2e_scenarios CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
if(NOT RXD_SANITIZE)  # a sanitizer has an allocator of its own
  add_library(failmalloc MODULE ${CMAKE_CURRENT_LIST_DIR}/failmalloc.c)
  target_compile_options(failmalloc PRIVATE -fno-builtin)
  set(failmalloc "RXD_FAILMALLOC=$<TARGET_FILE:failmalloc>")
endif()
if(TARGET rxd)
  foreach(file ${e2e_scenarios})
    get_filename_component(name ${file} NAME_WE)
    string(REPLACE "test_" "" name ${name})
    add_test(NAME e2e.${name} COMMAND ${RXD_PYTHON} ${file})
    rxd_test_limits(e2e.${name} 180 "RXD=$<TARGET_FILE:rxd>" ${failmalloc})
    # What speaks to a broker runs over the other client too.
    file(STRINGS ${file} with_broker REGEX "brokers")
    if(with_broker AND NOT name STREQUAL no_memory)  # which names one, and has none
      add_test(NAME e2e.${name}.mosquitto COMMAND ${RXD_PYTHON} ${file})
      rxd_test_limits(e2e.${name}.mosquitto 180 "RXD=$<TARGET_FILE:rxd>" "RXD_E2E_CLIENT=mosquitto")
    endif()
  endforeach()
endif()
