/* The pixels of a field on and near what is stained. */
#include "spots.h"

#include <stdlib.h>
#include <string.h>

static void *taken(char **memory, size_t bytes) {
    void *here = *memory;
    *memory += (bytes + 63) / 64 * 64;
    return here;
}

int field_of(Field *field, const uint8_t *pixels, int32_t height, int32_t width) {
    size_t n = (size_t)height * width, runs = most_runs(height, width) + 1;
    size_t line = ((size_t)width + 2) * CHANNELS;
    size_t bytes = n * (3 * sizeof(uint8_t) + 4 * sizeof(uint16_t) + 3 * sizeof(uint32_t) + sizeof(Stretch))
                   + runs * sizeof(Run) + line * (sizeof(uint8_t) + sizeof(uint16_t));
    char *memory = field->memory = malloc(bytes + 14 * 64);
    if (!memory) return 0;
    *field = (Field){.pixels = pixels, .height = height, .width = width, .memory = memory};
    field->at = taken(&memory, n * sizeof(int32_t));
    field->colour = taken(&memory, n * sizeof(uint32_t));
    field->strength = taken(&memory, n * sizeof(float));
    field->stretches = taken(&memory, n * sizeof(Stretch));
    field->blob = taken(&memory, n * sizeof(uint16_t));
    field->core = taken(&memory, n * sizeof(uint16_t));
    field->near = taken(&memory, n * sizeof(uint16_t));
    field->grown = taken(&memory, n * sizeof(uint16_t));
    field->mask = taken(&memory, n);
    field->spare = taken(&memory, n);
    field->other = taken(&memory, n);
    field->runs = taken(&memory, runs * sizeof(Run));
    field->sums = taken(&memory, line * sizeof(uint16_t));
    field->row = taken(&memory, line);
    return 1;
}

/* Three rows added up with weights of 1, 2 and 1. */
VECTORS static void add_rows(const uint8_t *restrict above, const uint8_t *restrict here,
                             const uint8_t *restrict below, int32_t count, uint16_t *restrict out) {
    for (int32_t i = 0; i < count; i++) out[i] = (uint16_t)(above[i] + 2 * here[i] + below[i]);
}

/* And so neighbours in a row, from which sixteenths are left. */
VECTORS static void add_neighbours(const uint16_t *restrict sums, int32_t count, uint8_t *restrict out) {
    for (int32_t i = 0; i < count; i++)
        out[i] = (uint8_t)((sums[i - CHANNELS] + 2 * sums[i] + sums[i + CHANNELS] + 8) >> 4);
}

/* The pixels of a row from `start` to before `end`, less noise: as OpenCV's Gaussian of 3 x 3. */
static void smooth(const Field *field, int32_t y, int32_t start, int32_t end) {
    const int32_t height = field->height, width = field->width;
    const size_t line = (size_t)width * CHANNELS;
    int32_t from = start > 0 ? start - 1 : 0, to = end < width ? end + 1 : width;
    int32_t above = y > 0 ? y - 1 : height > 1, below = y + 1 < height ? y + 1 : height > 1 ? y - 1 : y;
    const uint8_t *first = field->pixels + (size_t)from * CHANNELS;
    uint16_t *sums = field->sums + CHANNELS; /* there is room before the first and behind the last */
    add_rows(first + above * line, first + y * line, first + below * line, (to - from) * CHANNELS,
             sums + from * CHANNELS);
    for (int32_t c = 0; c < CHANNELS; c++) { /* the edge mirrors */
        if (!start) sums[c - CHANNELS] = sums[(width > 1) * CHANNELS + c];
        if (end == width) sums[width * CHANNELS + c] = sums[(width > 1 ? width - 2 : 0) * CHANNELS + c];
    }
    add_neighbours(sums + start * CHANNELS, (end - start) * CHANNELS, field->row + start * CHANNELS);
}

/* Adds the pixels of a row from `start` to before `end` to the spots. */
static void add_spots(Field *field, int32_t y, int32_t start, int32_t end, float stain[CHANNELS][256],
                      float level) {
    smooth(field, y, start, end);
    const int32_t count = end - start, first = y * field->width + start;
    const uint8_t *restrict rgb = field->row + (size_t)start * CHANNELS;
    uint8_t *restrict mask = field->mask + first;
    int32_t *restrict at = field->at + field->count;
    uint32_t *restrict colour = field->colour + field->count;
    float *restrict strength = field->strength + field->count;
    for (int32_t i = 0; i < count; i++, rgb += CHANNELS) {
        at[i] = first + i;
        colour[i] = rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
        strength[i] = stain[0][rgb[0]] + stain[1][rgb[1]] + stain[2][rgb[2]];
        mask[i] = strength[i] > level;
    }
    field->count += count;
}

/* The first column that lies in a coarse one or behind it: next to where their ratio puts it. */
static int32_t first_of(int32_t column, double step, int32_t fewer, int32_t width) {
    int32_t x = column < fewer ? (int32_t)(column / step) : width;
    while (x > 0 && coarse(x - 1, step, fewer) >= column) x--;
    while (x < width && coarse(x, step, fewer) < column) x++;
    return x;
}

void find_spots(Field *field, const uint8_t *near, const int32_t size[2], float stain[CHANNELS][256],
                float level) {
    const int32_t height = field->height, width = field->width;
    double down = step_of(height, size[0]), across = step_of(width, size[1]);
    memset(field->mask, 0, (size_t)height * width);
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = near + (size_t)coarse(y, down, size[0]) * size[1];
        Run run;
        for (int32_t from = 0; next_run(row, size[1], 1, from, &run); from = run.end) {
            int32_t start = first_of(run.start, across, size[1], width);
            int32_t end = first_of(run.end, across, size[1], width);
            if (end > start) add_spots(field, y, start, end, stain, level);
        }
    }
}

void keep_within(Field *field, const uint8_t *mask, const uint16_t *labels) {
    const int32_t count = field->count;
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t at = field->at[i];
        field->at[kept] = at;
        field->colour[kept] = field->colour[i];
        field->strength[kept] = field->strength[i];
        field->blob[kept] = labels[at];
        kept += mask[at];
    }
    field->count = kept;
}
