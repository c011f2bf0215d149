# Random pipelines: neither the plan, nor the length of spans, nor a restart shows.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
if(TARGET rxd)
  add_test(NAME random.plans COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/run.py --rxd $<TARGET_FILE:rxd>
                                     --without restart 1 1000)
  add_test(NAME random.restarts COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/run.py --rxd $<TARGET_FILE:rxd>
                                        --only restart 2 1000)
  add_test(NAME random.joins COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/joins.py --rxd $<TARGET_FILE:rxd> 1 120)
  rxd_test_limits(random.joins 120)
  foreach(test plans restarts)
    rxd_test_limits(random.${test} 300)
    set_tests_properties(random.${test} PROPERTIES PROCESSORS 4)
  endforeach()
endif()
