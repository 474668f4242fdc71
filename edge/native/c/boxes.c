/* Means of boxes of pixels, for which OpenCV has no fast way but in boxes of two by two. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* A row more to the sums of each column; 16 bits hold those of 257. */
VECTORS static void added(uint16_t *restrict sums, const uint8_t *restrict row, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) sums[i] = (uint16_t)(sums[i] + row[i]);
}

/* Means of the sums of `box` pixels beside each other, rounded; an odd box has no halves to round. Multiplied by
   2^20 / area instead of divided: right to the last unit as long as area^2 * 255 < 2^20. */
static inline __attribute__((always_inline)) void averaged(const uint16_t *restrict sums, int32_t across,
                                                           const int32_t box, uint8_t *restrict out) {
    const uint32_t area = (uint32_t)(box * box), share = (1u << 20) / area + 1;
    for (int32_t x = 0; x < across; x++, sums += 3 * box, out += 3)
        for (int c = 0; c < 3; c++) {
            uint32_t total = area / 2;
            for (int32_t k = 0; k < box; k++) total += sums[3 * k + c];
            out[c] = (uint8_t)(total * share >> 20);
        }
}

/* (height, width, 3) pixels to the means of boxes of `box` x `box`, (height / box, width / box, 3). `box` is odd, 7 at most. */
EXPORT int32_t leukoscope_boxes(const uint8_t *pixels, int32_t height, int32_t width, int32_t box, uint8_t *out) {
    int32_t across = width / box;
    size_t bytes = (size_t)across * box * 3;
    uint16_t *sums = malloc((bytes ? bytes : 1) * sizeof *sums);
    if (!sums) return -1;
    for (int32_t y = 0; y < height / box; y++) {
        memset(sums, 0, bytes * sizeof *sums);
        for (int32_t k = 0; k < box; k++) added(sums, pixels + ((size_t)y * box + k) * width * 3, bytes);
        uint8_t *row = out + (size_t)y * across * 3;
        if (box == 3)
            averaged(sums, across, 3, row);
        else
            averaged(sums, across, box, row);
    }
    free(sums);
    return 0;
}
