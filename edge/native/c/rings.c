/* The outer rings of cells and of their nuclei, as the records keep them (edge/records/outlines.py).

   Borders are followed as Suzuki and Abe do (Computer Vision, Graphics, and Image Processing 30, 1985), of each
   ring the corners are kept, and rings come in OpenCV's order: the one that begins lowest first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { BREAK = -32768 }; /* both coordinates, between two rings */
enum { OUTSIDE = 0, INSIDE = 1, BORDER = 2, RIGHT = -2 }; /* RIGHT: border with nothing on its right */

/* What is written: pairs x, y, as many as there is room for; `count` goes on. */
typedef struct {
    int16_t *points;
    int64_t room, count;
} Kept;

/* Where a box of the picture lies in the frame. */
typedef struct {
    double left, top, scale;
    int32_t x, y;
} Place;

/* A mask with a rim of one pixel, and the steps to a pixel's neighbours: from the right, against the clock. */
typedef struct {
    int8_t *pixels;
    int32_t height, width;
    int32_t steps[8];
} Mask;

static const int8_t ACROSS[] = {1, 1, 0, -1, -1, -1, 0, 1}, DOWN[] = {0, -1, -1, -1, 0, 1, 1, 1};

static void put(Kept *kept, int16_t x, int16_t y) {
    if (kept->count < kept->room) {
        kept->points[2 * kept->count] = x;
        kept->points[2 * kept->count + 1] = y;
    }
    kept->count++;
}

static inline int16_t placed(int32_t at, double corner, double scale, int32_t origin) {
    return (int16_t)(int32_t)(rint((at + corner) * scale - 0.5) - origin);
}

static void put_corner(Kept *kept, const Place *place, int32_t x, int32_t y) {
    put(kept, placed(x, place->left, place->scale, place->x), placed(y, place->top, place->scale, place->y));
}

/* The way from a ring's first pixel to its last; nowhere, -1, from a pixel alone. */
static int last_way(const Mask *mask, const int8_t *first) {
    for (int way = 3, k = 0; k < 7; k++, way = (way + 7) & 7)
        if (first[mask->steps[way]]) return way;
    return -1;
}

/* Follows the ring that begins at (x, y), marks it and writes down its corners. */
static void follow(const Mask *mask, int32_t x, int32_t y, const Place *place, Kept *kept) {
    int8_t *first = mask->pixels + (ptrdiff_t)(y + 1) * (mask->width + 2) + x + 1, *at = first;
    int from = last_way(mask, first), before = from ^ 4;
    if (from < 0) {
        *first = RIGHT;
        put_corner(kept, place, x, y);
        return;
    }
    const int8_t *last = first + mask->steps[from];
    for (;;) {
        int way = from + 1;
        while (!at[mask->steps[way & 7]]) way++;
        if (way > 8) *at = RIGHT; /* nothing lies on the right, which was passed */
        else if (*at == INSIDE) *at = BORDER;
        way &= 7;
        if (way != before) put_corner(kept, place, x, y);
        int8_t *next = at + mask->steps[way];
        if (next == first && at == last) return;
        x += ACROSS[way];
        y += DOWN[way];
        before = way;
        at = next;
        from = way ^ 4;
    }
}

/* Where rings begin, in order: how many. A ring in a hole of another is none of the outer ones. */
static int32_t follow_all(const Mask *mask, const Place *place, Kept *kept) {
    int32_t rings = 0;
    for (int32_t y = 0; y < mask->height; y++) {
        const int8_t *row = mask->pixels + (ptrdiff_t)(y + 1) * (mask->width + 2) + 1;
        int within = 0;
        for (int32_t x = 0; x < mask->width; x++) {
            if (row[x] == INSIDE && row[x - 1] == OUTSIDE && !within) {
                if (rings++) put(kept, BREAK, BREAK);
                follow(mask, x, y, place, kept);
            }
            if (row[x] & ~INSIDE) within = row[x] > 0;
        }
    }
    return rings;
}

static void turned(int16_t *points, int64_t from, int64_t to) {
    for (to--; from < to; from++, to--) {
        int16_t point[2];
        memcpy(point, points + 2 * from, sizeof point);
        memcpy(points + 2 * from, points + 2 * to, sizeof point);
        memcpy(points + 2 * to, point, sizeof point);
    }
}

