/* What `joined` of edge/cells/lobes.py does: bodies joined to nuclei, nearest pairs asked first. */
#include <stdlib.h>
#include <string.h>

#include "lobes.h"

typedef struct {
    double pitch_um, gap_um, whole_um2, lobed_um2, two_lobes_um2; /* as in edge/cells/lobes.py */
    double round, filled, filled_around, glass_distance2;
} Terms;

typedef struct { double um2; int is_round, is_known; } Shape;
typedef struct { int32_t key, a, b; } Pair; /* two bodies and their gap, or one and its top */

/* Bodies by the label of the nucleus that they belong to so far; `next` goes round those of one. */
typedef struct {
    const uint16_t *labels;
    const uint8_t *half;
    int32_t height, width;
    const Terms *terms;
    const float (*whitening)[4]; /* of clear glass, 3 rows (edge/cells/stain.py) */
    const float *density;        /* by grey level */
    const uint8_t *disc;         /* of 1, its width odd */
    int32_t disc_width;
    Box *boxes;
    uint16_t *owner, *next;
    Shape *shape;
    Row *rows;
    Point *corners;
    int32_t *away;
    uint8_t *body, *wide;
} Field;

static int32_t lower(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t higher(int32_t a, int32_t b) { return a > b ? a : b; }

static Box spanning(const Field *field, Box a, Box b, int32_t margin)
{
    return (Box){
        higher(lower(a.left, b.left) - margin, 0),
        higher(lower(a.top, b.top) - margin, 0),
        lower(higher(a.right, b.right) + margin, field->width),
        lower(higher(a.bottom, b.bottom) + margin, field->height),
    };
}

/* Area, and whether it looks like a whole round nucleus. */
static const Shape *shape_of(Field *field, int32_t a)
{
    Shape *shape = field->shape + a;
    if (shape->is_known) return shape;
    Box box = field->boxes[a];
    int32_t size = 0, height = box.bottom - box.top;
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *row = field->labels + (ptrdiff_t)(box.top + y) * field->width;
        field->rows[y] = NO_ROW;
        for (int32_t x = box.left; x < box.right; x++) {
            if (!row[x] || field->owner[row[x]] != a) continue;
            field->rows[y].last = x;
            if (field->rows[y].first > x) field->rows[y].first = x;
            size++;
        }
    }
    double um2 = size * (field->terms->pitch_um * field->terms->pitch_um);
    int is_round = um2 >= field->terms->whole_um2 &&
                   size > field->terms->round * (double)lobes_hull(field->rows, height, field->corners);
    *shape = (Shape){um2, is_round, 1};
    return shape;
}

static int may_be_one(Field *field, int32_t a, int32_t b)
{
    const Shape *one = shape_of(field, a), *other = shape_of(field, b);
    const Terms *terms = field->terms;
    return one->um2 + other->um2 <=
           (one->is_round && other->is_round ? terms->two_lobes_um2 : terms->lobed_um2);
}

/* The gap in ONE_PIXEL, FAR where it is beyond `reach`. Who is within reach lies in both boxes so widened. */
VECTORS static int32_t gap(Field *field, int32_t a, int32_t b, int32_t reach)
{
    Box p = field->boxes[a], q = field->boxes[b], both = spanning(field, p, q, 0);
    int32_t left = higher(higher(p.left, q.left) - reach, both.left);
    int32_t top = higher(higher(p.top, q.top) - reach, both.top);
    int32_t width = lower(lower(p.right, q.right) + reach, both.right) - left;
    int32_t height = lower(lower(p.bottom, q.bottom) + reach, both.bottom) - top, step = width + 2;
    if (width <= 0 || height <= 0) return FAR;
    const uint16_t *labels = field->labels + (ptrdiff_t)top * field->width + left;
    int32_t *away = field->away + step + 1, nearest = FAR;
    for (int32_t x = 0; x < step; x++) field->away[x] = away[(ptrdiff_t)height * step + x - 1] = FAR;
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *restrict row = labels + (ptrdiff_t)y * field->width;
        int32_t *restrict own = away + (ptrdiff_t)y * step;
        own[-1] = own[width] = FAR;
        for (int32_t x = 0; x < width; x++) own[x] = row[x] == a ? 0 : FAR;
    }
    lobes_distance(field->away, height, width);
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *restrict row = labels + (ptrdiff_t)y * field->width;
        const int32_t *restrict own = away + (ptrdiff_t)y * step;
        for (int32_t x = 0; x < width; x++) nearest = lower(nearest, row[x] == b ? own[x] : FAR);
    }
    return nearest;
}

