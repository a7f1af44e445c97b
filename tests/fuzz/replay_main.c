// SPDX-License-Identifier: Apache-2.0
/* replay_main.c - runs a fuzz target over every file of the folders named, without libFuzzer. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        g_autoptr(GDir) dir = g_dir_open(argv[i], 0, NULL);
        if (dir == NULL) {
            fprintf(stderr, "cannot open folder '%s'\n", argv[i]);
            return 1;
        }
        const char *name;
        while ((name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *path = g_build_filename(argv[i], name, NULL);
            g_autofree char *data = NULL;
            gsize size;
            if (!g_file_get_contents(path, &data, &size, NULL)) {
                fprintf(stderr, "cannot read '%s'\n", path);
                return 1;
            }
            LLVMFuzzerTestOneInput((const uint8_t *)data, size);
            n++;
        }
    }
    printf("%d inputs replayed\n", n);
    return n > 0 ? 0 : 1;
}
