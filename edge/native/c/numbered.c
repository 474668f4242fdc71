/* The last step of edge/cells/nuclei.py: pieces of one owner numbered together as nuclei. */
#include "components.h"

#include <stdlib.h>
#include <string.h>

/* What is known of the pixels of one owner: how many, how many surely stained, and the sums of x and y. */
typedef struct {
    int64_t area, sure, right, down;
} Tally;

/* The next labelled pixel of a list, four at a step where there is none: before `end`, or that. */
static inline size_t next_labelled(const uint16_t *labels, size_t from, size_t end) {
    for (uint64_t four; from + 4 <= end; from += 4) {
        memcpy(&four, labels + from, sizeof four);
        if (four) break;
    }
    while (from < end && !labels[from]) from++;
    return from;
}

/* Adds up a label picture, by the owners of labels below `many`. */
static void add_up(const uint16_t *labels, int32_t height, int32_t width, const uint16_t *owner, int32_t many,
                   const uint8_t *sure, const int32_t size[2], Tally *tallies) {
    double down = step_of(height, size[0]), across = step_of(width, size[1]);
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = sure + (size_t)coarse(y, down, size[0]) * size[1];
        const uint16_t *line = labels + (size_t)y * width;
        for (int32_t x = 0; (x = (int32_t)next_labelled(line, (size_t)x, (size_t)width)) < width; x++) {
            if (line[x] >= many) continue;
            Tally *tally = &tallies[owner[line[x]]];
            tally->area++;
            tally->sure += row[coarse(x, across, size[1])];
            tally->right += x;
            tally->down += y;
        }
    }
}

/* Numbers the pieces of one owner together as nuclei where they are large enough.

   labels : (height, width), of pieces; of nuclei then.
   owner : (many,) by label, below `many`; the number of its nucleus then, 0 for none.
   sure : (sure_height, sure_width) mask of what is surely stained.
   pixel : area of a pixel; least_area, least_sure : of a nucleus, and of what is surely stained of it.
   middles : (many, 2), the centroids, are filled.

   Gives the number of nuclei, -1 where there is no memory. */
EXPORT int32_t leukoscope_numbered(uint16_t *labels, int32_t height, int32_t width, uint16_t *owner,
                                   int32_t many, const uint8_t *sure, int32_t sure_height,
                                   int32_t sure_width, double pixel, double least_area, double least_sure,
                                   float *middles) {
    const int32_t size[] = {sure_height, sure_width};
    Tally *tallies = calloc((size_t)many, sizeof *tallies);
    uint16_t *number = calloc((size_t)many, sizeof *number);
    int32_t nuclei = tallies && number ? 0 : -1;
    if (!nuclei) {
        add_up(labels, height, width, owner, many, sure, size, tallies);
        for (int32_t k = 1; k < many; k++) {
            const Tally *tally = &tallies[k];
            if (!(tally->area * pixel >= least_area && tally->sure * pixel >= least_sure)) continue;
            middles[2 * nuclei] = (float)((double)tally->right / (double)tally->area);
            middles[2 * nuclei + 1] = (float)((double)tally->down / (double)tally->area);
            number[k] = (uint16_t)++nuclei;
        }
        for (int32_t k = 0; k < many; k++) owner[k] = number[owner[k]];
        size_t end = (size_t)height * width;
        for (size_t i = 0; (i = next_labelled(labels, i, end)) < end; i++)
            labels[i] = labels[i] < many ? owner[labels[i]] : 0;
    }
    free(tallies);
    free(number);
    return nuclei;
}
