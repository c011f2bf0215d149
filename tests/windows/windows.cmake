# Windows on event time: the order of arrival does not show. (`shuffle.py --shuffles 1000` is the long run.)
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
if(TARGET rxd)
  add_test(NAME windows.shuffled COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/shuffle.py --rxd $<TARGET_FILE:rxd>
                                         --shuffles 100)
  rxd_test_limits(windows.shuffled 300)
  set_tests_properties(windows.shuffled PROPERTIES PROCESSORS 2)
endif()
