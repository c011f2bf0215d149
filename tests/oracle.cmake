# rxd beside RxJS on recorded cases (no node needed); tests/oracle/run.py makes fresh ones.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
add_test(NAME oracle.self_test COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/oracle/self_test.py)
if(TARGET rxd)
  add_test(NAME oracle.recorded COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/oracle/run.py --rxd $<TARGET_FILE:rxd>)
  add_test(NAME oracle.recorded_unfused COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/oracle/run.py
                                                --rxd $<TARGET_FILE:rxd> --flag=--no-fusion)
  add_test(NAME oracle.fusion COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/oracle/fusion.py --rxd $<TARGET_FILE:rxd>)
  set_tests_properties(oracle.fusion PROPERTIES TIMEOUT 300)
  set_tests_properties(oracle.recorded oracle.recorded_unfused PROPERTIES TIMEOUT 300 PROCESSORS 4)
endif()
