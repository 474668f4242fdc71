/* The convex hull of a body of pixels, by Andrew's monotone chain (1979) down its left and its right side,
   filled as OpenCV fills a convex polygon: what lies between its sides, and all that Bresenham's lines (1965)
   between its corners touch. */
#include "lobes.h"

static void reach(Row *row, int32_t x)
{
    if (x < row->first) row->first = x;
    if (x > row->last) row->last = x;
}

/* The corners of one side, from the top; gives their number. */
static int32_t chain(const Row *rows, int32_t height, int is_right, Point *corners)
{
    int32_t n = 0;
    for (int32_t y = 0; y < height; y++) {
        if (rows[y].first > rows[y].last) continue;
        Point next = {is_right ? rows[y].last : rows[y].first, y};
        for (; n > 1; n--) {
            Point a = corners[n - 2], b = corners[n - 1];
            int64_t turn = (int64_t)(b.x - a.x) * (next.y - a.y) - (int64_t)(next.x - a.x) * (b.y - a.y);
            if (is_right ? turn > 0 : turn < 0) break;
        }
        corners[n++] = next;
    }
    return n;
}

/* Half-way between two pixels it takes that on the side of its left end. */
static void line(Row *rows, Point from, Point to)
{
    if (from.x > to.x) {
        Point swapped = from;
        from = to;
        to = swapped;
    }
    int32_t across = to.x - from.x, step = to.y < from.y ? -1 : 1, down = (to.y - from.y) * step;
    int steep = down > across;
    int32_t longer = steep ? down : across, shorter = steep ? across : down;
    int32_t rest = longer - 2 * shorter;
    for (int32_t left = longer; left >= 0; left--) {
        reach(rows + from.y, from.x);
        int aside = rest < 0;
        if (steep || aside) from.y += step;
        if (!steep || aside) from.x++;
        rest += (aside ? 2 * longer : 0) - 2 * shorter;
    }
}

/* Where a side crosses the rows' middles, to the nearest pixel. */
static void side(Row *rows, Point from, Point to)
{
    int64_t down = to.y - from.y, x = (int64_t)from.x * ONE_PIXEL + ONE_PIXEL / 2;
    int64_t slope = ((int64_t)(to.x - from.x) * 2 * ONE_PIXEL + down) / (2 * down);
    for (int32_t y = from.y; y < to.y; y++, x += slope) reach(rows + y, (int32_t)(x / ONE_PIXEL));
}

int64_t lobes_hull(Row *rows, int32_t height, Point *corners)
{
    int32_t left = chain(rows, height, 0, corners), all = left + chain(rows, height, 1, corners + left);
    int is_line = all == 4 && left == 2 && corners[0].x == corners[2].x && corners[1].x == corners[3].x;
    for (int32_t i = 1; i < all; i++) {
        if (i == left) continue; /* from the left side's end to the right side's beginning */
        line(rows, corners[i - 1], corners[i]);
        if (!is_line) side(rows, corners[i - 1], corners[i]);
    }
    int64_t area = 0;
    for (int32_t y = 0; y < height; y++)
        if (rows[y].first <= rows[y].last) area += rows[y].last - rows[y].first + 1;
    return area;
}