/* The last ring first: all points turned round, and those of each ring back again. */
static void last_first(int16_t *points, int64_t from, int64_t to) {
    turned(points, from, to);
    for (int64_t end = from; from < to; from = ++end) {
        while (end < to && points[2 * end] != BREAK) end++;
        turned(points, from, end);
    }
}

/* The rings of a mask behind those that are kept already. */
static void keep(const Mask *mask, const Place *place, Kept *kept) {
    int64_t begun = kept->count;
    if (follow_all(mask, place, kept) > 1 && kept->count <= kept->room)
        last_first(kept->points, begun, kept->count);
}

VECTORS static void equal(const int32_t *restrict labels, int32_t number, int32_t width, int8_t *restrict out) {
    for (int32_t x = 0; x < width; x++) out[x] = labels[x] == number;
}

VECTORS static void both(const int32_t *restrict labels, int32_t number, const uint8_t *restrict nuclei,
                         int32_t width, int8_t *restrict out) {
    for (int32_t x = 0; x < width; x++) out[x] = (labels[x] == number) & nuclei[x];
}

/* What is labelled with a number in a box of the picture; of that the nucleus, where `nuclei` is given. */
static void cut(Mask *mask, const int32_t *labels, const uint8_t *nuclei, int32_t width, const int32_t *box,
                int32_t number) {
    mask->width = box[2] - box[0];
    mask->height = box[3] - box[1];
    const int32_t line = mask->width + 2;
    for (int k = 0; k < 8; k++) mask->steps[k] = DOWN[k] * line + ACROSS[k];
    memset(mask->pixels, OUTSIDE, (size_t)line * (size_t)(mask->height + 2));
    for (int32_t y = 0; y < mask->height; y++) {
        size_t at = (size_t)(box[1] + y) * (size_t)width + (size_t)box[0];
        int8_t *row = mask->pixels + (size_t)(y + 1) * (size_t)line + 1;
        if (nuclei) both(labels + at, number, nuclei + at, mask->width, row);
        else equal(labels + at, number, mask->width, row);
    }
}

static size_t most_pixels(const int32_t *boxes, int32_t n) {
    size_t most = 1;
    for (const int32_t *box = boxes; box < boxes + 4 * (size_t)n; box += 4) {
        size_t pixels = (size_t)(box[2] - box[0] + 2) * (size_t)(box[3] - box[1] + 2);
        if (pixels > most) most = pixels;
    }
    return most;
}

/* The outer rings of cells and of their nuclei.

   labels, nuclei : (height, width), by number which cell a pixel belongs to, and whether to its nucleus.
   numbers : (n,), of the cells. boxes : (n, 4), in which they lie: left, top, right, bottom in the picture.
   origins : (n, 2), x and y in pixels of the frame, which are counted from there; there are `scale` of them
   along a pixel of the picture.
   points : (room, 2), x and y, is filled as far as there is room; a pair of BREAK parts two rings.
   ends : (n, 2), how many points there are up to the end of each cell's and of its nucleus's.

   Gives the number of points, which may be more than `room`; -1 where there is no memory. */
EXPORT int64_t leukoscope_rings(const int32_t *labels, const uint8_t *nuclei, int32_t width, const int32_t *numbers,
                                const int32_t *boxes, const int32_t *origins, int32_t n, double scale,
                                int16_t *points, int64_t room, int64_t *ends) {
    Mask mask = {.pixels = malloc(most_pixels(boxes, n))};
    if (!mask.pixels) return -1;
    Kept kept = {points, room, 0};
    for (int32_t i = 0; i < n; i++) {
        const int32_t *box = boxes + 4 * (size_t)i, *origin = origins + 2 * (size_t)i;
        const Place place = {box[0] + 0.5, box[1] + 0.5, scale, origin[0], origin[1]};
        for (int part = 0; part < 2; part++) {
            cut(&mask, labels, part ? nuclei : NULL, width, box, numbers[i]);
            keep(&mask, &place, &kept);
            ends[2 * (size_t)i + (size_t)part] = kept.count;
        }
    }
    free(mask.pixels);
    return kept.count;
}
