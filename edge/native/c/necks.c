/* What `Bodies.cut` of edge/cells/lobes.py does: bodies cut where two nuclei touch, and the parts again. */
#include <stdlib.h>
#include <string.h>

#include "lobes.h"

typedef struct {
    double nucleus;  /* pixels that a part has at least */
    double middle;   /* pixels that its middle has at least */
    double convex;   /* share of its hull above which a body is one */
    double tie;      /* pixels by which equal distances may differ */
    double share[5]; /* of the deepest, beyond which the middles lie */
} Terms;

/* One body at a time: its box, and room for the largest. */
typedef struct {
    uint16_t *first; /* of the field's labels in the box */
    ptrdiff_t step;  /* from row to row of them */
    int32_t height, width;
    Row *rows;
    Point *corners;
    int32_t *depth; /* from the body's edge, with a margin of one pixel, 0 outside it */
    int32_t *away;  /* from the nearest middle, and its number, with margins of two */
    int32_t *number;
    int32_t numbers; /* of middles, with 0 */
    int32_t *parent, *count, *size, *target; /* by number of a middle */
} Body;

static int32_t root(int32_t *parent, int32_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static int32_t united(int32_t *parent, int32_t a, int32_t b)
{
    a = root(parent, a), b = root(parent, b);
    return a < b ? (parent[b] = a) : (parent[a] = b);
}

static int32_t *depth_at(const Body *body, int32_t y)
{
    return body->depth + (y + 1) * (ptrdiff_t)(body->width + 2) + 1;
}

static int32_t *number_at(const Body *body, int32_t y)
{
    return body->number + (y + 2) * (ptrdiff_t)(body->width + 4) + 2;
}

/* Where the body lies in each row, and how many pixels its hull has. */
static int64_t hull(Body *body, uint16_t label)
{
    for (int32_t y = 0; y < body->height; y++) {
        const uint16_t *row = body->first + y * body->step;
        int32_t first = 0, last = body->width - 1;
        while (first <= last && row[first] != label) first++;
        while (last > first && row[last] != label) last--;
        body->rows[y] = first <= last ? (Row){first, last} : NO_ROW;
    }
    return lobes_hull(body->rows, body->height, body->corners);
}

/* How deep each pixel lies in the body, and the deepest. */
static int32_t deepest(Body *body, uint16_t label)
{
    memset(body->depth, 0, (size_t)(body->height + 2) * (body->width + 2) * sizeof(int32_t));
    for (int32_t y = 0; y < body->height; y++) {
        const uint16_t *row = body->first + y * body->step;
        int32_t *depth = depth_at(body, y);
        for (int32_t x = 0; x < body->width; x++) depth[x] = row[x] == label ? FAR : 0;
    }
    lobes_distance(body->depth, body->height, body->width);
    int32_t most = 0;
    for (int32_t y = 0; y < body->height; y++)
        for (int32_t x = 0; x < body->width; x++)
            if (depth_at(body, y)[x] > most) most = depth_at(body, y)[x];
    return most;
}

/* The connected parts of what lies deeper, as numbers whose `parent` leads to one for each, with the pixels
   of that one in `count`. */
static void middles(Body *body, int32_t deep)
{
    ptrdiff_t step = body->width + 4;
    int32_t n = 1, *parent = body->parent, *count = body->count;
    memset(body->number, 0, (size_t)(body->height + 4) * step * sizeof(int32_t));
    for (int32_t y = 0; y < body->height; y++) {
        const int32_t *depth = depth_at(body, y);
        int32_t *own = number_at(body, y);
        const int32_t *above = own - step;
        for (int32_t x = body->rows[y].first; x <= body->rows[y].last; x++) {
            if (depth[x] <= deep) continue;
            int32_t i = above[x] ? above[x] : above[x - 1] ? above[x - 1] : own[x - 1];
            if (!above[x] && above[x + 1]) i = i ? united(parent, i, above[x + 1]) : above[x + 1];
            if (!i) {
                i = n++;
                parent[i] = i, count[i] = 0;
            }
            own[x] = i;
            count[i]++;
        }
    }
    for (int32_t i = n - 1; i > 0; i--)
        if (parent[i] != i) count[parent[i]] += count[i];
    body->numbers = n;
}

/* Every pixel gets the number of the middle that is nearest, and each middle the `size` of its share. */
static void shared_out(Body *body)
{
    ptrdiff_t step = body->width + 4;
    for (ptrdiff_t i = 0; i < (body->height + 4) * step; i++) body->away[i] = FAR;
    memset(body->size, 0, sizeof(int32_t) * (size_t)body->numbers);
    for (int32_t y = 0; y < body->height; y++) {
        int32_t *own = number_at(body, y), *away = body->away + (own - body->number);
        for (int32_t x = body->rows[y].first; x <= body->rows[y].last; x++) {
            if (!own[x]) continue;
            own[x] = root(body->parent, own[x]);
            away[x] = 0;
        }
    }
    lobes_nearest(body->away, body->number, body->height, body->width);
    for (int32_t y = 0; y < body->height; y++)
        for (int32_t x = body->rows[y].first; x <= body->rows[y].last; x++)
            if (depth_at(body, y)[x]) body->size[number_at(body, y)[x]]++;
}

/* The numbers of the large middles, or of the large parts, into `target`, from the top; gives how many. */
static int32_t large(Body *body, const Terms *terms, int by_size)
{
    int32_t found = 0;
    for (int32_t i = 1; i < body->numbers; i++) {
        if (body->parent[i] != i || body->count[i] < terms->middle) continue;
        if (by_size && body->size[i] < terms->nucleus) continue;
        body->target[found++] = i;
    }
    return found;
}

/* How many round bodies a blob is, each at least a nucleus, their numbers in `target`; 0 where it is one. */
static int32_t at_necks(Body *body, uint16_t label, int32_t area, const Terms *terms)
{
    if (area < 2 * terms->nucleus || area > terms->convex * (double)hull(body, label)) return 0;
    int32_t most = deepest(body, label);
    for (int32_t k = 0; k < 5; k++) {
        middles(body, (int32_t)(terms->share[k] * most + terms->tie * ONE_PIXEL));
        if (large(body, terms, 0) < 2) continue;
        shared_out(body);
        int32_t parts = large(body, terms, 1);
        if (parts > 1) return parts;
    }
    return 0;
}

/* The parts become bodies of their own, from the n-th on. */
static void part(Body *body, int32_t parts, int32_t n, Point origin, Box *boxes, int32_t *areas)
{
    int32_t *label_of = body->count; /* no longer needed for what it was */
    memset(label_of, 0, sizeof(int32_t) * (size_t)body->numbers);
    for (int32_t i = 0; i < parts; i++) {
        label_of[body->target[i]] = n + i + 1;
        areas[n + i] = body->size[body->target[i]];
        boxes[n + i] = (Box){INT32_MAX, INT32_MAX, 0, 0};
    }
    for (int32_t y = 0; y < body->height; y++) {
        uint16_t *row = body->first + y * body->step;
        for (int32_t x = body->rows[y].first; x <= body->rows[y].last; x++) {
            if (!depth_at(body, y)[x]) continue;
            int32_t label = label_of[number_at(body, y)[x]], right = origin.x + x, down = origin.y + y;
            row[x] = (uint16_t)label;
            if (!label) continue;
            Box *box = boxes + label - 1;
            if (right < box->left) box->left = right;
            if (down < box->top) box->top = down;
            if (right >= box->right) box->right = right + 1;
            if (down >= box->bottom) box->bottom = down + 1;
        }
    }
}

/* Room for the largest body that may be cut; NULL where there is none. */
static int32_t *room(Body *body, const Box *boxes, const int32_t *areas, int32_t n, double least)
{
    size_t cells = 0, height = 0;
    for (int32_t i = 0; i < n; i++) {
        if (areas[i] < least) continue;
        size_t rows = (size_t)(boxes[i].bottom - boxes[i].top);
        size_t framed = (rows + 4) * (size_t)(boxes[i].right - boxes[i].left + 4);
        if (framed > cells) cells = framed;
        if (rows > height) height = rows;
    }
    size_t numbers = cells / 4 + 2;
    int32_t *all = malloc((3 * cells + 4 * numbers + 6 * height) * sizeof(int32_t));
    if (!all) return NULL;
    body->depth = all, body->away = all + cells, body->number = all + 2 * cells;
    body->parent = all + 3 * cells, body->count = body->parent + numbers, body->size = body->count + numbers;
    body->target = body->size + numbers, body->rows = (Row *)(body->target + numbers);
    body->corners = (Point *)(body->rows + height);
    return all;
}

/* labels: height x width; areas in pixels and boxes of the n bodies, with room for `capacity`. Gives how many
   bodies there are then; one that was cut keeps its number and has no pixels. */
EXPORT int32_t leukoscope_cut(uint16_t *labels, int32_t height, int32_t width, Box *boxes, int32_t *areas,
                              int32_t n, int32_t capacity, const Terms *terms)
{
    if (!lobes_within(boxes, n, height, width)) return BEYOND;
    Body body;
    double least = 2 * terms->nucleus;
    int32_t waiting = 0, *all = room(&body, boxes, areas, n, least);
    int32_t *left = malloc((size_t)capacity * sizeof(int32_t) + 1);
    for (int32_t i = 0; left && all && i < n; i++)
        if (areas[i] >= least) left[waiting++] = i;
    while (waiting) {
        int32_t i = left[--waiting];
        body.first = labels + (ptrdiff_t)boxes[i].top * width + boxes[i].left, body.step = width;
        body.height = boxes[i].bottom - boxes[i].top, body.width = boxes[i].right - boxes[i].left;
        int32_t parts = at_necks(&body, (uint16_t)(i + 1), areas[i], terms);
        if (!parts || parts > capacity - n) continue;
        part(&body, parts, n, (Point){boxes[i].left, boxes[i].top}, boxes, areas);
        while (parts--) left[waiting++] = n++;
    }
    int32_t out = left && all ? n : -1;
    free(left);
    free(all);
    return out;
}
