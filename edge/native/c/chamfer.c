/* Distances on the pixel grid by two passes over the picture (Borgefors 1986), with the weights, the 16
   binary places and the order of comparisons of OpenCV, so that the answers are its own. */
#include "lobes.h"

enum { BESIDE_3 = 62587, CORNER_3 = 89738 };                   /* 0.955, 1.3693 pixels */
enum { BESIDE_5 = 65536, CORNER_5 = 91750, KNIGHT_5 = 143976 }; /* 1, 1.4, 2.1969 pixels */

static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* What a row's pixels are away by way of the row before. */
static inline void pass_3(int32_t *restrict row, const int32_t *restrict before, int32_t width)
{
    for (int32_t x = 0; x < width; x++)
        row[x] = least(least(row[x], before[x] + BESIDE_3), least(before[x - 1], before[x + 1]) + CORNER_3);
}

VECTORS void lobes_distance(int32_t *away, int32_t height, int32_t width)
{
    int32_t step = width + 2;
    for (int32_t y = 1; y <= height; y++) {
        int32_t *row = away + (ptrdiff_t)y * step + 1, last = row[-1];
        pass_3(row, row - step, width);
        for (int32_t x = 0; x < width; x++) row[x] = last = least(row[x], last + BESIDE_3);
    }
    for (int32_t y = height; y >= 1; y--) {
        int32_t *row = away + (ptrdiff_t)y * step + 1, last = row[width];
        pass_3(row, row + step, width);
        for (int32_t x = width - 1; x >= 0; x--) row[x] = last = least(row[x], last + BESIDE_3);
    }
}

/* Of equally near ones the first that is asked stays: `side` is 1 on the way down, -1 on the way up. */
static inline void pass_5(int32_t *restrict row, int32_t *restrict label, const int32_t *restrict before,
                          const int32_t *restrict its, const int32_t *restrict earlier,
                          const int32_t *restrict theirs, int32_t side, int32_t width)
{
    for (int32_t x = 0; x < width; x++) {
        int32_t nearest = row[x], of = label[x], other;
#define ASK(away, weight, name) other = (away) + (weight), of = other < nearest ? (name) : of, \
                                nearest = least(nearest, other)
        ASK(earlier[x - side], KNIGHT_5, theirs[x - side]);
        ASK(earlier[x + side], KNIGHT_5, theirs[x + side]);
        ASK(before[x - 2 * side], KNIGHT_5, its[x - 2 * side]);
        ASK(before[x - side], CORNER_5, its[x - side]);
        ASK(before[x], BESIDE_5, its[x]);
        ASK(before[x + side], CORNER_5, its[x + side]);
        ASK(before[x + 2 * side], KNIGHT_5, its[x + 2 * side]);
#undef ASK
        row[x] = nearest;
        label[x] = of;
    }
}

/* The pixels of a row one after the other, from `x` to before `end`. */
static inline void along_5(int32_t *row, int32_t *label, int32_t x, int32_t end, int32_t step)
{
    for (int32_t last = row[x - step], of = label[x - step]; x != end; x += step) {
        last += BESIDE_5;
        of = last < row[x] ? of : label[x];
        row[x] = last = least(last, row[x]);
        label[x] = of;
    }
}

VECTORS void lobes_nearest(int32_t *away, int32_t *label, int32_t height, int32_t width)
{
    ptrdiff_t step = width + 4;
    for (int32_t y = 2; y < height + 2; y++) {
        int32_t *row = away + y * step + 2, *own = label + y * step + 2;
        pass_5(row, own, row - step, own - step, row - 2 * step, own - 2 * step, 1, width);
        along_5(row, own, 0, width, 1);
    }
    for (int32_t y = height + 1; y >= 2; y--) {
        int32_t *row = away + y * step + 2, *own = label + y * step + 2;
        pass_5(row, own, row + step, own + step, row + 2 * step, own + 2 * step, -1, width);
        along_5(row, own, width - 1, -1, -1);
    }
}
