#!/bin/sh
# Which mpicc is taken, and which mpirun belongs to it, by what is in PATH.
set -eu
cd "$KT_TEST_TMP"
cmake=$(command -v cmake)
for file in debian/mpicc debian/mpirun debian/mpicc.mpich debian/mpirun.mpich debian/mpicc.openmpi debian/mpirun.openmpi \
    mpich/mpicc mpich/mpicc.mpich mpich/mpirun mpich/mpirun.mpich cluster/mpicc cluster/mpiexec; do
    mkdir -p "${file%/*}"
    printf '#!/bin/sh\n' >"$file"
    chmod +x "$file"
done

expect() { # expect PATH MPICC MPIRUN
    told=$(PATH=$1 "$cmake" -P "$KT_SOURCE_DIR/cmake/mpi.cmake" 2>&1)
    [ "$told" = "$PWD/$2 $PWD/$3" ] || { echo "PATH=$1: '$told', expected $2 and $3" >&2 && exit 1; }
}
expect "$PWD/debian" debian/mpicc.openmpi debian/mpirun.openmpi           # MPICH beside it changes nothing
expect "$PWD/mpich" mpich/mpicc mpich/mpirun                              # no other is there
expect "$PWD/cluster:$PWD/debian" cluster/mpicc cluster/mpiexec           # a cluster's own
echo "the MPI is the one in PATH"
