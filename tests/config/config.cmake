# What rxd says of configs: the broken ones, word for word; and the schema that editors use.
find_program(RXD_PYTHON python3 HINTS /usr/bin REQUIRED)
if(TARGET rxd)
  add_test(NAME config.messages COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/run.py --rxd $<TARGET_FILE:rxd>)
  rxd_test_limits(config.messages 60)
  add_test(NAME config.schema COMMAND ${RXD_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/schema.py --rxd $<TARGET_FILE:rxd>)
  rxd_test_limits(config.schema 60)
endif()
