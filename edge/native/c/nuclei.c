/* What edge/cells/nuclei.py does: bodies of stain as far as their edges. */
#include "levels.h"
#include "spots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is taken for a nucleus; edge/native/nuclei.py fills it from the constants of edge/cells/nuclei.py. */
typedef struct {
    double level;      /* nuclear stain above which there is nucleus */
    double least;      /* pixels of a body */
    double two_levels; /* least share of the variance that two levels of stain explain */
    double sharp;      /* least rise of the stain at an edge */
    double edge;       /* grey level at it */
    double background; /* of clear glass */
} Rules;

/* The parts of a mask, and the picture of their labels without those that are too small: how many parts. */
static int32_t bodies(const Field *field, const uint8_t *mask, double least, uint16_t *labels) {
    int32_t runs = runs_of(mask, field->height, field->width, field->runs);
    int32_t many = parts_of(field->runs, runs);
    measured_parts(field->runs, runs, field->parts, many);
    if (many > UINT16_MAX) many = UINT16_MAX; /* more are dust */
    memset(labels, 0, (size_t)field->height * field->width * sizeof *labels);
    for (int32_t i = 0; i < many; i++)
        if (field->parts[i].area < least) field->parts[i].area = 0;
    for (const Run *run = field->runs; run < field->runs + runs; run++)
        if (run->part <= many && field->parts[run->part - 1].area) {
            uint16_t *row = labels + (size_t)run->row * field->width;
            for (int32_t x = run->start; x < run->end; x++) row[x] = (uint16_t)run->part;
        }
    return many;
}

/* What is nucleus of each body: all but dense cytoplasm, told by the spots well inside. */
static int find_cores(Field *field, const uint8_t *inner, int32_t many, const Rules *rules) {
    int32_t(*counts)[OTSU_BINS] = calloc((size_t)many + 1, sizeof *counts);
    float *top = malloc(((size_t)many + 1) * sizeof *top);
    if (counts && top) {
        for (int32_t k = 0; k <= many; k++) top[k] = 1e-6f;
        for (int32_t i = 0; i < field->count; i++)
            if (inner[field->at[i]] && field->strength[i] > top[field->blob[i]])
                top[field->blob[i]] = field->strength[i];
        for (int32_t i = 0; i < field->count; i++)
            if (inner[field->at[i]] && field->blob[i]) {
                float strength = field->strength[i] > 0 ? field->strength[i] : 0;
                counts[field->blob[i]][(int32_t)(strength * ((OTSU_BINS - 1e-3f) / top[field->blob[i]]))]++;
            }
        for (int32_t k = 1; k <= many; k++) top[k] = two_levels(counts[k], top[k], rules->two_levels);
        for (int32_t i = 0; i < field->count; i++)
            field->core[i] = field->strength[i] >= top[field->blob[i]] ? field->blob[i] : 0;
    }
    int all = counts && top;
    free(counts);
    free(top);
    return all;
}

/* The spots from `from` on that lie side by side in a row and have one label: before which they end. */
static int32_t same_until(const Field *field, int32_t from, int32_t left) {
    int32_t most = field->count - from < left ? field->count : from + left, i = from + 1;
    int32_t beside = field->at[from] - from;
    while (i < most && field->core[i] == field->core[from] && field->at[i] - i == beside) i++;
    return i;
}

/* Marks which nucleus pixels lie near: the highest label within reach of an element. */
static void mark_near(const Field *field, Element element) {
    const int32_t height = field->height, width = field->width;
    for (int32_t i = 0, next; i < field->count; i = next) {
        const uint16_t label = field->core[i];
        next = i + 1;
        if (!label) continue;
        int32_t y = field->at[i] / width, x = field->at[i] - y * width;
        next = same_until(field, i, width - x);
        for (int32_t dy = -element.radius; dy <= element.radius; dy++) {
            if (y + dy < 0 || y + dy >= height) continue;
            int32_t reach = element.reach[dy + element.radius], end = x + (next - i);
            int32_t from = x > reach ? x - reach : 0, to = width - end > reach ? end + reach : width;
            uint16_t *row = field->grown + (size_t)(y + dy) * width;
            for (int32_t k = from; k < to; k++) row[k] = row[k] > label ? row[k] : label;
        }
    }
}

/* What each spot lies near by those marks, which are taken away; and the groups of spots, each by its first
   stretch, -1 for none: nuclei by label, and, from `many` on, the ring round each. */
static void find_groups(Field *field, int32_t *first, int32_t many) {
    int32_t before = -1, stretches = 0;
    for (int32_t k = 0; k < 2 * many; k++) first[k] = -1;
    for (int32_t i = 0; i < field->count; i++) {
        uint16_t blob = field->blob[i], core = field->core[i], near = field->grown[field->at[i]];
        field->grown[field->at[i]] = 0;
        field->near[i] = near;
        int32_t group = !core && (!blob || blob == near) ? near + many : core;
        if (group != before) {
            field->stretches[stretches] = (Stretch){i, i, first[group]};
            first[before = group] = stretches++;
        }
        field->stretches[stretches - 1].end = i + 1;
    }
}

static float stain_of(const float light[CHANNELS], const float axis[CHANNELS], float background) {
    float stain = 0;
    for (int32_t c = 0; c < CHANNELS; c++)
        stain += logf(background / (light[c] > 1 ? light[c] : 1)) * axis[c];
    return stain;
}

