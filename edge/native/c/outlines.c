/* What edge/cells/outline.py does, which says why: the best closed outline round each nucleus, by dynamic
   programming in polar coordinates. One cell after the other, so that its rays stay in the cache. */
#include "core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ANGLES 40
#define STEPS 45
#define SAMPLES (ANGLES * STEPS)
#define LEAD (ANGLES / 4) /* rays followed twice, so that the ends of an outline meet */
enum { RING_FIRST = 2, RING = 4 }; /* samples beyond the nucleus, where nearly every cell has cytoplasm */
#define NEVER (-1e3f)
#define NOWHERE (1e3f * NEVER)

/* A field, what its colours mean, and how rays are cast and judged in it. */
struct field {
    const uint8_t *half;    /* (height, width, 3) RGB */
    const uint16_t *labels; /* (height, width) of the nuclei */
    int32_t height, width;
    const float *density;     /* (256,) optical density of a grey level; falls */
    const float *glass, *red; /* (3, 4) whitening of either population; there may be no red cells */
    const float *ways, *radii, *costs; /* (ANGLES, 2), (STEPS,) in pixels, (2 STEPS,) */
    float glass_mean, slope_cost, edge_gain, palest;
};

/* The rays of one cell, ray by ray. */
struct rays {
    float densities[3][SAMPLES], mean[SAMPLES], glass[SAMPLES], red[SAMPLES];
    float rating[SAMPLES], other[SAMPLES], value[SAMPLES];
    float best[2][ANGLES][STEPS + 4]; /* followed forth and back, with nowhere on either side */
    int32_t last[ANGLES];             /* samples until a ray has left the nucleus */
    uint16_t whose[SAMPLES];
    int32_t pixels[SAMPLES][4]; /* RGB in the lowest byte of each */
};

/* Where the samples of one ray lie: between which columns (in bytes) and rows, how far beyond the first of
   them, and in which pixel, if `there` has its bits set; 0 beyond the field. */
struct places {
    int32_t left[STEPS], right[STEPS], top[STEPS], bottom[STEPS], column[STEPS], row[STEPS], there[STEPS];
    float beyond_x[STEPS], beyond_y[STEPS];
};

typedef float colour __attribute__((vector_size(16)));
typedef int32_t levels __attribute__((vector_size(16)));

/* A part of what is compiled for several processors must be compiled within it. */
#define PART static inline __attribute__((always_inline))

#define ROUNDING 12582912.0f /* 1.5 × 2^23: a small number added to it is rounded, to even; and its bits */
#define ROUNDING_BITS 0x4b400000

PART float least(float a, float b) { return a < b ? a : b; }
PART float most(float a, float b) { return a > b ? a : b; }
PART int32_t within(int32_t v, int32_t last) {
    const int32_t low = v < last ? v : last;
    return low > 0 ? low : 0;
}

/* The nearest whole number, and the next below. */
PART int32_t rounded(float v) {
    const float sum = v + ROUNDING;
    int32_t bits;
    memcpy(&bits, &sum, 4);
    return bits - ROUNDING_BITS;
}
PART int32_t below(float v) {
    const int32_t whole = (int32_t)v;
    return whole - ((float)whole > v);
}

PART void place(const struct field *f, const float *middle, int ray, struct places *p) {
    const float across = f->ways[2 * ray], down = f->ways[2 * ray + 1], *radii = f->radii;
    const int32_t right = f->width - 1, bottom = f->height - 1;
    for (int k = 0; k < STEPS; k++) {
        const float x = middle[0] + across * radii[k], y = middle[1] + down * radii[k];
        const int32_t left = below(x), top = below(y), column = rounded(x), row = rounded(y);
        p->left[k] = 3 * within(left, right), p->right[k] = 3 * within(left + 1, right);
        p->top[k] = within(top, bottom), p->bottom[k] = within(top + 1, bottom);
        p->beyond_x[k] = x - (float)left, p->beyond_y[k] = y - (float)top;
        p->column[k] = within(column, right), p->row[k] = within(row, bottom);
        p->there[k] = -((column == p->column[k]) & (row == p->row[k]));
    }
}

