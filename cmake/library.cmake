# libktrain: the floors up to run/ for other programs, shared and static, with its headers, a pkg-config file and a CMake
# package. Only what include/ktrain/ promises is seen from outside the shared library.

set(KT_LIBRARY_FLOORS base process edge input net engine saving run)
# By their paths: a program that links statically needs none of their development files but these.
set(KT_LIBRARY_NEEDS ${MPI_C_LIBRARIES})
foreach(needed IN ITEMS hdf5 openblas jansson libzip zlib)
    get_target_property(files kt::${needed} INTERFACE_LINK_LIBRARIES)
    list(APPEND KT_LIBRARY_NEEDS ${files})
endforeach()
list(APPEND KT_LIBRARY_NEEDS m)
list(REMOVE_DUPLICATES KT_LIBRARY_NEEDS)

foreach(kind IN ITEMS shared static)
    string(TOUPPER ${kind} type)
    add_library(ktrain_${kind} ${type})
    set_target_properties(ktrain_${kind} PROPERTIES OUTPUT_NAME ktrain)
    target_include_directories(ktrain_${kind} INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    foreach(floor IN LISTS KT_LIBRARY_FLOORS)
        get_target_property(objects ktrain_${floor} KT_OBJECTS)
        target_sources(ktrain_${kind} PRIVATE ${objects})
    endforeach()
endforeach()

# libktrain.so.ABI: a program finds the library that it was compiled for.
set_target_properties(ktrain_shared PROPERTIES
    EXPORT_NAME ktrain SOVERSION ${KT_ABI} VERSION ${KT_ABI}.${PROJECT_VERSION_MINOR}.${PROJECT_VERSION_PATCH})
target_link_libraries(ktrain_shared PRIVATE ktrain_flags ${KT_LIBRARY_NEEDS})
if(NOT KTRAIN_SANITIZE)
    target_link_options(ktrain_shared PRIVATE LINKER:-z,defs)
endif()
target_link_libraries(ktrain_static INTERFACE "$<INSTALL_INTERFACE:${KT_LIBRARY_NEEDS}>")

# The files for those who link with it. They find themselves: an installed tree may be moved.
include(CMakePackageConfigHelpers)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/ktrain")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/ktrainConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/ktrainConfig.cmake.in "${PROJECT_BINARY_DIR}/package/ktrainConfig.cmake"
    INSTALL_DESTINATION "${package}")
file(RELATIVE_PATH KT_PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" KT_PC_TO_PREFIX "${KT_PC_TO_PREFIX}")
list(TRANSFORM KT_LIBRARY_NEEDS REPLACE "^m$" "-lm" OUTPUT_VARIABLE KT_PC_NEEDS)
list(JOIN KT_PC_NEEDS " " KT_PC_NEEDS)
foreach(kind IN ITEMS ktrain ktrain-static)
    configure_file(cmake/${kind}.pc.in package/${kind}.pc @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/package/${kind}.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

install(TARGETS ktrain_shared ktrain_static EXPORT ktrainTargets DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT ktrainTargets NAMESPACE ktrain:: DESTINATION "${package}")
install(FILES
    "${PROJECT_BINARY_DIR}/package/ktrainConfig.cmake" "${PROJECT_BINARY_DIR}/package/ktrainConfigVersion.cmake"
    DESTINATION "${package}")
install(DIRECTORY include/ktrain DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
