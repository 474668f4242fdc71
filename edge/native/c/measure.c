/* What edge/cells/measure.py does, which says why: cells drawn at twice the resolution of the grid that they
   were found on, and measured there. */
#include "core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT 4             /* of corners: they lie on sixteenths of a pixel */
#define FIXED 16            /* and crossings of a row on 65536ths, */
#define FINER (1 << (FIXED - SHIFT))
#define FAR (1 << 29)       /* as distances do */
#define STRAIGHT 65536      /* the steps of Borgefors' 5 × 5 distance (1986): 1, */
#define DIAGONAL 91750      /* 1.4 */
#define KNIGHT 143976       /* and 2.1969 */

struct box {
    int32_t left, top, right, bottom;
};

/* The nuclei of a field on the grid that they were found on, and how their edges rise through `edge`. */
struct nuclei {
    const uint16_t *labels;
    const uint8_t *rise;
    const struct box *boxes;
    int32_t height, width, n, edge;
};

/* What is drawn: (height, width) labels of cells, and what is nucleus. */
struct picture {
    int32_t *labels;
    uint8_t *nuclear;
    int32_t height, width;
};

static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

static inline struct box within(struct box b, int32_t height, int32_t width) {
    return (struct box){most(b.left, 0), most(b.top, 0), least(b.right, width), least(b.bottom, height)};
}
static inline struct box spanning(struct box a, struct box b) {
    return (struct box){least(a.left, b.left), least(a.top, b.top), most(a.right, b.right),
                        most(a.bottom, b.bottom)};
}

/* A closed outline, its corners in sixteenths of a pixel from left to right and in whole rows. */
struct polygon {
    int32_t count, *across, *row; /* (count,) each */
    int64_t *crossings;           /* (count,), of one row */
};

static inline int32_t whole(int32_t sixteenths) { return (sixteenths + (1 << SHIFT >> 1)) >> SHIFT; }

/* Where a row crosses the outline, in order. */
static int32_t crossed(const struct polygon *p, int32_t y) {
    int32_t found = 0;
    for (int32_t a = p->count - 1, b = 0; b < p->count; a = b++) {
        if ((y < p->row[a]) == (y < p->row[b]))
            continue;
        const int32_t upper = p->row[a] < p->row[b] ? a : b;
        const int64_t from = (int64_t)p->across[a] * FINER, to = (int64_t)p->across[b] * FINER;
        const int64_t slope = (to - from) / (p->row[b] - p->row[a]);
        const int64_t x = (upper == a ? from : to) + (y - p->row[upper]) * slope;
        int32_t at = found++;
        for (; at && p->crossings[at - 1] > x; at--)
            p->crossings[at] = p->crossings[at - 1];
        p->crossings[at] = x;
    }
    return found;
}

/* The pixels from one corner to another, those next to the line when it is followed from left to right. */
static void line(const struct polygon *p, int32_t a, int32_t b, struct box box, uint8_t *filled) {
    const int32_t left = whole(p->across[a]) <= whole(p->across[b]) ? a : b, right = a + b - left;
    int32_t x = whole(p->across[left]) - box.left, y = p->row[left] - box.top;
    const int32_t width = box.right - box.left, height = box.bottom - box.top;
    const int32_t across = whole(p->across[right]) - box.left - x, down = p->row[right] - box.top - y;
    const int32_t step = down < 0 ? -1 : 1, steep = abs(down) > across;
    const int32_t many = steep ? abs(down) : across, few = steep ? across : abs(down);
    int32_t rest = many - 2 * few;
    for (int32_t k = 0; k <= many; k++) {
        if (x >= 0 && x < width && y >= 0 && y < height)
            filled[(ptrdiff_t)y * width + x] = 1;
        const int32_t both = rest < 0;
        x += both | !steep;
        y += step * (both | steep);
        rest += 2 * (many * both - few);
    }
}

