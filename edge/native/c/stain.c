/* What edge/cells/stain.py does: a field's colours learned. */
#include "clouds.h"
#include "components.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is taken for what; edge/native/stain.py fills it from the constants of edge/cells/stain.py. */
typedef struct {
    double nothing;  /* mean optical density below which there is nothing on the glass */
    double floor;    /* least stain of a nucleus */
    double distinct; /* standard deviations that nuclei lie from the rest */
    double nucleus;  /* half the pixels of one */
    double enough;   /* area of red cells to know their colour */
    double pixel;    /* area of one */
    int32_t sample;  /* so many pixels are about enough to learn from */
} Rules;

/* What is learned; there are no red cells where their number is 0. */
typedef struct {
    double level;
    float axis[CHANNELS];
    Cloud glass, red;
    int32_t red_cells;
} Learned;

typedef struct {
    int32_t height, width, count; /* of pixels */
    const float *colours;         /* optical densities */
    const Rules *rules;
    Element lobe, away, rim;
    float *mean, *stain;
    uint8_t *solid, *bare, *spare;
    Run *runs;
    int32_t *at;
    Colours nuclei, glass, red, rest;
} Field;

/* `colours @ weights`. */
VECTORS static void weigh(const float *restrict colours, int32_t count, const float *restrict weights,
                          float *restrict out) {
    const float red = weights[0], green = weights[1], blue = weights[2];
    for (int32_t i = 0; i < count; i++)
        out[i] = colours[3 * (size_t)i] * red + colours[3 * (size_t)i + 1] * green
                 + colours[3 * (size_t)i + 2] * blue;
}

/* Where a picture is above a level. */
VECTORS static void exceed(const float *restrict picture, int32_t count, float level, uint8_t *restrict out) {
    for (int32_t i = 0; i < count; i++) out[i] = picture[i] > level;
}

/* What is in a mask and not in another. */
VECTORS static void without(const uint8_t *restrict mask, const uint8_t *restrict other, int32_t count,
                            uint8_t *restrict out) {
    for (int32_t i = 0; i < count; i++) out[i] = mask[i] & !other[i];
}

VECTORS static int32_t area(const uint8_t *mask, int32_t count) {
    int32_t sum = 0;
    for (int32_t i = 0; i < count; i++) sum += mask[i];
    return sum;
}

/* The least and the most of a picture. */
VECTORS static void bounds(const float *picture, int32_t count, float *low, float *high) {
    enum { SIDE = 16 }; /* many side by side, for none has to wait for the one before */
    float lows[SIDE], highs[SIDE];
    for (int32_t k = 0; k < SIDE; k++) lows[k] = highs[k] = picture[0];
    int32_t i = 0;
    for (; i + SIDE <= count; i += SIDE)
        for (int32_t k = 0; k < SIDE; k++) {
            lows[k] = picture[i + k] < lows[k] ? picture[i + k] : lows[k];
            highs[k] = picture[i + k] > highs[k] ? picture[i + k] : highs[k];
        }
    for (; i < count; i++) {
        lows[0] = picture[i] < lows[0] ? picture[i] : lows[0];
        highs[0] = picture[i] > highs[0] ? picture[i] : highs[0];
    }
    *low = lows[0], *high = highs[0];
    for (int32_t k = 1; k < SIDE; k++) {
        *low = lows[k] < *low ? lows[k] : *low;
        *high = highs[k] > *high ? highs[k] : *high;
    }
}

/* About `sample` of the pixels where a mask has a value, evenly taken, less than twice that: how many. */
static int32_t some(const Field *field, const uint8_t *mask, uint8_t value) {
    int32_t all = area(mask, field->count), sample = field->rules->sample, count = 0, skip = 0;
    if (!value) all = field->count - all;
    int32_t step = all >= 2 * sample ? all / sample : 1;
    Run run;
    for (int32_t x = 0; next_run(mask, field->count, value, x, &run); x = run.end) {
        for (x = run.start + skip; x < run.end; x += step) field->at[count++] = x;
        skip = x - run.end;
    }
    return count;
}

/* Their colours. */
static void take(const Field *field, int32_t count, Colours *out) {
    out->count = count;
    for (int32_t i = 0; i < count; i++)
        memcpy(out->at + (size_t)i * CHANNELS, field->colours + (size_t)field->at[i] * CHANNELS,
               CHANNELS * sizeof(float));
}

