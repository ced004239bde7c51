/* Trains on arrays in memory: mpirun -np 2 train_arrays RUN. RUN is the directory for what the run leaves. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ktrain/train.h"

enum { N = 600, D = 2, N_CLASSES = 3 };

/* Three arms of a spiral in the plane, one a class. */
static void make_samples(float x[N][D], int32_t labels[N])
{
    for (int i = 0; i < N; i++) {
        labels[i] = i % N_CLASSES;
        const double radius = (double)(i + 1) / N, angle = 4 * radius + 2.0944 * labels[i];
        x[i][0] = (float)(radius * sin(angle));
        x[i][1] = (float)(radius * cos(angle));
    }
}

static ktrain_status train(const char *run, ktrain_result **result)
{
    static float x[N][D];
    static int32_t labels[N];
    const ktrain_array features = {KTRAIN_F32, N, D, x};
    ktrain_config *config = NULL;
    ktrain_data *data = NULL;
    make_samples(x, labels);
    ktrain_status status = ktrain_config_create(&config);
    if (status == KTRAIN_OK)
        status = ktrain_config_set(config, "run.dir", run);
    if (status == KTRAIN_OK)
        status = ktrain_config_set(config, "model.hidden", "[32, 32]");
    if (status == KTRAIN_OK)
        status = ktrain_config_set(config, "train.epochs", "60");
    if (status == KTRAIN_OK)
        status = ktrain_data_create(&data, &features, labels, N_CLASSES);
    if (status == KTRAIN_OK)
        status = ktrain_train(MPI_COMM_WORLD, config, data, result);
    ktrain_data_free(data);
    ktrain_config_free(config);
    return status;
}

int main(int argc, char **argv)
{
    int rank;
    ktrain_result *result = NULL;
    ktrain_scores test;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    ktrain_status status = train(argc == 2 ? argv[1] : "runs/spiral", &result);
    if (status == KTRAIN_OK)
        status = ktrain_result_scores(result, KTRAIN_TEST, &test);
    if (rank == 0 && status == KTRAIN_OK)
        printf("test accuracy %.4f, cross-entropy %.17g; best epoch %d; the model is in %s\n", test.accuracy,
               test.cross_entropy, (int)ktrain_result_best_epoch(result), ktrain_result_run(result));
    else if (rank == 0)
        fprintf(stderr, "train_arrays: %s\n", ktrain_message());
    ktrain_result_free(result);
    MPI_Finalize();
    return (int)status;
}
