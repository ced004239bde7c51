# Which MPI ktrain is built on. (tests/choose_mpi.sh runs this file by itself.)

include_guard(GLOBAL)

# kt_choose_mpicc(<out>): the mpicc in PATH, wherever a cluster keeps it. But where Debian's alternatives choose among several,
# mpicc is whichever was installed or chosen last: there it is Open MPI's when that is there. Empty when there is none.
function(kt_choose_mpicc out)
    find_program(KT_MPICC NAMES mpicc DOC "The mpicc in PATH")
    mark_as_advanced(KT_MPICC)
    set(${out} "" PARENT_SCOPE)
    if(KT_MPICC AND EXISTS "${KT_MPICC}.openmpi")
        set(${out} "${KT_MPICC}.openmpi" PARENT_SCOPE)
    elseif(KT_MPICC)
        set(${out} "${KT_MPICC}" PARENT_SCOPE)
    endif()
endfunction()

# kt_find_mpirun(<mpicc>): KT_MPIRUN is the one that belongs to it: beside it, with the same ending (mpicc.mpich, mpirun.mpich).
function(kt_find_mpirun mpicc)
    if(mpicc)
        get_filename_component(folder "${mpicc}" DIRECTORY)
        get_filename_component(ending "${mpicc}" LAST_EXT)
        find_program(KT_MPIRUN NAMES "mpirun${ending}" "mpiexec${ending}" PATHS "${folder}" NO_DEFAULT_PATH
            DOC "Starts the tests' ranks")
    endif()
    find_program(KT_MPIRUN NAMES mpirun mpiexec DOC "Starts the tests' ranks")
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    kt_choose_mpicc(mpicc)
    kt_find_mpirun("${mpicc}")
    message("${mpicc} ${KT_MPIRUN}")
endif()
