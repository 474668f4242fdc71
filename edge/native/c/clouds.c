/* Populations of colours as normal distributions. */
#include "clouds.h"

#include <math.h>

typedef double Matrix[CHANNELS][CHANNELS];

/* Colours that are added up, every `step`-th of `count`. */
static void add(Colours colours, int32_t step, int32_t count, double sums[CHANNELS]) {
    for (int32_t i = 0; i < count; i++)
        for (int32_t c = 0; c < CHANNELS; c++) sums[c] += colours.at[(size_t)i * step * CHANNELS + c];
}

/* Their products, less a mean. */
static void add_products(Colours colours, int32_t step, int32_t count, const double mean[CHANNELS],
                         Matrix sums) {
    for (int32_t i = 0; i < count; i++) {
        const float *colour = colours.at + (size_t)i * step * CHANNELS;
        double red = colour[0] - mean[0], green = colour[1] - mean[1], blue = colour[2] - mean[2];
        sums[0][0] += red * red;
        sums[0][1] += red * green;
        sums[0][2] += red * blue;
        sums[1][1] += green * green;
        sums[1][2] += green * blue;
        sums[2][2] += blue * blue;
    }
}

/* Mean and covariance of one list or two of the same length. */
static void moments(const Colours *lists, int32_t many, int32_t count, double mean[CHANNELS], Matrix spread) {
    double number = (double)many * count;
    for (int32_t k = 0; k < many; k++) add(lists[k], lists[k].count / count, count, mean);
    for (int32_t c = 0; c < CHANNELS; c++) mean[c] /= number;
    for (int32_t k = 0; k < many; k++) add_products(lists[k], lists[k].count / count, count, mean, spread);
    for (int32_t i = 0; i < CHANNELS; i++)
        for (int32_t j = i; j < CHANNELS; j++) spread[j][i] = spread[i][j] = spread[i][j] / number;
}

/* The inverse of a symmetric matrix, by cofactors. */
static void inverse(Matrix of, Matrix out) {
    for (int32_t i = 0; i < CHANNELS; i++)
        for (int32_t j = 0; j < CHANNELS; j++) {
            int32_t a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
            out[i][j] = of[a][c] * of[b][d] - of[a][d] * of[b][c];
        }
    double determinant = of[0][0] * out[0][0] + of[0][1] * out[0][1] + of[0][2] * out[0][2];
    for (int32_t i = 0; i < CHANNELS; i++)
        for (int32_t j = 0; j < CHANNELS; j++) out[i][j] /= determinant;
}

/* The lower triangle whose product with its transpose a matrix is (Cholesky). */
static void triangle(Matrix of, Matrix out) {
    for (int32_t i = 0; i < CHANNELS; i++)
        for (int32_t j = 0; j <= i; j++) {
            double rest = of[i][j];
            for (int32_t k = 0; k < j; k++) rest -= out[i][k] * out[j][k];
            out[i][j] = i == j ? sqrt(rest) : rest / out[j][j];
        }
}

Cloud cloud_of(Colours colours, double noise, double thickness) {
    double mean[CHANNELS] = {0};
    Matrix spread = {{0}}, inverted, lower = {{0}};
    Cloud cloud;
    moments(&colours, 1, colours.count, mean, spread);
    for (int32_t i = 0; i < CHANNELS; i++)
        for (int32_t j = 0; j < CHANNELS; j++)
            spread[i][j] += (i == j) * noise * noise + mean[i] * mean[j] * thickness * thickness;
    inverse(spread, inverted);
    triangle(inverted, lower);
    for (int32_t i = 0; i < CHANNELS; i++) {
        double offset = 0;
        for (int32_t j = 0; j < CHANNELS; j++) {
            offset -= lower[j][i] * mean[j];
            cloud.whitening[i][j] = (float)lower[j][i];
        }
        cloud.whitening[i][CHANNELS] = (float)offset;
        cloud.mean[i] = (float)mean[i];
    }
    return cloud;
}

double fisher(const double mean[CHANNELS], Colours rest, Colours glass, int32_t most,
              float direction[CHANNELS]) {
    int32_t count = rest.count < glass.count ? rest.count : glass.count; /* however much glass there is */
    double others[CHANNELS] = {0}, apart = 0;
    Matrix covariance = {{0}}, inverted;
    moments((Colours[]){rest, glass}, 2, count < most ? count : most, others, covariance);
    for (int32_t c = 0; c < CHANNELS; c++) covariance[c][c] += 0.04 * 0.04;
    inverse(covariance, inverted);
    for (int32_t i = 0; i < CHANNELS; i++) {
        double along = 0;
        for (int32_t j = 0; j < CHANNELS; j++) along += inverted[i][j] * (mean[j] - others[j]);
        apart += along * (mean[i] - others[i]);
        direction[i] = (float)along;
    }
    return sqrt(apart);
}
