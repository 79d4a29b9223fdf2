/* test.h: what every test binary shares: Check, and one main.
 *
 * A test file is START_TEST(name) … END_TEST blocks and, as its last line,
 *
 *     TEST_MAIN("arena", first_test, second_test)
 *
 * Each test runs in a process of its own, so a crash is one failed test. A file that needs
 * fixtures or loop tests builds its own Suite and ends with `return test_run(suite);`.
 * A test that lacks something outside the repository calls SKIP("why") and returns.
 */
#ifndef MEMWALK_TESTS_TEST_H
#define MEMWALK_TESTS_TEST_H

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Loud, because a skipped test proves nothing; tests/run counts these lines. */
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        printf("SKIP: %s: %s\n", __func__, (why));                                                 \
        fflush(stdout);                                                                            \
        return;                                                                                    \
    } while (0)

/* Runs the suite, prints Check's summary and each failure, returns main's exit status. */
static inline int test_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int test_run_list(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    return test_run(suite);
}

#define TEST_MAIN(name, ...)                                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return test_run_list(name, tests, sizeof(tests) / sizeof(tests[0]));                       \
    }

#endif
