/* Levels that part what is stained from what is not. */
#include "levels.h"

#include <math.h>

float two_levels(const int32_t counts[OTSU_BINS], float top, double enough) {
    double number = 0, total = 0, squares = 0, below = 0, sum = 0, best = -1, at_below = 0, at_sum = 0;
    int32_t best_bin = 0;
    for (int32_t k = 0; k < OTSU_BINS; k++) {
        double x = k + 0.5;
        number += counts[k];
        total += counts[k] * x;
        squares += counts[k] * (x * x);
    }
    if (number < 1) return -INFINITY;
    for (int32_t k = 0; k < OTSU_BINS; k++) {
        below += counts[k];
        sum += counts[k] * (k + 0.5);
        double apart = total * below - number * sum;
        double between = apart * apart / fmax(below * (number - below), 1);
        if (between > best) best = between, best_bin = k, at_below = below, at_sum = sum;
    }
    double variance = squares / number - (total / number) * (total / number);
    double low = at_sum / fmax(at_below, 1), high = (total - at_sum) / fmax(number - at_below, 1);
    int two = best > enough * (number * number) * variance && low < 0.6 * high
              && fabs(at_below / number - 0.5) < 0.45;
    return two ? (float)((best_bin + 1) * (double)top / OTSU_BINS) : -INFINITY;
}

void medians(const uint32_t *colours, const Stretch *stretches, int32_t first, float out[CHANNELS]) {
    int32_t counts[CHANNELS][256] = {{0}}, count = 0;
    for (int32_t k = first; k >= 0; k = stretches[k].next) {
        count += stretches[k].end - stretches[k].start;
        for (int32_t i = stretches[k].start; i < stretches[k].end; i++)
            for (int32_t c = 0; c < CHANNELS; c++) counts[c][colours[i] >> 8 * c & 255]++;
    }
    for (int32_t c = 0; c < CHANNELS; c++) {
        int32_t grey = 0;
        for (int32_t below = counts[c][0]; below <= count / 2; below += counts[c][++grey]) {}
        out[c] = (float)grey;
    }
}

/* The first bin up to which there are as many pixels. */
static int32_t bin_of(const double below[BINS], float count) {
    int32_t k = 0;
    while (k < BINS - 1 && below[k] < count) k++;
    return k;
}

double nuclear_level(const Stains *stains, double nucleus, double least) {
    double low = stains->low, width = stains->width, x[BINS], below[BINS], sums[BINS], count = 0, sum = 0;
    for (int32_t k = 0; k < BINS; k++) {
        x[k] = low + (k + 0.5) * width;
        below[k] = count += stains->counts[k];
        sums[k] = sum += stains->counts[k] * x[k];
    }
    double middle = x[bin_of(below, (float)(count / 2))];
    double strongest = x[bin_of(below, (float)count - (float)nucleus)];
    double level = (middle + strongest) / 2, low_mean = 0, high_mean = 0, scatter = 0;
    int32_t k = 0;
    for (int32_t round = 0; round < 20; round++) {
        int32_t before = k;
        k = (int32_t)fmin(fmax(ceil((level - low) / width - 0.5), 1), BINS - 1);
        if (k == before) break;
        low_mean = sums[k - 1] / fmax(below[k - 1], 1);
        high_mean = (sum - sums[k - 1]) / fmax(count - below[k - 1], 1);
        level = (low_mean + high_mean) / 2;
    }
    for (int32_t i = 0; i < k; i++) scatter += stains->counts[i] * ((x[i] - low_mean) * (x[i] - low_mean));
    scatter = sqrt(scatter / fmax(below[k - 1], 1));
    level = fmax(low_mean + 0.4 * (high_mean - low_mean), low_mean + 3 * scatter);
    return fmax(fmin(fmax(level, 0.3 * strongest), 0.65 * strongest), least);
}
