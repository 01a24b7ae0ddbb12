// Counts lines, words and characters of text files: `count` one of them, `report` all those below a folder.
#define ORLOP_COMPONENT
#include "orlop.h"
#include "plain.h"

enum { PIECE = 64 * 1024, AT_ONCE = 24 * 1024 * 1024, FILES = 500, LINE = 320 };

typedef struct {
  uint64_t lines, words, characters;
} counts_t;

static size_t left;   // bytes that this call may still read: what the host hands over stays until the call returns

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static void count_piece(orlop_string_t piece, bool *inside, counts_t *counts) {
  for (size_t at = 0; at < piece.size; at++) {
    char c = piece.data[at];
    counts->lines += c == '\n';
    counts->characters += ((uint8_t)c & 0xc0) != 0x80;
    counts->words += !*inside && !blank(c);
    *inside = !blank(c);
  }
}

// Empty, or why the file could not be counted.
static orlop_string_t count_file(orlop_string_t path, counts_t *counts) {
  orlop_filesystem_file_open_options_t reading = {
      .mode = ORLOP_FILESYSTEM_OPEN_MODE_READ, .follow_final_symlink = true, .permissions = {0600}};
  orlop_result_filesystem_file_filesystem_filesystem_error_t file;
  orlop_filesystem_open(path, &reading, &file);
  if (file.is_err) return file.as.err.as.not_found;   // the reason lies at the same place in all cases
  orlop_string_t wrong = {0};
  for (bool inside = false, ended = false; !ended && !wrong.size;) {
    orlop_result_filesystem_text_result_filesystem_filesystem_error_t piece;
    orlop_filesystem_file_read_text(file.as.ok, PIECE, ORLOP_FILESYSTEM_TEXT_ENCODING_UTF8, &piece);
    if (piece.is_err) {
      wrong = piece.as.err.as.not_found;
    } else if (piece.as.ok.text.size > left) {
      wrong = ORLOP_STRING("more than 24 MiB in one call");
    } else {
      left -= piece.as.ok.text.size;
      count_piece(piece.as.ok.text, &inside, counts);
      ended = piece.as.ok.end_of_file;
    }
  }
  orlop_filesystem_file_drop(file.as.ok);
  return wrong;
}

static void add_line(text_t *text, const counts_t *counts, orlop_string_t name) {
  text_number(text, counts->lines);
  text_add(text, ORLOP_STRING(" "));
  text_number(text, counts->words);
  text_add(text, ORLOP_STRING(" "));
  text_number(text, counts->characters);
  text_add(text, ORLOP_STRING(" "));
  text_add(text, name);
  text_add(text, ORLOP_STRING("\n"));
}

static void count(orlop_string_t path, orlop_result_bytes_core_execution_error_t *result) {
  counts_t counts = {0};
  orlop_string_t wrong = count_file(path, &counts);
  if (wrong.size) return fail(wrong, result);
  text_t text = text_of(LINE);
  add_line(&text, &counts, path);
  answer(text_bytes(&text), result);
}

static void report(orlop_string_t folder, orlop_result_bytes_core_execution_error_t *result) {
  orlop_result_filesystem_tree_listing_filesystem_filesystem_error_t found;
  orlop_metadata_find_files(folder, ORLOP_STRING("**/*.txt"), FILES, &found);
  if (found.is_err) return fail(found.as.err.as.not_found, result);
  text_t text = text_of((FILES + 1) * LINE);
  counts_t all = {0};
  for (size_t at = 0; at < found.as.ok.entries.size; at++) {
    orlop_string_t name = found.as.ok.entries.data[at].path;
    text_t path = text_of(folder.size + 1 + name.size);
    text_add(&path, folder);
    text_add(&path, ORLOP_STRING("/"));
    text_add(&path, name);
    counts_t counts = {0};
    orlop_string_t wrong = count_file(text_string(&path), &counts);
    if (wrong.size) {
      text_add(&text, name);
      text_add(&text, ORLOP_STRING(": "));
      text_add(&text, wrong);
      text_add(&text, ORLOP_STRING("\n"));
      continue;
    }
    all.lines += counts.lines;
    all.words += counts.words;
    all.characters += counts.characters;
    add_line(&text, &counts, name);
  }
  add_line(&text, &all, found.as.ok.truncated ? ORLOP_STRING("in all, and there are more files") : ORLOP_STRING("in all"));
  answer(text_bytes(&text), result);
}

void orlop_component_lifecycle_execute(orlop_string_t operation, orlop_bytes_t input,
                                       const orlop_core_execution_context_t *context,
                                       orlop_result_bytes_core_execution_error_t *result) {
  (void)context;
  left = AT_ONCE;
  if (same(operation, ORLOP_STRING("count"))) return count(string_of(input), result);
  if (same(operation, ORLOP_STRING("report"))) return report(string_of(input), result);
  unknown(operation, result);
}

void orlop_component_lifecycle_metadata(orlop_core_component_metadata_t *result) {
  static const orlop_string_t operations[] = {{"count", 5}, {"report", 6}};
  *result = (orlop_core_component_metadata_t){
      .name = ORLOP_STRING("word-count"),
      .version = ORLOP_STRING("1.0.0"),
      .description = ORLOP_STRING("Counts the words of text files"),
      .supported_operations = {operations, 2},
  };
}
