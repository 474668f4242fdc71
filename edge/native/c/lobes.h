/* What lobes.c and necks.c ask of shapes. */
#ifndef LEUKOSCOPE_LOBES_H
#define LEUKOSCOPE_LOBES_H

#include "core.h"

typedef struct { int32_t x, y; } Point;

/* First and last pixel of a body in a row; the first lies right of the last where it has none. */
typedef struct { int32_t first, last; } Row;
#define NO_ROW ((Row){INT32_MAX, -1})

/* Right and bottom are past the last pixel. */
typedef struct { int32_t left, top, right, bottom; } Box;

#define ONE_PIXEL 65536 /* distances are in 65536ths of a pixel */
#define FAR (INT32_MAX >> 2)

/* Whether each of n boxes is one in a picture. */
static inline int lobes_within(const Box *boxes, int32_t n, int32_t height, int32_t width)
{
    int all = 1;
    for (int32_t i = 0; i < n; i++) {
        Box b = boxes[i];
        all &= 0 <= b.left && b.left <= b.right && b.right <= width;
        all &= 0 <= b.top && b.top <= b.bottom && b.bottom <= height;
    }
    return all;
}
#define BEYOND (-2) /* what a function gives where one is not, or a label has none */

/* The rows of a body become those of its convex hull; gives the hull's area in pixels.
   `corners` has room for 2 * height points. */
int64_t lobes_hull(Row *rows, int32_t height, Point *corners);

/* The distance of every pixel from the nearest that is 0. `away` is FAR or 0 on the way in and has a margin
   of one pixel all round, where distances are taken as they are. */
void lobes_distance(int32_t *away, int32_t height, int32_t width);

/* The same from a wider mask, and the label of that nearest pixel; margins of two pixels, FAR in `away`. */
void lobes_nearest(int32_t *away, int32_t *label, int32_t height, int32_t width);

#endif
