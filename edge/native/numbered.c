/* The last step of edge/cells/nuclei.py: pieces of one owner numbered together as nuclei. */
#include "components.h"

#include <stdlib.h>

/* What is known of the pixels of one owner: how many, how many surely stained, and the sums of x and y. */
typedef struct {
    int64_t area, sure, right, down;
} Tally;

/* Adds up a label picture, by the owners of labels below `many`. */
static void add_up(const uint16_t *labels, int32_t height, int32_t width, const uint16_t *owner, int32_t many,
                   const uint8_t *sure, const int32_t size[2], Tally *tallies) {
    double down = step_of(height, size[0]), across = step_of(width, size[1]);
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = sure + (size_t)coarse(y, down, size[0]) * size[1];
        for (int32_t x = 0; x < width; x++, labels++) {
            if (!*labels || *labels >= many) continue;
            Tally *tally = &tallies[owner[*labels]];
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
EXPORT int32_t leukoscope_numbered(uint16_t *labels, int32_t height, int32_t width, uint16_t *owner, int32_t many,
                                   const uint8_t *sure, int32_t sure_height, int32_t sure_width, double pixel,
                                   double least_area, double least_sure, float *middles) {
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
        for (size_t i = 0; i < (size_t)height * width; i++)
            if (labels[i]) labels[i] = labels[i] < many ? owner[labels[i]] : 0;
    }
    free(tallies);
    free(number);
    return nuclei;
}