/* The pixels of a box whose middle an outline holds, and those on it, as cv2.fillPoly has them. */
static void fill(const struct polygon *p, struct box box, uint8_t *filled) {
    const int32_t width = box.right - box.left;
    memset(filled, 0, (size_t)width * (size_t)(box.bottom - box.top));
    for (int32_t y = box.top; y < box.bottom; y++) {
        const int32_t crossings = crossed(p, y);
        for (int32_t i = 0; i + 1 < crossings; i += 2) {
            const int64_t from = (p->crossings[i] + (1 << FIXED) - 1) >> FIXED;
            const int64_t to = p->crossings[i + 1] >> FIXED;
            const int64_t first = from > box.left ? from - box.left : 0;
            const int64_t last = to < box.right ? to - box.left : width - 1;
            if (first <= last)
                memset(filled + (ptrdiff_t)(y - box.top) * width + first, 1, (size_t)(last - first + 1));
        }
    }
    for (int32_t a = p->count - 1, b = 0; b < p->count; a = b++)
        line(p, a, b, box, filled);
}

/* Give a cell what it fills and nobody has; others' is left in `filled`. How many pixels that are. */
VECTORS static int32_t take(struct picture *picture, struct box box, uint8_t *restrict filled,
                            int32_t label) {
    const int32_t width = box.right - box.left;
    int32_t disputed = 0;
    for (int32_t y = box.top; y < box.bottom; y++, filled += width) {
        int32_t *restrict labels = picture->labels + (ptrdiff_t)y * picture->width + box.left;
        for (int32_t x = 0; x < width; x++) {
            const int32_t inside = -(int32_t)filled[x], had = labels[x];
            disputed += inside & (had != 0);
            labels[x] = had == 0 ? inside & label : had;
            filled[x] = (uint8_t)(inside & (had != 0));
        }
    }
    return disputed;
}

/* A nucleus and how far it is. */
struct source {
    int32_t away, owner;
};

static inline struct source nearer(struct source best, int32_t away, int32_t owner) {
    const int32_t closer = -(away < best.away);
    return (struct source){least(away, best.away), (owner & closer) | (best.owner & ~closer)};
}

/* A row of distances and owners, from the two rows before it and then from the pixel before, `step` away. */
VECTORS static void spread(int32_t *restrict away, int32_t *restrict owner, const int32_t *restrict away1,
                           const int32_t *restrict owner1, const int32_t *restrict away2,
                           const int32_t *restrict owner2, int32_t width, int32_t step) {
    for (int32_t x = 0; x < width; x++) {
        struct source best = {away[x], owner[x]};
        best = nearer(best, away2[x - step] + KNIGHT, owner2[x - step]);
        best = nearer(best, away2[x + step] + KNIGHT, owner2[x + step]);
        best = nearer(best, away1[x - 2 * step] + KNIGHT, owner1[x - 2 * step]);
        best = nearer(best, away1[x - step] + DIAGONAL, owner1[x - step]);
        best = nearer(best, away1[x] + STRAIGHT, owner1[x]);
        best = nearer(best, away1[x + step] + DIAGONAL, owner1[x + step]);
        best = nearer(best, away1[x + 2 * step] + KNIGHT, owner1[x + 2 * step]);
        away[x] = best.away, owner[x] = best.owner;
    }
    int32_t x = step > 0 ? 0 : width - 1, nearest = FAR, whose = 0;
    for (int32_t k = 0; k < width; k++, x += step) {
        const int32_t further = nearest + STRAIGHT;
        whose = further < away[x] ? whose : owner[x];
        nearest = least(further, away[x]);
        away[x] = nearest, owner[x] = whose;
    }
}

/* The nearest nucleus to each pixel of a window: two planes of (height + 4, width + 4), distances and owners,
   which the caller frees; NULL where there is no memory. */