/* A pixel's three levels times 1 / `UNSCALED`, which is exact in floating point, from it and a byte more. */
PART colour seen(const uint8_t *at) {
    int32_t one;
    memcpy(&one, at, 4);
    const levels three = (levels){one, one, one, one} & (levels){0xff, 0xff00, 0xff0000, 0};
    return __builtin_convertvector(three, colour);
}
static const colour UNSCALED = {1, 1 / 256.0f, 1 / 65536.0f, 0};

/* Colours and labels along a ray, by bilinear interpolation in floating point and of the nearest pixel, as
   cv2.remap of OpenCV 5 has them (of 4: in steps of a 32nd of a pixel); beyond the field it goes on as its
   edge, without labels. */
PART void look(const struct field *f, const struct places *p, struct rays *rays, int first) {
    const ptrdiff_t width = f->width;
    const uint8_t *half = f->half, *last = half + 3 * (f->height * width - 1);
    const uint8_t end[4] = {last[0], last[1], last[2]}; /* the last pixel has no byte more */
    const float *density = f->density;
    int32_t(*mixed)[4] = rays->pixels + first;
    for (int k = 0; k < STEPS; k++) {
        const uint8_t *upper = half + p->top[k] * 3 * width, *lower = half + p->bottom[k] * 3 * width;
        const int32_t left = p->left[k], right = p->right[k];
        const uint8_t *corners[4] = {upper + left, upper + right, lower + left, lower + right};
        if (corners[3] == last)
            for (int i = 0; i < 4; i++)
                corners[i] = corners[i] == last ? end : corners[i];
        const colour a = seen(corners[0]), b = seen(corners[1]), c = seen(corners[2]), d = seen(corners[3]);
        const colour above = a + p->beyond_x[k] * (b - a), under = c + p->beyond_x[k] * (d - c);
        const colour sum = (above + p->beyond_y[k] * (under - above)) * UNSCALED + ROUNDING;
        memcpy(mixed[k], &sum, sizeof sum);
    }
    for (int k = 0; k < STEPS; k++) {
        rays->whose[first + k] = f->labels[p->row[k] * width + p->column[k]] & (uint16_t)p->there[k];
        for (int channel = 0; channel < 3; channel++)
            rays->densities[channel][first + k] = density[mixed[k][channel] & 0xff];
    }
}

PART void leave(struct rays *rays, uint16_t label) {
    for (int i = 0; i < SAMPLES; i++)
        rays->other[i] = (float)((rays->whose[i] > 0) & (rays->whose[i] != label));
    for (int ray = 0; ray < ANGLES; ray++) {
        int32_t last = 0;
        for (int32_t k = 0; k < STEPS; k++)
            last = rays->whose[ray * STEPS + k] == label ? k + 1 : last;
        rays->last[ray] = last;
    }
}

/* Squared Mahalanobis distance of a colour, by (3, 4) whitening. */
PART float distance2(const float w[12], float r, float g, float b) {
    const float x = r * w[0] + (g * w[1] + (b * w[2] + w[3]));
    const float y = r * w[4] + (g * w[5] + (b * w[6] + w[7]));
    const float z = r * w[8] + (g * w[9] + (b * w[10] + w[11]));
    return x * x + y * y + z * z;
}

PART void compare(const struct field *f, struct rays *rays) {
    const float glass_mean = f->glass_mean;
    float glass[12], red[12];
    memcpy(glass, f->glass, sizeof glass);
    memcpy(red, f->red ? f->red : f->glass, sizeof red);
    for (int i = 0; i < SAMPLES; i++) {
        const float r = rays->densities[0][i], g = rays->densities[1][i], b = rays->densities[2][i];
        const float mean = r * (1 / 3.0f) + g * (1 / 3.0f) + b * (1 / 3.0f);
        rays->mean[i] = mean;
        rays->glass[i] = sqrtf(distance2(glass, r, g, b));
        rays->red[i] = distance2(red, r, g, b);
    }
    for (int i = 0; i < SAMPLES; i++) /* apart, or the square root is not taken of several at once */
        rays->glass[i] = rays->mean[i] >= glass_mean ? rays->glass[i] : 0;
    if (!f->red)
        for (int i = 0; i < SAMPLES; i++)
            rays->red[i] = 99;
}