/* The stain half-way, in light, between the groups inside and outside; infinite where they hardly differ. */
static float edge_level(const Field *field, int32_t inside, int32_t outside, const float axis[CHANNELS],
                        const Rules *rules) {
    float in[CHANNELS], out[CHANNELS], half[CHANNELS], background = (float)rules->background;
    medians(field->colour, field->stretches, inside, in);
    medians(field->colour, field->stretches, outside, out);
    for (int32_t c = 0; c < CHANNELS; c++) half[c] = (in[c] + out[c]) / 2;
    float rise = stain_of(in, axis, background) - stain_of(out, axis, background);
    return rise < (float)(rules->sharp * rules->level) ? INFINITY : stain_of(half, axis, background);
}

/* Cuts cores back to where the light is half-way; `level` and `first`, by label, are for `many` labels. */
static void sharpen(Field *field, Element ring, float *level, int32_t *first, int32_t many,
                    const float axis[CHANNELS], const Rules *rules) {
    mark_near(field, ring);
    find_groups(field, first, many);
    for (int32_t k = 0; k < many; k++)
        if (first[k] >= 0 && first[many + k] >= 0)
            level[k] = edge_level(field, first[k], first[many + k], axis, rules);
    for (int32_t i = 0; i < field->count; i++)
        if (!(field->strength[i] - level[field->near[i]] > 0)) field->core[i] = 0;
}

/* Two rounds of it; what is nucleus then stands in the field's mask, and its rise in a picture. */
static int find_edges(Field *field, Element ring, int32_t many, const float axis[CHANNELS],
                      const Rules *rules, uint8_t *rise) {
    const float edge = (float)rules->edge, scale = (float)(rules->edge / rules->level);
    float *level = malloc((size_t)many * sizeof *level);
    int32_t *first = malloc(2 * (size_t)many * sizeof *first);
    if (level && first) {
        memset(field->grown, 0, (size_t)field->height * field->width * sizeof *field->grown);
        for (int32_t k = 0; k < many; k++) level[k] = (float)rules->level;
        for (int32_t i = 0; i < 2; i++) sharpen(field, ring, level, first, many, axis, rules);
        memset(field->mask, 0, (size_t)field->height * field->width);
        for (int32_t i = 0; i < field->count; i++) {
            const int32_t at = field->at[i];
            float above = field->strength[i] - level[field->near[i]];
            float grey = (field->core[i] ? above : -fabsf(above)) * scale + edge;
            field->mask[at] = field->core[i] > 0;
            rise[at] = (uint8_t)(grey < 0 ? 0 : grey > 255 ? 255 : grey);
        }
    }
    int all = level && first;
    free(level);
    free(first);
    return all;
}

static int32_t sharpened(Field *field, const uint8_t *sure, const int32_t size[2],
                         Element near, Element ring, Element inner, float stain[CHANNELS][256],
                         const float axis[CHANNELS], const Rules *rules, uint16_t *labels, uint8_t *rise) {
    static const int32_t three[] = {1, 1, 1};
    const int32_t height = field->height, width = field->width;
    spread(sure, size[0], size[1], 1, near, field->other);
    find_spots(field, field->other, size, stain, (float)rules->level);
    opened(field->mask, height, width, (Element){three, 1}, field->spare, field->other);
    int32_t many = bodies(field, field->other, rules->least, labels);
    if (!many) return 0;
    spread(field->other, height, width, 1, ring, field->mask);
    keep_within(field, field->mask, labels);
    spread(field->other, height, width, 0, inner, field->spare);
    if (!find_cores(field, field->spare, many, rules)) return -1;
    if (!find_edges(field, ring, many + 1, axis, rules, rise)) return -1;
    return bodies(field, field->mask, rules->least, labels);
}

/* The bodies of a field as far as their edges, not yet cut nor joined.

   pixels : (height, width, 3).
   sure : (sure_height, sure_width) mask of what is surely stained.
   near, ring, inner : structuring elements: how far parts of a nucleus lie from what is surely one, and its
       surroundings from it; what is that far from the edge of a body is well inside. Each with its radius.
   density : (256,) optical density of grey levels. axis : (3,) the nuclear stain is `density @ axis`.
   labels : (height, width), rise : (height, width) and parts : of boxes and areas, are filled.

   Gives the number of parts, -1 where there is no memory. */
EXPORT int32_t leukoscope_sharpened(
    const uint8_t *pixels, int32_t height, int32_t width, const uint8_t *sure, int32_t sure_height,
    int32_t sure_width, const int32_t *near, int32_t near_radius, const int32_t *ring, int32_t ring_radius,
    const int32_t *inner, int32_t inner_radius, const float *density, const float *axis, const Rules *rules,
    uint16_t *labels, uint8_t *rise, Part *parts) {
    const int32_t size[] = {sure_height, sure_width};
    float stain[CHANNELS][256];
    Field field;
    if (!field_of(&field, pixels, height, width)) return -1;
    field.parts = parts;
    for (int32_t c = 0; c < CHANNELS; c++)
        for (int32_t grey = 0; grey < 256; grey++) stain[c][grey] = density[grey] * axis[c];
    memset(rise, 0, (size_t)height * width);
    int32_t many = sharpened(&field, sure, size, (Element){near, near_radius}, (Element){ring, ring_radius},
                             (Element){inner, inner_radius}, stain, axis, rules, labels, rise);
    free(field.memory);
    return many;
}
