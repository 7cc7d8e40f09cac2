/* How client/tool/core/layout.c clips cells and breaks sentences, without a terminal. */
#include "../../client/tool/core/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>

/* A layout that writes into memory. */
struct page {
	struct layout layout;
	char *text;
	size_t size;
};

static void page_open(struct page *page, size_t width, bool utf8, bool wrap)
{
	page->layout = (struct layout){ .width = width, .utf8 = utf8, .wrap = wrap };
	page->layout.stream = open_memstream(&page->text, &page->size);
	assert_non_null(page->layout.stream);
}

static void page_has(struct page *page, const char *expected)
{
	fclose(page->layout.stream);
	assert_string_equal(page->text, expected);
	free(page->text);
}

static void test_cells_are_filled_or_clipped(void **state)
{
	struct page page;

	page_open(&page, 80, true, false);
	assert_int_equal(layout_cell(&page.layout, "ab", 4, true), 4);
	assert_int_equal(layout_cell(&page.layout, "ab", 4, false), 2);
	assert_int_equal(layout_cell(&page.layout, "abcd", 4, true), 4);
	assert_int_equal(layout_cell(&page.layout, "abcde", 4, true), 4);
	assert_int_equal(layout_cell(&page.layout, "abcde", 1, true), 1);
	assert_int_equal(layout_cell(&page.layout, "abcde", 0, true), 0);
	page_has(&page, "ab  ababcdabc\u2026\u2026");
}

static void test_cells_count_columns_and_not_bytes(void **state)
{
	struct page page;

	page_open(&page, 80, true, false);
	assert_int_equal(layout_columns(&page.layout, "\u7db2\u00e4"), 3);
	assert_int_equal(layout_columns(&page.layout, "\x1b"), 4);
	assert_int_equal(layout_cell(&page.layout, "\u7db2\u7db2\u7db2", 4, true), 4);
	assert_int_equal(layout_cell(&page.layout,
				     "a\x1b"
				     "b",
				     4, true),
			 4);
	page_has(&page, "\u7db2\u2026 a\u2026  ");
	page_open(&page, 80, false, false);
	layout_cell(&page.layout, "abcde", 4, true);
	page_has(&page, "abc~");
}

static void test_sentences_are_broken_between_words(void **state)
{
	struct page page;

	page_open(&page, 20, true, true);
	layout_sentence(&page.layout, "  ", 4, "one two three four five six");
	layout_sentence(&page.layout, "", 2, "a-word-that-is-longer-than-a-line and more");
	layout_sentence(&page.layout, "- ", 2, "");
	page_has(&page, "  one two three four\n    five six\na-word-that-is-longer-than-a-line\n  and more\n- \n");
}

static void test_sentences_for_programs_are_left_whole(void **state)
{
	struct page page;

	page_open(&page, 20, true, false);
	layout_sentence(&page.layout, "  ", 4, "one two three four five six");
	layout_row_of(&page.layout, "label", 8, "%d %s", 7, "words");
	page_has(&page, "  one two three four five six\nlabel    7 words\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_are_filled_or_clipped),
		cmocka_unit_test(test_cells_count_columns_and_not_bytes),
		cmocka_unit_test(test_sentences_are_broken_between_words),
		cmocka_unit_test(test_sentences_for_programs_are_left_whole),
	};

	if (setlocale(LC_ALL, "C.UTF-8") == NULL) {
		fputs("Bail out! this machine has no locale C.UTF-8\n", stdout);
		return 1;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