/* The median colour in the ring round the nucleus; whether enough shows there. Where levels rise densities
   fall, so the counts of levels tell the median. */
static int cytoplasm(const struct field *f, const struct rays *rays, float usual[3]) {
    int ring[ANGLES * RING], count = 0, unlike = 0;
    for (int ray = 0; ray < ANGLES; ray++)
        for (int k = 0; k < RING && rays->last[ray] + RING_FIRST + k < STEPS; k++) {
            const int i = ray * STEPS + rays->last[ray] + RING_FIRST + k;
            if (rays->other[i] == 0 && rays->glass[i] > 3.5f) {
                ring[count++] = i;
                unlike += rays->red[i] > 4;
            }
        }
    if (unlike > 0.2 * count) { /* without what may be a red cell */
        int kept = 0;
        for (int j = 0; j < count; j++)
            if (rays->red[ring[j]] > 4)
                ring[kept++] = ring[j];
        count = kept;
    }
    if (count < 0.2 * (ANGLES * RING))
        return 0;
    for (int channel = 0; channel < 3; channel++) {
        uint8_t counts[256] = {0};
        for (int j = 0; j < count; j++)
            counts[rays->pixels[ring[j]][channel] & 0xff]++;
        int level = 255;
        for (int denser = counts[255]; denser <= count / 2; denser += counts[level])
            level--;
        usual[channel] = f->density[level];
    }
    return 1;
}

/* How much a colour is the cell's own, not glass or red cell; `red` gets it, `rating` by glass alone.
   The distance is Sherman and Morrison's (1950), of a cloud whose thickness varies by 0.3 and which scatters
   by 0.03 besides. */
PART void rate(const struct field *f, struct rays *rays, const float usual[3], int known) {
    const float noise2 = 0.03f * 0.03f, thickness2 = 0.3f * 0.3f, palest = f->palest;
    const float u0 = usual[0], u1 = usual[1], u2 = usual[2], size = u0 * u0 + u1 * u1 + u2 * u2;
    const float s0 = u0 / size, s1 = u1 / size, s2 = u2 / size;
    const float rank_one = size * size * (thickness2 / (noise2 + thickness2 * size));
    for (int i = 0; i < SAMPLES; i++) {
        const float r = rays->densities[0][i], g = rays->densities[1][i], b = rays->densities[2][i];
        const float share = r * s0 + g * s1 + b * s2, along = share - 1;
        const float all = r * r + g * g + b * b - (share + along) * size - along * along * rank_one;
        const float dense = (share - palest) / 0.1f, clear = (rays->glass[i] - 3) / 1.5f, away = all / noise2;
        const float own = known ? away : 6.0f, rating = known ? least(clear, dense) : clear;
        rays->rating[i] = rating;
        rays->red[i] = most(least(least(rating, (rays->red[i] - least(own, 9)) / 3), 1), -1);
    }
}

/* How good it is to cut a ray at each sample: all that is inside then, and how much changes there. */
PART void judge(const struct field *f, struct rays *rays, int ray) {
    const int first = ray * STEPS, last = rays->last[ray];
    const float *rating = rays->rating + first, *other = rays->other + first, *mean = rays->mean + first;
    const float *costs = f->costs + STEPS - last, *own = rays->red + first;
    float *value = rays->value + first;
    int end = 0;
    while (end < STEPS && !(rating[end] < -0.5f))
        end++;
    for (int k = 0; k < STEPS; k++) {
        const float kept = k < end ? own[k] : least(own[k], -0.1f);
        value[k] = (k < last ? 1.0f : kept) - 5 * other[k] - costs[k];
    }
    for (int k = 1; k < STEPS; k++)
        value[k] += value[k - 1];
    for (int k = 1; k < STEPS - 1; k++)
        value[k] += f->edge_gain * fabsf(mean[k - 1] - mean[k + 1]);
    for (int k = 0; k < last - 1; k++)
        value[k] = NEVER;
}