static int is_glass(const Field *field, ptrdiff_t at)
{
    const uint8_t *rgb = field->half + 3 * at;
    const float *density = field->density;
    float red = density[rgb[0]], green = density[rgb[1]], blue = density[rgb[2]], sum = 0;
    for (int i = 0; i < 3; i++) {
        const float *w = field->whitening[i], away = w[0] * red + w[1] * green + w[2] * blue + w[3];
        sum += away * away;
    }
    return sum < field->terms->glass_distance2;
}

/* Share of a body's hollows (its convex hull less itself) that is not glass, 1 without hollows. */
static double filled(Field *field, const uint8_t *body, Box box)
{
    int32_t width = box.right - box.left, height = box.bottom - box.top;
    int64_t hollow = 0, glass = 0;
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = body + (ptrdiff_t)y * width;
        int32_t first = 0, last = width - 1;
        while (first <= last && !row[first]) first++;
        while (last > first && !row[last]) last--;
        field->rows[y] = first <= last ? (Row){first, last} : NO_ROW;
    }
    lobes_hull(field->rows, height, field->corners);
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = body + (ptrdiff_t)y * width;
        ptrdiff_t at = (ptrdiff_t)(box.top + y) * field->width + box.left;
        for (int32_t x = field->rows[y].first; x <= field->rows[y].last; x++) {
            if (row[x]) continue;
            hollow++;
            glass += is_glass(field, at + x);
        }
    }
    return hollow ? 1 - (double)glass / (double)hollow : 1.0;
}

/* A body dilated by the disc, within the box. */
static void dilated(const Field *field, int32_t height, int32_t width)
{
    int32_t size = field->disc_width, radius = size / 2;
    memset(field->wide, 0, (size_t)height * (size_t)width);
    for (int32_t down = -radius; down <= radius; down++) {
        int32_t half = -1;
        for (int32_t x = 0; x < size; x++) half += field->disc[(down + radius) * size + x];
        half = half < 0 ? -1 : half / 2;
        for (int32_t y = higher(0, -down); half >= 0 && y < lower(height, height - down); y++) {
            const uint8_t *row = field->body + (ptrdiff_t)y * width;
            for (int32_t x = 0, end; x < width; x = end) {
                for (end = x; end < width && row[end] == row[x]; end++) {}
                if (!row[x]) continue;
                int32_t left = higher(x - half, 0), right = lower(end + half, width);
                memset(field->wide + (ptrdiff_t)(y + down) * width + left, 1, (size_t)(right - left));
            }
        }
    }
}

/* Whether two are lobes of one nucleus by what lies between them. */
static int are_one(Field *field, int32_t a, int32_t b)
{
    Box box = spanning(field, field->boxes[a], field->boxes[b], 3);
    int32_t width = box.right - box.left, height = box.bottom - box.top;
    for (int32_t y = 0; y < height; y++) {
        const uint16_t *row = field->labels + (ptrdiff_t)(box.top + y) * field->width + box.left;
        uint8_t *body = field->body + (ptrdiff_t)y * width;
        for (int32_t x = 0; x < width; x++) {
            int32_t owner = field->owner[row[x]];
            body[x] = owner == a || owner == b;
        }
    }
    if (filled(field, field->body, box) < field->terms->filled) return 0;
    if (!shape_of(field, a)->is_round || !shape_of(field, b)->is_round) return 1;
    dilated(field, height, width);
    return filled(field, field->wide, box) >= field->terms->filled_around;
}

/* Let `b`, and with it all of its nucleus, be of the nucleus `a`. */
static void join(Field *field, int32_t a, int32_t b)
{
    for (int32_t i = field->next[b]; i != b; i = field->next[i]) field->owner[i] = (uint16_t)a;
    field->owner[b] = (uint16_t)a;
    uint16_t after = field->next[a];
    field->next[a] = field->next[b], field->next[b] = after;
    field->boxes[a] = spanning(field, field->boxes[a], field->boxes[b], 0);
    field->shape[a].is_known = 0;
}

static int order(int32_t a, int32_t b) { return (a > b) - (a < b); }

static int by_key(const void *p, const void *q)
{
    const Pair *one = p, *other = q;
    if (one->key != other->key) return order(one->key, other->key);
    return one->a != other->a ? order(one->a, other->a) : order(one->b, other->b);
}

/* A pair that lies near by its boxes and may be of one nucleus joins the n others if its gap is small; gives
   how many there are then, -1 where there is no room for it. */
