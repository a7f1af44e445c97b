// SPDX-License-Identifier: Apache-2.0
/* The sandbox as a child process: what the tests that use it rely on. */
#include "tests/support/live_sandbox.h"
#include "tests/support/sandbox_cluster.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void serves_the_state(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("7.0.14", NULL);
    g_autofree char *owner = live_sandbox_owner(s, "app.items", "{\"x\": 200}");
    g_autofree char *nobody = live_sandbox_owner(s, "app.items", "{\"x\": 201}");
    assert_string_equal(owner, "b");
    assert_null(nobody);
    bson_t *reply = live_sandbox_command_json(s, "admin", "{\"buildInfo\": 1}");
    assert_string_equal(sandbox_text(reply, "version"), "7.0.14");
    bson_destroy(reply);
}

static void takes_faults(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("4.2.25", NULL);
    live_sandbox_do(s, "{\"evenkeelSandboxFault\": \"errorCode\", \"command\": \"split\", \"code\": 46}");
    bson_t *reply =
        live_sandbox_command_json(s, "admin", "{\"split\": \"app.items\", \"middle\": {\"x\": 5}}");
    assert_int_equal(sandbox_code(reply), 46);
    bson_destroy(reply);
}

static void returns_on_its_port(void **state)
{
    (void)state;
    g_autoptr(live_sandbox) s = live_sandbox_small("6.0.5", NULL);
    live_sandbox_do(s, ITEMS(0, 100, "c") "}");
    for (int i = 0; i < 3; i++) {
        live_sandbox_kill(s);
        live_sandbox_restart(s);
        g_autofree char *owner = live_sandbox_owner(s, "app.items", "{\"x\": 0}");
        assert_string_equal(owner, "a"); /* as it was */
    }
}

/* A child that starts a sandbox and dies without a word takes it along. */
static void dies_with_its_owner(void **state)
{
    (void)state;
    g_autoptr(temp_dir) dir = temp_dir_new(); /* ours: the child removes nothing */
    g_autofree char *path =
        temp_dir_write(dir, "small.json", sandbox_small_state, strlen(sandbox_small_state));
    const char *const args[] = {"--snapshot", path, "--server-version", "4.2.25", NULL};
    int ends[2], pid = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live_sandbox *s = live_sandbox_new(args);
        pid = live_sandbox_pid(s);
        if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid))
            _exit(1);
        raise(SIGKILL);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (unsigned i = 0; kill(pid, 0) == 0; i++) { /* reaped by init in its own time */
        g_autofree char *stat = g_strdup_printf("/proc/%d/stat", pid);
        g_autofree char *text = NULL;
        if (g_file_get_contents(stat, &text, NULL, NULL) && strstr(text, ") Z ") != NULL)
            break;
        assert_true(i < 3000);
        g_usleep(10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_the_state),
        cmocka_unit_test(takes_faults),
        cmocka_unit_test(returns_on_its_port),
        cmocka_unit_test(dies_with_its_owner),
    };
    return cmocka_run_group_tests_name("live_sandbox", tests, NULL, NULL);
}
