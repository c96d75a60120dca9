/* words DIFFERENT TOTAL: writes a text of TOTAL words, DIFFERENT of which differ, to standard
 * output, and the fingerprint of its counts to standard error.
 *
 * Deterministic. Every word occurs equally often, give or take one, spread over the whole text.
 * DIFFERENT must have no prime factor but 2, 3, 5 and 7, or one that does not divide STRIDE.
 */
#include <stdlib.h>
#include <string.h>

#include "digest.h"

enum { LETTERS = 8, LONGEST = 12, A_LINE = 12 };

/* A prime: its multiples modulo DIFFERENT visit every number before one comes again. */
static const uint64_t STRIDE = 2654435761u;
static const uint64_t MASK = (UINT64_C(1) << 40) - 1;

/* The word of a number: 8 letters of 5 bits that belong to this number alone, as each step can be
 * undone, then up to 4 more. Returns the length. */
static size_t spell(uint64_t number, unsigned char *word) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t code = (number * 0x9e3779b97f4a7c15u) & MASK;
    code ^= code >> 21;
    code = (code * 0xd6e8feb86659fd93u) & MASK;
    size_t length = LETTERS + number % (LONGEST - LETTERS + 1);
    for (size_t i = 0; i < length; i++) word[i] = (unsigned char)alphabet[(code >> (5 * (i % LETTERS))) & 31];
    return length;
}

int main(int argc, char **argv) {
    uint64_t different = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t total = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (different == 0 || total < different || different > MASK || STRIDE % different == 0) {
        fprintf(stderr, "usage: words DIFFERENT TOTAL\n");
        return 2;
    }
    struct digest digest = {0, 0, 0};
    unsigned char line[64];
    for (uint64_t i = 0; i < total; i++) {
        size_t length = spell(i % different * (STRIDE % different) % different, line);
        fwrite(line, 1, length, stdout);
        putc(i % A_LINE == A_LINE - 1 || i == total - 1 ? '\n' : ' ', stdout);
        if (i >= different) continue;
        uint64_t count = total / different + (i < total % different);
        length += (size_t)snprintf((char *)line + length, sizeof line - length, "\t%" PRIu64, count);
        digest_add(&digest, line, length);
    }
    digest_print(&digest, stderr);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
