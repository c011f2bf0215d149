# The layer table against the #include lines; and that the check finds each breach of it.
find_program(PYTHON3 python3 REQUIRED)
add_test(NAME layers.includes COMMAND ${PYTHON3} ${CMAKE_CURRENT_LIST_DIR}/check.py)
add_test(NAME layers.self_test COMMAND ${PYTHON3} ${CMAKE_CURRENT_LIST_DIR}/check.py --self-test)
