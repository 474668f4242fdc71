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

void medians(const uint32_t *colours, uint32_t count, float out[CHANNELS]) {
    uint32_t counts[CHANNELS][256] = {{0}};
    for (uint32_t i = 0; i < count; i++)
        for (int32_t c = 0; c < CHANNELS; c++) counts[c][colours[i] >> 8 * c & 255]++;
    for (int32_t c = 0; c < CHANNELS; c++) {
        int32_t grey = 0;
        for (uint32_t below = counts[c][0]; below <= count / 2; below += counts[c][++grey]) {}
        out[c] = (float)grey;
    }
}