/* Colours of clear glass among those that are nearly nothing; ideal glass where there is none. */
static void take_glass(Field *field) {
    const float nothing = (float)field->rules->nothing;
    int32_t kept = 0;
    float *at = field->glass.at;
    take(field, some(field, field->solid, 0), &field->glass);
    for (int32_t i = 0; i < field->glass.count; i++) {
        const float red = at[3 * i], green = at[3 * i + 1], blue = at[3 * i + 2];
        at[3 * kept] = red, at[3 * kept + 1] = green, at[3 * kept + 2] = blue;
        kept += fmaxf(fmaxf(fabsf(red), fabsf(green)), fabsf(blue)) < nothing;
    }
    if (kept < 20) {
        kept = 20;
        memset(at, 0, 20 * CHANNELS * sizeof *at);
    }
    field->glass.count = kept;
}

/* The level of the field's stain above which there is nucleus. */
static double threshold(const Field *field) {
    if (area(field->solid, field->count) <= 2 * field->rules->nucleus) return field->rules->floor;
    Stains stains = {0};
    float low, high;
    bounds(field->stain, field->count, &low, &high);
    double top = (double)high + 1e-3, scale = BINS / ((double)(float)top - low), offset = -scale * low;
    stains.low = low;
    stains.width = (top - low) / BINS;
    for (int32_t i = 0; i < field->count; i++) {
        int32_t bin = (int32_t)(field->stain[i] * scale + offset);
        stains.counts[bin < 0 ? 0 : bin < BINS ? bin : BINS - 1] += field->solid[i];
    }
    return nuclear_level(&stains, field->rules->nucleus, field->rules->floor);
}

/* The stain along an axis, its level, and what above it is as thick as a lobe. */
static double find_thick(Field *field, const float axis[CHANNELS], uint8_t *thick) {
    weigh(field->colours, field->count, axis, field->stain);
    double level = threshold(field);
    exceed(field->stain, field->count, (float)level, thick);
    opened(thick, field->height, field->width, field->lobe, field->spare, thick);
    return level;
}

/* Where there are red cells: what is far from any nucleus, else what has none. */
static void find_bare(Field *field, const uint8_t *thick) {
    const int32_t height = field->height, width = field->width;
    spread(thick, height, width, 1, field->away, field->spare);
    without(field->solid, field->spare, field->count, field->bare);
    if (area(field->bare, field->count) * field->rules->pixel >= 10 * field->rules->enough) return;
    spread(field->solid, height, width, 0, field->rim, field->spare);
    int32_t runs = runs_of(field->spare, height, width, field->runs);
    parts_of(field->runs, runs);
    for (Run *run = field->runs; run < field->runs + runs; run++) /* a nucleated part loses its number */
        if (memchr(thick + (size_t)run->row * width + run->start, 1, (size_t)(run->end - run->start)))
            field->runs[run->root].part = 0;
    for (const Run *run = field->runs; run < field->runs + runs; run++)
        if (field->runs[run->root].part)
            memset(field->bare + (size_t)run->row * width + run->start, 1, (size_t)(run->end - run->start));
}

/* The value that so many of a list are below; puts the list in another order (Hoare's selection). */
static float ranked(float *list, int32_t count, int32_t rank) {
    for (int32_t low = 0, high = count - 1; low < high;) {
        float middle = list[low + (high - low) / 2];
        int32_t i = low, j = high;
        while (i <= j) {
            while (list[i] < middle) i++;
            while (list[j] > middle) j--;
            if (i <= j) {
                float other = list[i];
                list[i++] = list[j];
                list[j--] = other;
            }
        }
        if (rank <= j) high = j;
        else if (rank >= i) low = i;
        else break;
    }
    return list[rank];
}

/* Colours of red cells without their pallor and rims; none where there are too few. */
static void take_red(Field *field) {
    field->red.count = 0;
    if (area(field->bare, field->count) * field->rules->pixel < field->rules->enough) return;
    int32_t count = some(field, field->bare, 1), kept = 0;
    if (!count) return;
    float *dense = field->red.at; /* for the while */
    for (int32_t i = 0; i < count; i++) dense[i] = field->mean[field->at[i]];
    float least = 0.6f * ranked(dense, count, (int32_t)((int64_t)count * 4 / 5));
    for (int32_t i = 0; i < count; i++) {
        field->at[kept] = field->at[i];
        kept += field->mean[field->at[i]] > least;
    }
    take(field, kept, &field->red);
}

