# End to end: a real broker, the real daemon, real clients; one test for each scenario file.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
file(GLOB e2e_scenarios CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
if(TARGET rxd)
  foreach(file ${e2e_scenarios})
    get_filename_component(name ${file} NAME_WE)
    string(REPLACE "test_" "" name ${name})
    add_test(NAME e2e.${name} COMMAND ${RXD_PYTHON} ${file})
    set_tests_properties(e2e.${name} PROPERTIES TIMEOUT 180 ENVIRONMENT "RXD=$<TARGET_FILE:rxd>")
    # What speaks to a broker runs over the other client too.
    file(STRINGS ${file} with_broker REGEX "brokers")
    if(with_broker)
      add_test(NAME e2e.${name}.mosquitto COMMAND ${RXD_PYTHON} ${file})
      set_tests_properties(e2e.${name}.mosquitto PROPERTIES TIMEOUT 180
                           ENVIRONMENT "RXD=$<TARGET_FILE:rxd>;RXD_E2E_CLIENT=mosquitto")
    endif()
  endforeach()
endif()
