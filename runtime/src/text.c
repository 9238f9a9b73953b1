/* Texts that grow, and shapes as text. */
#include "internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void nacre_text_add(nacre_text *text, const char *format, ...) {
  if (text->failed)
    return;
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  int more = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (more >= 0 && text->length + (size_t)more + 1 > text->capacity) {
    size_t capacity = 2 * text->capacity + (size_t)more + 64;
    char *data = realloc(text->data, capacity);
    if (data) {
      text->data = data;
      text->capacity = capacity;
    } else {
      more = -1;
    }
  }
  if (more < 0) {
    text->failed = true;
  } else {
    vsnprintf(text->data + text->length, text->capacity - text->length, format, again);
    text->length += (size_t)more;
  }
  va_end(again);
}

const char *nacre_shape_text(char buffer[NACRE_SHAPE_TEXT], int rank, const int64_t *extents) {
  size_t at = 0;
  buffer[at++] = '[';
  for (int axis = 0; axis < rank && axis < NACRE_MAX_RANK; ++axis)
    at += (size_t)snprintf(buffer + at, NACRE_SHAPE_TEXT - at, axis ? ", %lld" : "%lld", (long long)extents[axis]);
  memcpy(buffer + at, "]", 2);
  return buffer;
}