static int32_t *nearest(const struct nuclei *nuclei, struct box window) {
    const int32_t width = window.right - window.left, height = window.bottom - window.top;
    const ptrdiff_t row = width + 4, plane = row * (height + 4);
    int32_t *away = malloc(2 * (size_t)plane * sizeof(int32_t)), *owner = away + plane;
    if (!away)
        return NULL;
    for (ptrdiff_t i = 0; i < plane; i++)
        away[i] = FAR, owner[i] = 0;
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *labels = nuclei->labels + (ptrdiff_t)(y + window.top) * nuclei->width + window.left;
        for (int32_t x = 0; x < width; x++) {
            away[(y + 2) * row + x + 2] = labels[x] ? 0 : FAR;
            owner[(y + 2) * row + x + 2] = labels[x];
        }
    }
    for (int32_t step = 1; step >= -1; step -= 2)
        for (int32_t k = 0; k < height; k++) {
            int32_t *here = away + ((step > 0 ? k : height - 1 - k) + 2) * row + 2, *whose = here + plane;
            const ptrdiff_t back = step * row;
            spread(here, whose, here - back, whose - back, here - 2 * back, whose - 2 * back, width, step);
        }
    return away;
}

/* Of what a cell fills and others have it gets what its nucleus is the nearest to. -1: no memory. */
static int settle(struct picture *picture, const struct nuclei *nuclei, struct box box,
                  const uint8_t *disputed, int32_t label) {
    const int32_t width = box.right - box.left, down = nuclei->height - 1, across = nuclei->width - 1;
    const uint8_t *end = disputed + (ptrdiff_t)width * (box.bottom - box.top);
    struct box window = nuclei->boxes[label - 1];
    int32_t *labels = picture->labels + (ptrdiff_t)box.top * picture->width + box.left, other = label;
    for (const uint8_t *at = disputed; (at = memchr(at, 1, (size_t)(end - at))); at++) {
        const int32_t y = (int32_t)((at - disputed) / width), x = (int32_t)((at - disputed) % width);
        const int32_t left = least((box.left + x) / 2, across), top = least((box.top + y) / 2, down);
        const int32_t had = labels[(ptrdiff_t)y * picture->width + x];
        window = spanning(window, (struct box){left, top, left + 1, top + 1});
        if (had != other)
            window = spanning(window, nuclei->boxes[(other = had) - 1]);
    }
    window = within(window, nuclei->height, nuclei->width);
    int32_t *away = nearest(nuclei, window);
    if (!away)
        return -1;
    const ptrdiff_t row = window.right - window.left + 4;
    const int32_t *owner = away + row * (window.bottom - window.top + 4) + 2 * row + 2;
    for (const uint8_t *at = disputed; (at = memchr(at, 1, (size_t)(end - at))); at++) {
        const int32_t y = (int32_t)((at - disputed) / width), x = (int32_t)((at - disputed) % width);
        const int32_t left = least((box.left + x) / 2, across), top = least((box.top + y) / 2, down);
        if (owner[(top - window.top) * row + left - window.left] == label)
            labels[(ptrdiff_t)y * picture->width + x] = label;
    }
    free(away);
    return 0;
}

/* An outline on the nuclei's grid, brought onto the picture as polygon; gives the box round the cell. */
static struct box bring(const float *corners, struct polygon *p, struct box nucleus,
                        const struct picture *picture) {
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int32_t i = 0; i < p->count; i++) {
        const float fine[2] = {corners[2 * i] * 2 + 0.5f, corners[2 * i + 1] * 2 + 0.5f};
        p->across[i] = (int32_t)lrintf(fine[0] * (1 << SHIFT));
        p->row[i] = whole((int32_t)lrintf(fine[1] * (1 << SHIFT)));
        for (int k = 0; k < 2; k++) {
            low[k] = fine[k] < low[k] ? fine[k] : low[k];
            high[k] = fine[k] > high[k] ? fine[k] : high[k];
        }
    }
    const struct box outline = {(int32_t)floorf(low[0]), (int32_t)floorf(low[1]), (int32_t)ceilf(high[0]) + 1,
                                (int32_t)ceilf(high[1]) + 1};
    const struct box twice = {2 * nucleus.left - 2, 2 * nucleus.top - 2, 2 * nucleus.right + 2,
                              2 * nucleus.bottom + 2};
    const struct box both = spanning(outline, twice), field = {0, 0, picture->width, picture->height};
    return (struct box){most(least(both.left, field.right - 1), 0),
                        most(least(both.top, field.bottom - 1), 0),
                        least(most(both.right, 1), field.right), least(most(both.bottom, 1), field.bottom)};
}

