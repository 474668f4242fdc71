/* Masks as runs: what touches, and what lies near. Masks are bytes, 0 or 1.

   A run is pixels side by side in one row. There are few of them, and `memchr` and `memset` see to the pixels
   between their ends, so that time goes with the outlines of what a mask shows. */
#ifndef LEUKOSCOPE_COMPONENTS_H
#define LEUKOSCOPE_COMPONENTS_H

#include "core.h"

/* From `start` to before `end`; of the run that is the root of its part, and of a part by number, from 1. */
typedef struct {
    int32_t row, start, end, root, part;
} Run;

/* The box of a part, half open, and how many pixels it has. */
typedef struct {
    int32_t left, top, right, bottom, area;
} Part;

/* A structuring element, symmetric: how far each of its 2 * radius + 1 rows reaches to both sides. */
typedef struct {
    const int32_t *reach;
    int32_t radius;
} Element;

/* Where a row or column of a picture lies in one of fewer, as OpenCV's nearest neighbour, by their ratio. */
static inline double step_of(int32_t size, int32_t fewer) { return 1.0 / ((double)size / fewer); }
static inline int32_t coarse(int32_t x, double step, int32_t fewer) {
    int32_t at = (int32_t)(x * step);
    return at < fewer ? at : fewer - 1;
}

/* No picture of so many pixels has more runs. */
static inline size_t most_runs(int32_t height, int32_t width) {
    return (size_t)height * (((size_t)width + 1) / 2);
}

/* The next run of a value in a row, from `from` on: whether there is one. */
int next_run(const uint8_t *row, int32_t width, uint8_t value, int32_t from, Run *run);

/* The runs of 1 in a mask in order: how many. */
int32_t runs_of(const uint8_t *mask, int32_t height, int32_t width, Run *runs);

/* Numbers runs by the part they belong to, pixels touching at corners too: how many parts.

   Parts are numbered as OpenCV does: by the first of the 2 x 2 blocks that they have pixels in. */
int32_t parts_of(Run *runs, int32_t count);

/* Boxes and areas of numbered runs' parts. */
void measured_parts(const Run *runs, int32_t count, Part *parts, int32_t many);

/* A mask with a value spread as far as an element reaches: dilation by 1, erosion by 0. Beyond the picture
   there is neither. */
void spread(const uint8_t *mask, int32_t height, int32_t width, uint8_t value, Element element,
            uint8_t *out);

/* A mask eroded and dilated again, by way of `spare`. It may be its own `out`. */
void opened(const uint8_t *mask, int32_t height, int32_t width, Element element, uint8_t *spare,
            uint8_t *out);

#endif
