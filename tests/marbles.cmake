# Operator behaviour, drawn: one test for each marble file; and the marble language's own test.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
file(GLOB marble_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/marbles/*.marbles)
add_test(NAME marbles.self_test COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/marbles/self_test.py)
if(TARGET rxd)
  # Stands beside rxd, where replay.py looks for it.
  add_executable(rxd_replays ${CMAKE_CURRENT_LIST_DIR}/marbles/replays.c)
  target_link_libraries(rxd_replays PRIVATE rx_daemon)
  set_target_properties(rxd_replays PROPERTIES RUNTIME_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:rxd>)
  foreach(file ${marble_files})
    get_filename_component(name ${file} NAME_WE)
    add_test(NAME marbles.${name} COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/marbles/run.py
                                          --rxd $<TARGET_FILE:rxd> ${file})
    rxd_test_limits(marbles.${name} 120)
  endforeach()
endif()