/* A nucleus's rise, 0 but on it and the free pixels next to it, (height, width + 2) with its edge repeated;
   `own` is (height + 2, width + 2) of scratch. */
VECTORS static void zone(const struct nuclei *nuclei, struct box box, uint16_t label, uint8_t *own,
                         uint8_t *rise) {
    const int32_t width = box.right - box.left, height = box.bottom - box.top;
    const ptrdiff_t row = width + 2, first = (ptrdiff_t)box.top * nuclei->width + box.left;
    memset(own, 0, (size_t)(row * (height + 2)));
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *labels = nuclei->labels + first + (ptrdiff_t)y * nuclei->width;
        uint8_t *restrict out = own + (y + 1) * row + 1;
        for (int32_t x = 0; x < width; x++)
            out[x] = labels[x] == label;
    }
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *labels = nuclei->labels + first + (ptrdiff_t)y * nuclei->width;
        const uint8_t *risen = nuclei->rise + first + (ptrdiff_t)y * nuclei->width;
        const uint8_t *above = own + y * row, *here = above + row, *below = here + row;
        uint8_t *restrict out = rise + y * row + 1;
        for (int32_t x = 0; x < width; x++) {
            const uint8_t beside = above[x] | above[x + 1] | above[x + 2] | here[x] | here[x + 2] |
                                   below[x] | below[x + 1] | below[x + 2];
            const uint8_t in = here[x + 1] | (beside & (labels[x] == 0));
            out[x] = risen[x] & (uint8_t)-in;
        }
        out[-1] = out[0], out[width] = out[width - 1];
    }
}

/* A row of a nucleus at twice the resolution, by bilinear interpolation rounded as cv2.resize does it: what
   is above the edge a quarter beyond `near` on the way to `next`. */
VECTORS static void sharpen(const uint8_t *near, const uint8_t *next, int32_t width, int32_t edge,
                            uint8_t *restrict mask) {
    for (int32_t x = 0; x < width; x++) {
        const int32_t left = (3 * (near[x - 1] + 3 * near[x]) >> 2) + ((next[x - 1] + 3 * next[x]) >> 2);
        const int32_t right = (3 * (near[x + 1] + 3 * near[x]) >> 2) + ((next[x + 1] + 3 * next[x]) >> 2);
        mask[2 * x] = (left + 2) >> 2 > edge;
        mask[2 * x + 1] = (right + 2) >> 2 > edge;
    }
}

VECTORS static void ink(const uint8_t *mask, int32_t width, int32_t label, int32_t *restrict labels,
                        uint8_t *restrict nuclear) {
    for (int32_t x = 0; x < width; x++) {
        const int32_t in = -(int32_t)mask[x];
        labels[x] = (labels[x] & ~in) | (label & in);
    }
    for (int32_t x = 0; x < width; x++)
        nuclear[x] |= mask[x];
}

/* Draw a nucleus. -1: no memory. */
static int draw(struct picture *picture, const struct nuclei *nuclei, int32_t label) {
    const struct box tight = nuclei->boxes[label - 1];
    const struct box wide = {tight.left - 1, tight.top - 1, tight.right + 1, tight.bottom + 1};
    const struct box box = within(wide, nuclei->height, nuclei->width);
    const int32_t width = box.right - box.left, height = box.bottom - box.top;
    const int32_t across = least(2 * width, picture->width - 2 * box.left);
    const ptrdiff_t row = width + 2;
    if (width <= 0 || height <= 0)
        return 0;
    uint8_t *own = malloc((size_t)(row * (2 * height + 4)));
    if (!own)
        return -1;
    uint8_t *rise = own + row * (height + 2), *mask = rise + row * height;
    zone(nuclei, box, (uint16_t)label, own, rise);
    for (int32_t y = 2 * box.top; y < least(2 * box.bottom, picture->height); y++) {
        const int32_t near = y / 2 - box.top, next = most(least(near + (y & 1 ? 1 : -1), height - 1), 0);
        sharpen(rise + near * row + 1, rise + next * row + 1, width, nuclei->edge, mask);
        const ptrdiff_t at = (ptrdiff_t)y * picture->width + 2 * box.left;
        ink(mask, across, label, picture->labels + at, picture->nuclear + at);
    }
    free(own);
    return 0;
}

