/* A fingerprint of a table of counts that does not depend on the order of its lines: the number
 * of lines, and two sums of their hashes, which two different tables share by chance only. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct digest {
    uint64_t lines, first, second;
};

static inline uint64_t digest_mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

/* Adds a line, given without its line feed. */
static inline void digest_add(struct digest *digest, const unsigned char *line, size_t length) {
    uint64_t first = 0xcbf29ce484222325u, second = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < length; i++) {
        first = (first ^ line[i]) * 0x100000001b3u;
        second = (second + line[i]) * 0xff51afd7ed558ccdu;
        second ^= second >> 29;
    }
    digest->lines++;
    digest->first += digest_mix(first);
    digest->second += digest_mix(second ^ length);
}

static inline void digest_print(const struct digest *digest, FILE *file) {
    fprintf(file, "%" PRIu64 " %016" PRIx64 "%016" PRIx64 "\n", digest->lines, digest->first,
            digest->second);
}
