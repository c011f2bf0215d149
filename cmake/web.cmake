# The live page: the files of web/, and dygraphs from libjs-dygraphs, as constant data in rx_web.
find_path(DYGRAPHS_DIR dygraph.min.js PATHS /usr/share/javascript/dygraphs REQUIRED)
set(web_files
  ${CMAKE_SOURCE_DIR}/web/index.html
  ${CMAKE_SOURCE_DIR}/web/app.js
  ${CMAKE_SOURCE_DIR}/web/card.js
  ${CMAKE_SOURCE_DIR}/web/chart.js
  ${CMAKE_SOURCE_DIR}/web/dom.js
  ${CMAKE_SOURCE_DIR}/web/series.js
  ${CMAKE_SOURCE_DIR}/web/status.js
  ${CMAKE_SOURCE_DIR}/web/style.css
  ${DYGRAPHS_DIR}/dygraph.min.js
  ${DYGRAPHS_DIR}/dygraph.min.css)

set(web_data ${CMAKE_BINARY_DIR}/web_data.c)
add_custom_command(
  OUTPUT ${web_data}
  COMMAND ${CMAKE_COMMAND} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake ${web_data} ${web_files}
  DEPENDS ${web_files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "Embedding the live page"
  VERBATIM)

add_library(rx_web STATIC ${CMAKE_SOURCE_DIR}/web/assets.c ${web_data})
if(TARGET rx_daemon)
  target_link_libraries(rx_daemon PUBLIC rx_web)
endif()