/* The nuclei's mean colour, each pixel as much as it is above the level; none where there are no pixels. */
static int nuclear_colour(Field *field, const uint8_t *thick, double level, double mean[CHANNELS]) {
    double sum = 0;
    take(field, some(field, thick, 1), &field->nuclei);
    for (int32_t c = 0; c < CHANNELS; c++) mean[c] = 0;
    for (int32_t i = 0; i < field->nuclei.count; i++) {
        float weight = field->stain[field->at[i]] - (float)level;
        sum += weight;
        for (int32_t c = 0; c < CHANNELS; c++) mean[c] += weight * field->nuclei.at[(size_t)i * CHANNELS + c];
    }
    for (int32_t c = 0; c < CHANNELS; c++) mean[c] /= sum;
    return field->nuclei.count > 0;
}

/* Fisher's axis between nuclei and the rest, as long as the axis that it is found by. */
static void find_axis(const Field *field, const double mean[CHANNELS], float axis[CHANNELS]) {
    float direction[CHANNELS];
    double before = 0, after = 0;
    fisher(mean, field->red, field->glass, field->rules->sample, direction);
    for (int32_t c = 0; c < CHANNELS; c++) {
        before += mean[c] * axis[c];
        after += mean[c] * direction[c];
    }
    for (int32_t c = 0; c < CHANNELS; c++) axis[c] = direction[c] * (float)(before / after);
}

static void learn(Field *field, uint8_t *thick, Learned *out) {
    static const float thirds[] = {1.f / 3, 1.f / 3, 1.f / 3};
    double mean[CHANNELS];
    float unused[CHANNELS];
    weigh(field->colours, field->count, thirds, field->mean);
    exceed(field->mean, field->count, (float)field->rules->nothing, field->solid);
    take_glass(field);
    out->level = find_thick(field, out->axis, thick);
    find_bare(field, thick);
    take_red(field);
    int found = nuclear_colour(field, thick, out->level, mean);
    if (field->red.count && found) {
        find_axis(field, mean, out->axis);
        out->level = find_thick(field, out->axis, thick);
        found = nuclear_colour(field, thick, out->level, mean);
    }
    without(field->solid, thick, field->count, field->spare);
    take(field, some(field, field->spare, 1), &field->rest);
    if (found && field->rest.count
        && fisher(mean, field->rest, field->glass, field->rules->sample, unused) < field->rules->distinct)
        memset(thick, 0, (size_t)field->count);
    out->glass = cloud_of(field->glass, 0.012, 0);
    out->red_cells = field->red.count;
    if (field->red.count) out->red = cloud_of(field->red, 0.02, 0.3);
}

/* Learns the colours of a field.

   colours : (height, width, 3) optical densities.
   lobe, away, rim : structuring elements, each with its radius: of what lobes are as thick as, of what lies
       as near to a nucleus as its cytoplasm, and of what red cells that touch are parted by.
   thick : (height, width) mask of what is surely nucleus, is filled; and so is `learned`, which holds the
       axis to begin with.

   Gives 0, or -1 where there is no memory. */
EXPORT int32_t leukoscope_learned(const float *colours, int32_t height, int32_t width, const int32_t *lobe,
                                  int32_t lobe_radius, const int32_t *away, int32_t away_radius,
                                  const int32_t *rim, int32_t rim_radius, const Rules *rules, uint8_t *thick,
                                  Learned *learned) {
    const size_t count = (size_t)height * width, sample = 2 * (size_t)rules->sample;
    float *floats = malloc((2 * count + 4 * CHANNELS * sample) * sizeof *floats);
    uint8_t *bytes = malloc(3 * count);
    Run *runs = malloc((most_runs(height, width) + 1) * sizeof *runs);
    int32_t *at = malloc(sample * sizeof *at);
    int all = floats && bytes && runs && at;
    if (all) {
        float *lists = floats + 2 * count;
        Field field = {
            .height = height, .width = width, .count = (int32_t)count, .colours = colours, .rules = rules,
            .lobe = {lobe, lobe_radius}, .away = {away, away_radius}, .rim = {rim, rim_radius},
            .mean = floats, .stain = floats + count, .solid = bytes, .bare = bytes + count,
            .spare = bytes + 2 * count, .runs = runs, .at = at, .nuclei = {lists, 0},
            .glass = {lists + CHANNELS * sample, 0}, .red = {lists + 2 * CHANNELS * sample, 0},
            .rest = {lists + 3 * CHANNELS * sample, 0},
        };
        learn(&field, thick, learned);
    }
    free(floats);
    free(bytes);
    free(runs);
    free(at);
    return all ? 0 : -1;
}
