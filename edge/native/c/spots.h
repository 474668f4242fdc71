/* The pixels of a field on and near what is stained. */
#ifndef LEUKOSCOPE_SPOTS_H
#define LEUKOSCOPE_SPOTS_H

#include "components.h"
#include "levels.h"

/* A field and its spots, the pixels on and near what is stained, in one list. */
typedef struct {
    const uint8_t *pixels;
    int32_t height, width, count;
    int32_t *at;      /* places of the spots in the flat picture */
    uint32_t *colour; /* red, green and blue in its bytes */
    float *strength;  /* nuclear stain */
    uint16_t *blob, *core, *near; /* labels: of the body, what is nucleus in it, the nucleus within reach */
    Stretch *stretches; /* of spots of one group */
    uint16_t *sums;  /* of a row, and that row less noise */
    uint8_t *row;
    uint8_t *mask, *spare, *other; /* pictures */
    uint16_t *grown;
    Run *runs;
    Part *parts;
    void *memory;
} Field;

/* A field with nothing found yet: whether there was `memory`, which the caller then frees. */
int field_of(Field *field, const uint8_t *pixels, int32_t height, int32_t width);

/* The spots: what lies under a coarse mask of `size`, less noise; `stain` is what each grey level of a
   channel adds to the stain. Whether it is above the level stands in the field's mask. */
void find_spots(Field *field, const uint8_t *near, const int32_t size[2], float stain[CHANNELS][256],
                float level);

/* Keeps those spots that lie in a mask, and takes what body each belongs to from a picture. */
void keep_within(Field *field, const uint8_t *mask, const uint16_t *labels);

#endif
