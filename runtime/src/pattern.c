/* Patterns over dotted names: `{x}` captures one or more parts, `*` stands for characters within one part, `**` for one
   or more parts. Matching is a table over (element of the pattern, position in the name), so its time is bounded by the
   product of their lengths; among several readings each wildcard, from the left, takes the shortest. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

typedef enum element_kind { LETTER, STAR, DEEP, CAPTURE } element_kind;
typedef struct element {
  element_kind kind;
  const char *text;  /* the letter, or the capture's name */
  size_t length;     /* of the capture's name */
  size_t begin, end; /* what it took of the name */
} element;

static size_t parse_pattern(const char *pattern, element *out) {
  size_t count = 0;
  while (*pattern) {
    element *e = &out[count++];
    const char *close = *pattern == '{' ? strchr(pattern, '}') : NULL;
    if (close) {
      *e = (element){CAPTURE, pattern + 1, (size_t)(close - pattern - 1), 0, 0};
      pattern = close + 1;
    } else if (pattern[0] == '*' && pattern[1] == '*') {
      *e = (element){DEEP, pattern, 0, 0, 0};
      pattern += 2;
    } else {
      *e = (element){*pattern == '*' ? STAR : LETTER, pattern, 0, 0, 0};
      ++pattern;
    }
  }
  return count;
}

static bool takes(const element *e, char c) { return e->kind == STAR ? c != '.' : e->kind != LETTER || *e->text == c; }

/* reach[i * (length + 1) + j]: elements i.. match the name from j on. Every element takes at least one character. */
static void fill(const element *elements, size_t count, const char *name, size_t length, unsigned char *reach) {
  size_t row = length + 1;
  memset(reach, 0, (count + 1) * row);
  reach[count * row + length] = 1;
  for (size_t i = count; i-- > 0;)
    for (size_t j = length; j-- > 0;)
      reach[i * row + j] = takes(&elements[i], name[j]) &&
                           (reach[(i + 1) * row + j + 1] || (elements[i].kind != LETTER && reach[i * row + j + 1]));
}

static char *rewrite(const element *elements, size_t count, const char *name, const char *to) {
  size_t room = strlen(to) + 1, length = 0;
  for (const char *at = to; *at; ++at)
    room += *at == '{' ? strlen(name) : 0;
  char *result = malloc(room);
  while (result && *to) {
    const char *close = *to == '{' ? strchr(to, '}') : NULL;
    if (!close) {
      result[length++] = *to++;
      continue;
    }
    const element *found = NULL;
    for (size_t i = 0; i < count && !found; ++i)
      if (elements[i].kind == CAPTURE && elements[i].length == (size_t)(close - to - 1) &&
          memcmp(elements[i].text, to + 1, elements[i].length) == 0)
        found = &elements[i];
    if (!found) {
      free(result);
      return NULL;
    }
    memcpy(result + length, name + found->begin, found->end - found->begin);
    length += found->end - found->begin;
    to = close + 1;
  }
  if (result)
    result[length] = 0;
  return result;
}

int nacre_pattern_match(const char *from, const char *name, const char *to, char **result) {
  size_t length = strlen(name), room = strlen(from), answer = 0;
  element *elements = calloc(room + 1, sizeof *elements);
  unsigned char *reach = malloc((room + 1) * (length + 1));
  if (!elements || !reach) {
    free(elements);
    free(reach);
    return -1;
  }
  size_t count = parse_pattern(from, elements);
  fill(elements, count, name, length, reach);
  int status = reach[0];
  if (status) {
    for (size_t i = 0; i < count; ++i) {
      elements[i].begin = answer++;
      while (!reach[(i + 1) * (length + 1) + answer])
        ++answer;
      elements[i].end = answer;
    }
    if (to && !(*result = rewrite(elements, count, name, to)))
      status = -1;
  }
  free(elements);
  free(reach);
  return status;
}
