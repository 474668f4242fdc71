/* Levels that part what is stained from what is not, from how often each grey or stain is there. */
#ifndef LEUKOSCOPE_LEVELS_H
#define LEUKOSCOPE_LEVELS_H

#include "core.h"

enum { CHANNELS = 3, OTSU_BINS = 64 };

/* The level between two levels of stain that Otsu's (1979) threshold parts, from how many pixels are in each
   of its bins from 0 to `top`; -infinity unless they explain enough of the variance, are far apart, and
   neither is rare. */
float two_levels(const int32_t counts[OTSU_BINS], float top, double enough);

/* Colours side by side in a list, from `start` to before `end`, and the next ones of the same group, -1 where
   there are no more. */
typedef struct {
    int32_t start, end, next;
} Stretch;

/* The medians of the colours, red, green and blue in the bytes of each, of a group by its first stretch; the
   higher one of an even number. */
void medians(const uint32_t *colours, const Stretch *stretches, int32_t first, float out[CHANNELS]);

/* How often stains are there: pixels of `BINS` bins that are `width` wide, from `low` on. */
enum { BINS = 256 };
typedef struct {
    double low, width;
    int32_t counts[BINS];
} Stains;

/* The level that parts nuclei from the rest of a field, above the intermeans of its stains; `nucleus` is
   half the pixels of one, `least` the lowest level. See `threshold` in edge/cells/stain.py. */
double nuclear_level(const Stains *stains, double nucleus, double least);

#endif
