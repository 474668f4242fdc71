/* Populations of colours as normal distributions of their optical densities. */
#ifndef LEUKOSCOPE_CLOUDS_H
#define LEUKOSCOPE_CLOUDS_H

#include "levels.h"

/* Colours in a list, three channels each. */
typedef struct {
    float *at;
    int32_t count;
} Colours;

/* A population: its mean, and the affine map that takes colours to deviations of unit variance from it. */
typedef struct {
    float mean[CHANNELS], whitening[CHANNELS][CHANNELS + 1];
} Cloud;

/* The cloud of colours, at least `noise` wide in every direction; `thickness` is by how much the layer of
   stain varies, relative to its mean. */
Cloud cloud_of(Colours colours, double noise, double thickness);

/* Fisher's linear discriminant between a mean and the rest with the glass, no more than `most` of each: the
   direction, and how many standard deviations of the rest they lie apart. */
double fisher(const double mean[CHANNELS], Colours rest, Colours glass, int32_t most,
              float direction[CHANNELS]);

#endif
