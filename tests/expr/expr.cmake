# The counts hold for gcc at full optimisation, without sanitizers.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT RXD_SANITIZE)
  add_test(NAME expr.counts COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/expr/counts $<TARGET_FILE:bench_expr>)
  set_tests_properties(expr.counts PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
endif()
# The table of case mappings is what its script makes of Python's Unicode (skipped where that is another version).
add_test(NAME expr.unicode_case COMMAND python3 ${CMAKE_SOURCE_DIR}/core/expr/unicode_case.py --check)
set_tests_properties(expr.unicode_case PROPERTIES SKIP_RETURN_CODE 77)