static int32_t asked(Field *field, int32_t a, int32_t b, Pair **pairs, int32_t n)
{
    const Terms *terms = field->terms;
    double most = (terms->gap_um / terms->pitch_um + 0.5) * ONE_PIXEL;
    if (!may_be_one(field, a, b)) return n;
    int32_t away = gap(field, lower(a, b), higher(a, b), (int32_t)(most / ONE_PIXEL / 0.955) + 1);
    if (away == FAR || away > most) return n;
    if (n >= 16 && !(n & (n - 1))) {
        Pair *more = realloc(*pairs, 2 * (size_t)n * sizeof(Pair));
        if (!more) return -1;
        *pairs = more;
    }
    (*pairs)[n] = (Pair){away, lower(a, b), higher(a, b)};
    return n + 1;
}

/* All near pairs, those with the smallest gap first. */
static int32_t neighbours(Field *field, int32_t n, Pair *starts, Pair **pairs)
{
    double reach = field->terms->gap_um / field->terms->pitch_um + 1;
    int32_t bodies = 0, found = 0;
    for (int32_t i = 1; i <= n; i++) {
        double um2 = shape_of(field, i)->um2;
        if (um2 > 0 && um2 <= field->terms->lobed_um2) starts[bodies++] = (Pair){field->boxes[i].top, i, 0};
    }
    qsort(starts, (size_t)bodies, sizeof(Pair), by_key);
    for (int32_t i = 0; i < bodies; i++) {
        Box a = field->boxes[starts[i].a];
        for (int32_t j = i + 1; j < bodies && starts[j].key - reach < a.bottom; j++) {
            Box b = field->boxes[starts[j].a];
            if (a.left - reach >= b.right || b.left - reach >= a.right) continue;
            if ((found = asked(field, starts[i].a, starts[j].a, pairs, found)) < 0) return -1;
        }
    }
    qsort(*pairs, (size_t)found, sizeof(Pair), by_key);
    return found;
}

/* One block for all that a field of n bodies needs; NULL where there is none. */
static void *room(Field *field, const Box *boxes, int32_t n, Pair **starts)
{
    size_t bodies = (size_t)n + 1, height = (size_t)field->height, width = (size_t)field->width;
    size_t shapes = bodies * sizeof(Shape), framed = (height + 2) * (width + 2) * sizeof(int32_t);
    uint8_t *all = malloc(shapes + bodies * (sizeof(Box) + sizeof(Pair) + 4) + framed +
                          height * (sizeof(Row) + 2 * sizeof(Point)) + 2 * height * width);
    if (!all) return NULL;
    field->shape = (Shape *)all;
    field->boxes = (Box *)(all + shapes);
    *starts = (Pair *)(field->boxes + bodies);
    field->rows = (Row *)(*starts + bodies);
    field->corners = (Point *)(field->rows + height);
    field->away = (int32_t *)(field->corners + 2 * height);
    field->next = (uint16_t *)((uint8_t *)field->away + framed);
    field->body = (uint8_t *)(field->next + bodies);
    field->wide = field->body + height * width;
    memset(field->shape, 0, shapes);
    memcpy(field->boxes + 1, boxes, (bodies - 1) * sizeof(Box));
    for (size_t i = 0; i < bodies; i++) field->owner[i] = field->next[i] = (uint16_t)i;
    return all;
}

/* Whether every label has a box. */
VECTORS static int are_known(const uint16_t *labels, ptrdiff_t size, int32_t n)
{
    uint16_t most = 0;
    for (ptrdiff_t i = 0; i < size; i++) most = labels[i] > most ? labels[i] : most;
    return most <= n;
}

/* labels: height x width; half: the same in RGB; boxes of the n bodies; the rest as above. owner: n + 1, by
   the label of a body one of those of its nucleus. */
EXPORT int32_t leukoscope_joined(const uint16_t *labels, const uint8_t *half, int32_t height, int32_t width,
                                 const Box *boxes, int32_t n, const Terms *terms,
                                 const float (*whitening)[4], const float *density, const uint8_t *disc,
                                 int32_t disc_width, uint16_t *owner)
{
    int fits = lobes_within(boxes, n, height, width) && are_known(labels, (ptrdiff_t)height * width, n);
    if (!fits) return BEYOND;
    Field field = {.labels = labels, .half = half, .height = height, .width = width, .terms = terms,
                   .whitening = whitening, .density = density, .disc = disc, .disc_width = disc_width,
                   .owner = owner};
    Pair *starts = NULL;
    void *all = room(&field, boxes, n, &starts);
    Pair *pairs = malloc(16 * sizeof(Pair));
    int32_t found = all && pairs ? neighbours(&field, n, starts, &pairs) : -1;
    for (int32_t i = 0; i < found; i++) {
        int32_t a = owner[pairs[i].a], b = owner[pairs[i].b];
        if (a != b && may_be_one(&field, a, b) && are_one(&field, a, b)) join(&field, a, b);
    }
    free(pairs);
    free(all);
    return found < 0 ? -1 : 0;
}
