#!/bin/sh
# mpirun.sh RANKS COMMAND [ARGUMENT...]: COMMAND on RANKS ranks of this machine, the way tests need it:
# more ranks than cores, several jobs at a time, any user, and an end within KT_SECONDS (900).
set -eu
ranks=$1
shift

case ${KT_MPI:-openmpi} in
openmpi)
    # It refuses to run as root unless told twice.
    if [ "$(id -u)" = 0 ]; then
        export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    fi
    # A container may forbid ranks to read each other's memory.
    export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}"
    set -- --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$ranks" "$@"
    ;;
mpich) set -- -bind-to none -np "$ranks" "$@" ;;
*) echo "mpirun.sh: KT_MPI is $KT_MPI: must be openmpi or mpich" >&2 && exit 2 ;;
esac

# Unbound: two jobs at a time would bind their rank 0 to the same core. mpirun may ignore TERM, so KILL follows.
exec timeout -k 2 "${KT_SECONDS:-900}" "${KT_MPIRUN:-mpirun}" "$@"
