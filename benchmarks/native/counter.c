/* counter TEXT COUNTS: the limit that the others are held against, plain C on one core.
 *
 * Splits at what Python's str.split() takes for white space, in UTF-8, and writes word, tab,
 * count, the most frequent first, ties by word. One pass: a word is hashed while its end is
 * sought, then found in an open hash table.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20, FIRST_SLOTS = 1 << 16 };

struct entry {
    uint64_t hash, count, word; /* word: where it begins in the arena; count 0: a free slot */
    uint32_t length;
};

static struct entry *slots;
static uint64_t slot_mask = FIRST_SLOTS - 1, used;
static unsigned char *arena;
static uint64_t arena_used, arena_room;

/* What a byte can be: part of a word, white space, or the first byte of wide white space. */
enum { WORD, SPACE, WIDE };
static unsigned char kinds[256];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *grown(void *memory, size_t size) {
    memory = realloc(memory, size);
    if (memory == NULL) fail("memory");
    return memory;
}

static void prepare(void) {
    for (int byte = 9; byte <= 13; byte++) kinds[byte] = SPACE;
    for (int byte = 28; byte <= 32; byte++) kinds[byte] = SPACE;
    kinds[0xc2] = kinds[0xe1] = kinds[0xe2] = kinds[0xe3] = WIDE;
    slots = calloc(FIRST_SLOTS, sizeof *slots);
    if (slots == NULL) fail("memory");
}

/* How many bytes of white space begin at `at`: U+0085 U+00A0 U+1680 U+2000-200A U+2028 U+2029
 * U+202F U+205F U+3000; 0 for none. */
static inline int wide_space(const unsigned char *at, const unsigned char *end) {
    if (at[0] == 0xc2) return end - at >= 2 && (at[1] == 0x85 || at[1] == 0xa0) ? 2 : 0;
    if (end - at < 3) return 0;
    if (at[0] == 0xe1) return at[1] == 0x9a && at[2] == 0x80 ? 3 : 0;
    if (at[0] == 0xe3) return at[1] == 0x80 && at[2] == 0x80 ? 3 : 0;
    if (at[1] == 0x81) return at[2] == 0x9f ? 3 : 0;
    if (at[1] != 0x80) return 0;
    return (at[2] >= 0x80 && at[2] <= 0x8a) || at[2] == 0xa8 || at[2] == 0xa9 || at[2] == 0xaf ? 3 : 0;
}

static void double_slots(void) {
    uint64_t mask = slot_mask * 2 + 1;
    struct entry *larger = calloc(mask + 1, sizeof *larger);
    if (larger == NULL) fail("memory");
    for (uint64_t old = 0; old <= slot_mask; old++) {
        if (slots[old].count == 0) continue;
        uint64_t slot = slots[old].hash & mask;
        while (larger[slot].count != 0) slot = (slot + 1) & mask;
        larger[slot] = slots[old];
    }
    free(slots);
    slots = larger;
    slot_mask = mask;
}

static void add(struct entry *entry, const unsigned char *word, uint32_t length, uint64_t hash) {
    if (arena_used + length > arena_room) {
        arena_room = (arena_room + length) * 2 + PIECE;
        arena = grown(arena, arena_room);
    }
    memcpy(arena + arena_used, word, length);
    *entry = (struct entry){hash, 1, arena_used, length};
    arena_used += length;
    if (++used * 2 > slot_mask) double_slots();
}

static inline void count(const unsigned char *word, uint32_t length, uint64_t hash) {
    hash ^= hash >> 32;
    for (uint64_t slot = hash & slot_mask;; slot = (slot + 1) & slot_mask) {
        struct entry *entry = &slots[slot];
        if (entry->count == 0) {
            add(entry, word, length, hash);
            return;
        }
        if (entry->hash == hash && entry->length == length &&
            memcmp(arena + entry->word, word, length) == 0) {
            entry->count++;
            return;
        }
    }
}

/* Counts the words of a piece that ends where a word does. */
static void count_words(const unsigned char *at, const unsigned char *end) {
    while (at < end) {
        const unsigned char *word = at;
        uint64_t hash = 0xcbf29ce484222325u;
        int space = 1;
        for (; at < end; at++) {
            if (kinds[*at] != WORD) {
                if (kinds[*at] == SPACE) break;
                if ((space = wide_space(at, end)) != 0) break;
                space = 1;
            }
            hash = (hash ^ *at) * 0x100000001b3u;
        }
        if (at > word) count(word, (uint32_t)(at - word), hash);
        at += space;
    }
}

static void read_all(int file) {
    size_t room = 2 * PIECE, kept = 0;
    unsigned char *piece = grown(NULL, room);
    for (;;) {
        if (room - kept < PIECE) piece = grown(piece, room *= 2);
        ssize_t got = read(file, piece + kept, room - kept);
        if (got < 0) fail("read");
        size_t size = kept + (size_t)got, whole = size;
        if (got != 0) {
            while (whole > 0 && kinds[piece[whole - 1]] != SPACE) whole--;
        }
        count_words(piece, piece + whole);
        if (got == 0) break;
        kept = size - whole;
        memmove(piece, piece + whole, kept);
    }
    free(piece);
}

/* The first eight bytes of a word as a number that sorts as they do. */
static uint64_t beginning(const struct entry *entry) {
    uint64_t first = 0;
    for (uint32_t i = 0; i < 8; i++) {
        first = first << 8 | (i < entry->length ? arena[entry->word + i] : 0);
    }
    return first;
}

/* Of entries whose hash gave way to the word's beginning, so that few words are looked up. */
static int by_count(const void *one, const void *other) {
    const struct entry *left = one, *right = other;
    if (left->count != right->count) return left->count < right->count ? 1 : -1;
    if (left->hash != right->hash) return left->hash < right->hash ? -1 : 1;
    uint32_t shorter = left->length < right->length ? left->length : right->length;
    int order = memcmp(arena + left->word, arena + right->word, shorter);
    return order != 0 ? order : (left->length > right->length) - (left->length < right->length);
}

static void write_counts(const char *path) {
    uint64_t found = 0;
    for (uint64_t slot = 0; slot <= slot_mask; slot++) {
        if (slots[slot].count == 0) continue;
        slots[found] = slots[slot];
        slots[found].hash = beginning(&slots[found]);
        found++;
    }
    qsort(slots, found, sizeof *slots, by_count);
    FILE *file = fopen(path, "w");
    if (file == NULL) fail(path);
    for (uint64_t i = 0; i < found; i++) {
        fwrite(arena + slots[i].word, 1, slots[i].length, file);
        fprintf(file, "\t%llu\n", (unsigned long long)slots[i].count);
    }
    if (fclose(file) != 0) fail(path);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: counter TEXT COUNTS\n");
        return 2;
    }
    int file = open(argv[1], O_RDONLY);
    if (file < 0) fail(argv[1]);
    prepare();
    read_all(file);
    write_counts(argv[2]);
    return 0;
}
