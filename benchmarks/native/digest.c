/* digest < counts.tsv: prints the fingerprint of a table of counts, whatever its order. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/types.h>

#include "digest.h"

int main(void) {
    struct digest digest = {0, 0, 0};
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n') length--;
        digest_add(&digest, (unsigned char *)line, (size_t)length);
    }
    free(line);
    digest_print(&digest, stdout);
    return ferror(stdin) ? 1 : 0;
}
