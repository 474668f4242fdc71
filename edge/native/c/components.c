/* Masks as runs: what touches, and what lies near. */
#include "components.h"

#include <string.h>

int next_run(const uint8_t *row, int32_t width, uint8_t value, int32_t from, Run *run) {
    if (from >= width) return 0;
    const uint8_t *start = memchr(row + from, value, (size_t)(width - from));
    if (!start) return 0;
    const uint8_t *end = memchr(start, !value, (size_t)(row + width - start));
    run->start = (int32_t)(start - row);
    run->end = end ? (int32_t)(end - row) : width;
    return 1;
}

int32_t runs_of(const uint8_t *mask, int32_t height, int32_t width, Run *runs) {
    int32_t count = 0;
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *row = mask + (size_t)y * width;
        for (int32_t x = 0; next_run(row, width, 1, x, &runs[count]); x = runs[count++].end) {
            runs[count].row = y;
            runs[count].root = count;
            runs[count].part = 0;
        }
    }
    return count;
}

static int32_t root_of(Run *runs, int32_t i) {
    while (runs[i].root != i) i = runs[i].root = runs[runs[i].root].root;
    return i;
}

/* The end of the runs that lie in the same row as the first of them. */
static int32_t row_end(const Run *runs, int32_t count, int32_t from, int32_t row) {
    while (from < count && runs[from].row == row) from++;
    return from;
}

/* Joins the runs of a row, from `here` to `end`, to those of the row above, from `above` to `here`. */
static void join_rows(Run *runs, int32_t above, int32_t here, int32_t end) {
    for (int32_t i = above, j = here; i < here && j < end;) {
        if (runs[i].start <= runs[j].end && runs[j].start <= runs[i].end) {
            int32_t a = root_of(runs, i), b = root_of(runs, j);
            runs[a > b ? a : b].root = a < b ? a : b;
        }
        if (runs[i].end < runs[j].end) i++;
        else j++;
    }
}

int32_t parts_of(Run *runs, int32_t count) {
    int32_t many = 0;
    for (int32_t here = 0, end, above = 0; here < count; above = here, here = end) {
        end = row_end(runs, count, here, runs[here].row);
        if (here && runs[above].row == runs[here].row - 1) join_rows(runs, above, here, end);
    }
    for (int32_t i = 0; i < count; i++) runs[i].root = runs[runs[i].root].root; /* roots come first */
    for (int32_t i = 0; i < count;) {
        int32_t row = runs[i].row & ~1; /* two rows are one of blocks */
        int32_t j = row_end(runs, count, i, row), middle = j, end = row_end(runs, count, j, row + 1);
        while (i < middle || j < end) {
            int upper = j == end || (i < middle && runs[i].start / 2 <= runs[j].start / 2);
            Run *root = &runs[runs[upper ? i++ : j++].root];
            if (!root->part) root->part = ++many;
        }
        i = end;
    }
    for (int32_t i = 0; i < count; i++) runs[i].part = runs[runs[i].root].part;
    return many;
}

void measured_parts(const Run *runs, int32_t count, Part *parts, int32_t many) {
    for (int32_t i = 0; i < many; i++) parts[i] = (Part){INT32_MAX, INT32_MAX, 0, 0, 0};
    for (const Run *run = runs; run < runs + count; run++) {
        Part *part = &parts[run->part - 1];
        if (run->start < part->left) part->left = run->start;
        if (run->end > part->right) part->right = run->end;
        if (run->row < part->top) part->top = run->row;
        part->bottom = run->row + 1;
        part->area += run->end - run->start;
    }
}

void spread(const uint8_t *mask, int32_t height, int32_t width, uint8_t value, Element element,
            uint8_t *out) {
    memcpy(out, mask, (size_t)height * width);
    for (int32_t y = 0; y < height; y++) {
        int32_t top = y < element.radius ? -y : -element.radius;
        int32_t bottom = height - 1 - y < element.radius ? height - 1 - y : element.radius;
        Run run;
        for (int32_t x = 0; next_run(mask + (size_t)y * width, width, value, x, &run); x = run.end)
            for (int32_t dy = top; dy <= bottom; dy++) {
                int32_t reach = element.reach[dy + element.radius];
                int32_t start = run.start > reach ? run.start - reach : 0;
                int32_t end = width - run.end > reach ? run.end + reach : width;
                memset(out + (size_t)(y + dy) * width + start, value, (size_t)(end - start));
            }
    }
}

void opened(const uint8_t *mask, int32_t height, int32_t width, Element element, uint8_t *spare,
            uint8_t *out) {
    spread(mask, height, width, 0, element, spare);
    spread(spare, height, width, 1, element, out);
}
