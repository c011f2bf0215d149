# Every operator has marbles, a picture, documentation, and cases of RxJS; and the check finds what is lacking.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
add_test(NAME catalogue.self_test COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/complete.py --self-test)
add_test(NAME catalogue.pictures COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/pictures.py)
if(TARGET rxd)
  add_test(NAME catalogue.complete COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/complete.py --rxd $<TARGET_FILE:rxd>)
  rxd_test_limits(catalogue.complete 120)
endif()
