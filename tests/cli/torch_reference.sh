#!/bin/sh
# ktrain against PyTorch from the same initial weights, batches and dropout masks: the losses of the first steps agree.
# On the founding report's data where it is, else on made-up images of the same shape.
set -eu
: "${KTRAIN:?}" "${KT_PYTHON:?}" "${KT_SOURCE_DIR:?}" "${KT_TEST_TMP:?}"
if ! "$KT_PYTHON" -c 'import numpy, torch' 2>/dev/null; then
    echo "no NumPy and PyTorch for $KT_PYTHON (Debian: python3-numpy, python3-torch)"
    exit 77
fi
if [ "$(id -u)" = 0 ]; then # Open MPI refuses to run as root unless told twice
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1

data=
for folder in "$KT_SOURCE_DIR/data/k49" "$KT_SOURCE_DIR/../shared/data/k49"; do
    if [ -z "$data" ] && [ -r "$folder/X_images.npy" ] && [ -r "$folder/y_images.npy" ]; then
        data=$folder
    fi
done
if [ -z "$data" ]; then
    data=$KT_TEST_TMP
    (cd "$data" && "$KT_PYTHON" -c '
import numpy as np
rng = np.random.default_rng(1)
y = rng.integers(0, 49, 5000)
x = 128 + 40 * rng.standard_normal((49, 784))[y] + 40 * rng.standard_normal((5000, 784))
np.save("X_images.npy", np.clip(x, 0, 255).astype(np.float32))
np.save("y_images.npy", y)')
fi

reference() { # reference OPTION...: M1 on this data
    "$KT_PYTHON" "$KT_SOURCE_DIR/tools/torch_reference.py" "$KT_SOURCE_DIR/jobs/m1.ini" \
        data.features="$data/X_images.npy" data.labels="$data/y_images.npy" data.class_names= "$@"
}

# Rounding may give a relu's input near 0 the other sign on some machine. That hardly happens twice; a mistake does.
reference --ktrain-program "$KTRAIN" --steps 200 || reference --ktrain-program "$KTRAIN" --steps 200 run.seed=2
# 3,457 training samples: 53 batches of 64, and one of 65, since batch norm takes no batch of 1.
reference --ktrain-program "$KTRAIN" --steps 100 model.activation=gelu model.batch_norm=true train.batch_size=64 \
    data.split=0.6914,0.15,0.1586 \
    optimizer.name=momentum optimizer.learning_rate=0.05 optimizer.final_learning_rate=0.001 \
    optimizer.schedule=cosine optimizer.schedule_unit=step optimizer.period=80

# The comparison can fail: a run with another dropout that claims to be the same.
run=$KT_TEST_TMP/run
"$KTRAIN" "$KT_SOURCE_DIR/jobs/m1.ini" data.features="$data/X_images.npy" data.labels="$data/y_images.npy" \
    data.class_names= run.dir="$run" run.log_steps=20 train.max_steps=20 model.dropout=0.11 >"$KT_TEST_TMP/log" 2>&1
sed 's/^dropout = .*/dropout = 0.1/' "$run/config.ini" >"$KT_TEST_TMP/config.ini"
mv "$KT_TEST_TMP/config.ini" "$run/config.ini"
status=0
reference --ktrain "$run" --steps 20 >"$KT_TEST_TMP/log" 2>&1 || status=$?
if [ "$status" != 1 ]; then
    cat "$KT_TEST_TMP/log"
    echo "another dropout was not noticed (exit code $status)"
    exit 1
fi
