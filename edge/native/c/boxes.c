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
static void averaged(const uint16_t *restrict sums, int32_t across, int32_t box, uint8_t *restrict out) {
    const uint32_t area = (uint32_t)(box * box), share = (1u << 20) / area + 1;
    for (int32_t x = 0; x < across; x++, sums += 3 * box, out += 3)
        for (int c = 0; c < 3; c++) {
            uint32_t total = area / 2;
            for (int32_t k = 0; k < box; k++) total += sums[3 * k + c];
            out[c] = (uint8_t)(total * share >> 20);
        }
}

/* The sums of three rows by columns. */
VECTORS static void summed(const uint8_t *restrict row, size_t line, size_t bytes, uint16_t *restrict sums) {
    const uint8_t *second = row + line, *third = second + line;
    for (size_t i = 0; i < bytes; i++) sums[i] = (uint16_t)(row[i] + second[i] + third[i]);
}

/* The means of each column and the two pixels right of it, rounded: all of them as vectors is faster than every
   third, which is wanted. Multiplied by 2^16 / 9 instead of divided, right for all such sums. */
VECTORS static void every_mean(const uint16_t *restrict sums, size_t bytes, uint8_t *restrict means) {
    for (size_t i = 0; i < bytes; i++) {
        uint16_t total = (uint16_t)(sums[i] + sums[i + 3] + sums[i + 6] + 4);
        means[i] = (uint8_t)((uint32_t)total * 7282u >> 16);
    }
}

/* The same as `leukoscope_boxes` of 3 x 3, the boxes that fields are most often averaged by. */
static int32_t boxes_of_three(const uint8_t *pixels, int32_t height, int32_t width, uint8_t *out) {
    size_t bytes = (size_t)(width / 3) * 9, line = (size_t)width * 3;
    uint16_t *sums = calloc(bytes + 6, sizeof *sums); /* six more, beside the last */
    uint8_t *means = malloc(bytes + 1);
    int32_t failed = sums && means ? 0 : -1;
    for (int32_t y = 0; y < height / 3 && !failed; y++) {
        summed(pixels + (size_t)y * 3 * line, line, bytes, sums);
        every_mean(sums, bytes, means);
        for (const uint8_t *mean = means; mean < means + bytes; mean += 9)
            for (int c = 0; c < 3; c++) *out++ = mean[c];
    }
    free(sums);
    free(means);
    return failed;
}

/* (height, width, 3) pixels to the means of boxes of `box` x `box`, (height / box, width / box, 3). `box` is odd, 7 at most. */
EXPORT int32_t leukoscope_boxes(const uint8_t *pixels, int32_t height, int32_t width, int32_t box, uint8_t *out) {
    if (box == 3) return boxes_of_three(pixels, height, width, out);
    int32_t across = width / box;
    size_t bytes = (size_t)across * box * 3;
    uint16_t *sums = malloc((bytes ? bytes : 1) * sizeof *sums);
    if (!sums) return -1;
    for (int32_t y = 0; y < height / box; y++) {
        memset(sums, 0, bytes * sizeof *sums);
        for (int32_t k = 0; k < box; k++) added(sums, pixels + ((size_t)y * box + k) * width * 3, bytes);
        uint8_t *row = out + (size_t)y * across * 3;
        averaged(sums, across, box, row);
    }
    free(sums);
    return 0;
}
