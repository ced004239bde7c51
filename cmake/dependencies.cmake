# Finds every library ktrain is linked with. All that is missing is reported at once, with the command that installs it.
#
# kt_need(<what> <Debian package> <found>) records a missing dependency; kt_stop_if_missing() ends the configuration.

include_guard(GLOBAL)
include("${CMAKE_CURRENT_LIST_DIR}/mpi.cmake")

function(kt_need what package found)
    if(found)
        return()
    endif()
    set_property(GLOBAL APPEND PROPERTY KT_MISSING_LINES "    ${what}  (Debian package ${package})")
    set_property(GLOBAL APPEND PROPERTY KT_MISSING_PACKAGES "${package}")
endfunction()

function(kt_stop_if_missing)
    get_property(lines GLOBAL PROPERTY KT_MISSING_LINES)
    if(NOT lines)
        return()
    endif()
    get_property(packages GLOBAL PROPERTY KT_MISSING_PACKAGES)
    list(REMOVE_DUPLICATES packages)
    list(JOIN lines "\n" lines)
    list(JOIN packages " " packages)
    message(FATAL_ERROR "ktrain needs what is not installed here:\n${lines}\n"
        "On Debian 12 this installs it:\n    apt-get install ${packages}\n")
endfunction()

# kt_find_library(<target> <pkg-config module> <what> <Debian package>): imported target kt::<target>.
function(kt_find_library target module what package)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(KT_${target} QUIET IMPORTED_TARGET GLOBAL ${module})
    endif()
    kt_need("${what}, pkg-config module ${module}" ${package} "${KT_${target}_FOUND}")
    if(KT_${target}_FOUND)
        add_library(kt::${target} ALIAS PkgConfig::KT_${target})
    endif()
endfunction()

# kt_find_python(): a python with NumPy and h5py writes the test data and checks the results. Debian's comes first: one that
# is ahead of it in PATH seldom has the modules. KT_PYTHON_HAS_TORCH says whether tests against PyTorch can run.
function(kt_find_python)
    find_program(KT_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH DOC "A python3 with NumPy and h5py, for the tests")
    find_program(KT_PYTHON NAMES python3)
    kt_need("python3" python3 "${KT_PYTHON}")
    foreach(module IN ITEMS numpy h5py torch)
        set(result 1)
        if(KT_PYTHON)
            execute_process(COMMAND "${KT_PYTHON}" -c
                "import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)"
                RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
        endif()
        if(result EQUAL 0)
            set(has_${module} TRUE)
        endif()
    endforeach()
    kt_need("python3 module numpy" python3-numpy "${has_numpy}")
    kt_need("python3 module h5py" python3-h5py "${has_h5py}")
    set(KT_PYTHON_HAS_TORCH "${has_torch}" PARENT_SCOPE)
endfunction()

find_package(PkgConfig QUIET)
kt_need("pkg-config" pkgconf "${PKG_CONFIG_FOUND}")

# By mpicc and not by pkg-config. Another MPI: -DMPI_C_COMPILER=mpicc.mpich. KT_MPI is what tests/mpirun.sh must know, by what
# the library says of itself: openmpi, or mpich for that and what comes of it.
macro(kt_find_mpi)
    if(NOT MPI_C_COMPILER AND NOT MPI_HOME AND NOT DEFINED ENV{MPI_HOME})
        kt_choose_mpicc(mpicc)
        if(mpicc)
            set(MPI_C_COMPILER "${mpicc}" CACHE FILEPATH "MPI compiler for C")
        endif()
    endif()
    set(MPI_DETERMINE_LIBRARY_VERSION ON)
    find_package(MPI QUIET COMPONENTS C)
    kt_need("MPI (Open MPI, MPICH, ...)" libopenmpi-dev "${MPI_C_FOUND}")
    set(KT_MPI openmpi)
    if(MPI_C_LIBRARY_VERSION_STRING MATCHES "MPICH|Intel|MVAPICH|CRAY")
        set(KT_MPI mpich)
    endif()
endmacro()

kt_find_mpi()

# hdf5-serial and not hdf5: the latter is whichever build was installed last, and checkpoints are rank 0's alone.
kt_find_library(hdf5 hdf5-serial "HDF5 (serial)" libhdf5-dev)
kt_find_library(openblas openblas "OpenBLAS" libopenblas-dev)
kt_find_library(jansson jansson "Jansson" libjansson-dev)
kt_find_library(libzip libzip "libzip" libzip-dev)
kt_find_library(zlib zlib "zlib" zlib1g-dev)
find_path(KT_XXHASH_INCLUDE xxhash.h) # all of it is in its header
kt_need("xxHash" libxxhash-dev "${KT_XXHASH_INCLUDE}")
if(BUILD_TESTING)
    kt_find_library(cunit cunit "CUnit (for the tests: -DBUILD_TESTING=OFF leaves them out)" libcunit1-dev)
    kt_find_mpirun("${MPI_C_COMPILER}")
    kt_need("mpirun" openmpi-bin "${KT_MPIRUN}")
    kt_find_python()
endif()
kt_stop_if_missing()
