# The release preset: optimised across files, for what the profile in packaging/ has counted; and the profile preset that
# counts (`./dev pgo`). docs/decisions/114-how-a-release-is-built.md says why, and why cmake/relative launches the compiler.
option(RXD_LTO "Optimise across files, at link time" OFF)
set(RXD_PROFILE "" CACHE STRING "make: count what a run does; use: optimise for what packaging/profile.tar.xz counted")

if(RXD_LTO)
  add_compile_options(-flto=auto -fno-fat-lto-objects)
  add_link_options(-flto=auto -ffile-prefix-map=${CMAKE_BINARY_DIR}=.)
  set(CMAKE_AR gcc-ar)
  set(CMAKE_RANLIB gcc-ranlib)
endif()

set(profile ${CMAKE_SOURCE_DIR}/packaging/profile.tar.xz)
if(RXD_PROFILE STREQUAL "make")
  add_compile_options(-fprofile-generate -fprofile-update=prefer-atomic)
  add_link_options(-fprofile-generate)
elseif(RXD_PROFILE STREQUAL "use" AND EXISTS ${profile})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${profile})
  file(ARCHIVE_EXTRACT INPUT ${profile} DESTINATION ${CMAKE_BINARY_DIR})
  # A function that has changed since, or that no run has called, is optimised as if there were no profile; gcc remarks on it.
  add_compile_options(-fprofile-use -fprofile-partial-training -Wno-missing-profile -Wno-coverage-mismatch -Wno-error)
  add_link_options(-fprofile-use -fprofile-partial-training)
endif()
