# `cmake --install`: bin/nacre, the header, the archives that it links into products, the library of the language, and the
# files by which CMake and pkg-config find them. bin/nacre looks for the others relative to itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(TARGET nacre)
  install(TARGETS nacre RUNTIME DESTINATION bin)
endif()
install(FILES ${CMAKE_SOURCE_DIR}/runtime/include/nacre.h ${CMAKE_SOURCE_DIR}/runtime/include/nacre_train.h
        DESTINATION include)
foreach(library nacre_rt nacre_main nacre_images nacre_train)
  if(TARGET ${library})
    install(TARGETS ${library} ARCHIVE DESTINATION lib/nacre)
  endif()
endforeach()
install(FILES ${CMAKE_ARCHIVE_OUTPUT_DIRECTORY}/libnacre_data.a DESTINATION lib/nacre)
if(TARGET nacre_png)
  install(FILES ${CMAKE_ARCHIVE_OUTPUT_DIRECTORY}/libnacre_png.a DESTINATION lib/nacre)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/stdlib/ DESTINATION share/nacre/stdlib FILES_MATCHING PATTERN "*.nacre")

write_basic_package_version_file(${CMAKE_BINARY_DIR}/NacreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_SOURCE_DIR}/cmake/NacreConfig.cmake ${CMAKE_BINARY_DIR}/NacreConfigVersion.cmake
        DESTINATION lib/cmake/Nacre)
configure_file(${CMAKE_SOURCE_DIR}/cmake/nacre.pc.in ${CMAKE_BINARY_DIR}/nacre.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/nacre.pc DESTINATION lib/pkgconfig)