/* Draw the (n, count, 2) outlines of cells and their nuclei, and tell the box round each. -1: no memory. */
EXPORT int32_t leukoscope_drawn(const struct nuclei *nuclei, const float *corners, int32_t count,
                                struct picture *picture, struct box *boxes) {
    int32_t *places = malloc((size_t)count * (2 * sizeof(int32_t) + sizeof(int64_t)));
    int failed = places ? 0 : -1;
    struct polygon polygon = {count, places + 2 * count, places + 3 * count, (int64_t *)places};
    for (int32_t i = 0; i < nuclei->n && !failed; i++) {
        const float *outline = corners + 2 * count * (ptrdiff_t)i;
        const struct box box = boxes[i] = bring(outline, &polygon, nuclei->boxes[i], picture);
        uint8_t *filled = malloc((size_t)(box.right - box.left) * (size_t)(box.bottom - box.top));
        failed = filled ? 0 : -1;
        if (filled) {
            fill(&polygon, box, filled);
            if (take(picture, box, filled, i + 1))
                failed = settle(picture, nuclei, box, filled, i + 1);
        }
        free(filled);
    }
    for (int32_t i = 0; i < nuclei->n && !failed; i++)
        failed = draw(picture, nuclei, i + 1);
    free(places);
    return failed;
}

/* What a row shows of a cell. */
struct row {
    uint32_t size, sum, nuclear; /* pixels, the sum of their x, those that are nuclear */
    int32_t first, last;
};

VECTORS static struct row count(const int32_t *labels, const uint8_t *nuclei, int32_t width, int32_t label) {
    uint32_t size = 0, sum = 0, nuclear = 0;
    int32_t first = width, last = -1;
    for (int32_t x = 0; x < width; x++) {
        const int32_t in = -(labels[x] == label);
        size += (uint32_t)in & 1;
        sum += (uint32_t)(x & in);
        nuclear += (uint32_t)(nuclei[x] & in);
        first = least(first, x | (~in & INT32_MAX)); /* INT32_MAX where it is another's */
        last = most(last, x | ~in);                  /* and -1 */
    }
    return (struct row){size, sum, nuclear, first, last};
}

/* Of each cell, labelled from 1 on a (height, width) picture and held by a box: its extent, its (2,) pixels
   and nuclear pixels, the (2,) x and y of its middle, in single precision; not a number where it has none. */
EXPORT void leukoscope_measured(const int32_t *labels, const uint8_t *nuclei, int32_t height, int32_t width,
                                const struct box *boxes, int32_t n, struct box *extents, float *pixels,
                                double *middles) {
    for (int32_t i = 0; i < n; i++) {
        const struct box box = within(boxes[i], height, width);
        struct box extent = {box.right, box.bottom, box.left, box.top};
        double size = 0, nuclear = 0, x = 0, y = 0;
        for (int32_t k = box.top; k < box.bottom; k++) {
            const ptrdiff_t at = (ptrdiff_t)k * width + box.left;
            const struct row row = count(labels + at, nuclei + at, box.right - box.left, i + 1);
            if (!row.size)
                continue;
            size += row.size, nuclear += row.nuclear, x += row.sum, y += (double)row.size * (k - box.top);
            extent = spanning(extent, (struct box){box.left + row.first, k, box.left + row.last + 1, k + 1});
        }
        extents[i] = size > 0 ? extent : (struct box){box.left, box.top, box.left, box.top};
        pixels[2 * i] = (float)size, pixels[2 * i + 1] = (float)nuclear;
        middles[2 * i] = (float)box.left + (float)x / pixels[2 * i] + 0.5f;
        middles[2 * i + 1] = (float)box.top + (float)y / pixels[2 * i] + 0.5f;
    }
}
