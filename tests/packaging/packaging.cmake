if(TARGET rxd)
  add_test(NAME packaging.unit COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/verify.sh $<TARGET_FILE:rxd>)
  add_test(NAME packaging.configs COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/configs.sh $<TARGET_FILE:rxd>)
endif()
