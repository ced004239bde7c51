// Predicts an array by a trained model, without MPI: predict RUN. RUN is what train_arrays left, or any model of two inputs.
#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>

#include "ktrain/model.h"

int main(int argc, char **argv)
{
    ktrain_model *loaded = nullptr;
    if (ktrain_model_load(argc == 2 ? argv[1] : "runs/spiral", &loaded) != KTRAIN_OK) {
        std::fprintf(stderr, "predict: %s\n", ktrain_message());
        return 1;
    }
    const std::unique_ptr<ktrain_model, decltype(&ktrain_model_free)> model(loaded, ktrain_model_free);

    const std::vector<float> points = {0.5f, 0.25f, -0.5f, 0.25f, -0.125f, -0.75f, 0.0f, 0.0f};
    const ktrain_array x = {KTRAIN_F32, points.size() / 2, 2, points.data()};
    const std::size_t n_classes = ktrain_model_n_classes(model.get());
    std::vector<float> probabilities(x.n * n_classes);
    if (ktrain_model_predict(model.get(), &x, probabilities.data()) != KTRAIN_OK) {
        std::fprintf(stderr, "predict: %s\n", ktrain_message());
        return 1;
    }
    for (std::size_t i = 0; i < x.n; i++)
        for (std::size_t c = 0; c < n_classes; c++)
            std::printf("%.9g%c", static_cast<double>(probabilities[i * n_classes + c]),
                        c + 1 < n_classes ? ',' : '\n');
    return 0;
}