/* The best way to each sample from the rays before it, `step` being 1 forth and ANGLES - 1 back. */
PART void follow(const struct rays *rays, float best[ANGLES][STEPS + 4], int step, float slope_cost) {
    int ray = step == 1 ? ANGLES - LEAD : LEAD - 1;
    memcpy(best[ray] + 2, rays->value + ray * STEPS, STEPS * sizeof(float));
    for (int n = 1; n < LEAD + ANGLES; n++) {
        const float *before = best[ray];
        float one[STEPS + 2];
        for (int k = 0; k < STEPS + 2; k++)
            one[k] = most(most(before[k], before[k + 2]) - slope_cost, before[k + 1]);
        ray = (ray + step) % ANGLES;
        const float *value = rays->value + ray * STEPS;
        for (int k = 0; k < STEPS; k++)
            best[ray][k + 2] = value[k] + most(most(one[k], one[k + 2]) - slope_cost, one[k + 1]);
    }
}

PART void cut(const struct field *f, struct rays *rays, float radii[ANGLES]) {
    follow(rays, rays->best[0], 1, f->slope_cost);
    follow(rays, rays->best[1], ANGLES - 1, f->slope_cost);
    for (int ray = 0; ray < ANGLES; ray++) {
        const float *forth = rays->best[0][ray] + 2, *back = rays->best[1][ray] + 2;
        int at = 0;
        float top = 2 * NOWHERE;
        for (int k = 0; k < STEPS; k++) {
            const float through = forth[k] + back[k] - rays->value[ray * STEPS + k];
            at = through > top ? k : at;
            top = most(through, top);
        }
        radii[ray] = f->radii[at];
    }
}

VECTORS static void outline(const struct field *f, const float *middle, uint16_t label, struct rays *rays,
                            float *corners) {
    float usual[3] = {1, 1, 1}, radii[ANGLES];
    for (int ray = 0; ray < ANGLES; ray++) {
        struct places places;
        place(f, middle, ray, &places);
        look(f, &places, rays, ray * STEPS);
    }
    leave(rays, label);
    compare(f, rays);
    rate(f, rays, usual, cytoplasm(f, rays, usual));
    for (int ray = 0; ray < ANGLES; ray++)
        judge(f, rays, ray);
    cut(f, rays, radii);
    for (int ray = 0; ray < ANGLES; ray++) {
        const float before = radii[(ray + ANGLES - 1) % ANGLES], behind = radii[(ray + 1) % ANGLES];
        const float radius = (before + 2 * radii[ray] + behind) / 4;
        corners[2 * ray] = middle[0] + f->ways[2 * ray] * radius;
        corners[2 * ray + 1] = middle[1] + f->ways[2 * ray + 1] * radius;
    }
}

/* The (n, ANGLES, 2) corners of the cells round the nuclei whose (n, 2) middles are given. -1: no memory. */
EXPORT int32_t leukoscope_outlines(const struct field *field, const float *middles, int32_t n,
                                   float *corners) {
    struct rays *rays = malloc(sizeof *rays);
    if (!rays)
        return -1;
    for (int way = 0; way < 2; way++)
        for (int ray = 0; ray < ANGLES; ray++)
            for (int k = 0; k < STEPS + 4; k++)
                rays->best[way][ray][k] = NOWHERE;
    for (int32_t i = 0; i < n; i++)
        outline(field, middles + 2 * i, (uint16_t)(i + 1), rays, corners + 2 * ANGLES * (ptrdiff_t)i);
    free(rays);
    return 0;
}
