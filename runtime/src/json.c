/* A strict JSON reader, pulled token by token: enough for the header of a safetensors file, and no more. */
#include "internal.h"
#include <string.h>

bool nacre_json_fail(nacre_json *json, const char *problem) {
  if (!json->problem)
    json->problem = problem;
  return false;
}

static void skip_space(nacre_json *json) {
  while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
    ++json->at;
}

bool nacre_json_take(nacre_json *json, char c) {
  skip_space(json);
  if (json->problem || json->at == json->end || *json->at != c)
    return false;
  ++json->at;
  return true;
}

bool nacre_json_expect(nacre_json *json, char c) {
  if (nacre_json_take(json, c))
    return true;
  switch (c) {
  case '{':
    return nacre_json_fail(json, "`{` expected");
  case '}':
    return nacre_json_fail(json, "`}` or `,` expected");
  case '[':
    return nacre_json_fail(json, "`[` expected");
  case ']':
    return nacre_json_fail(json, "`]` or `,` expected");
  case ':':
    return nacre_json_fail(json, "`:` expected");
  case ',':
    return nacre_json_fail(json, "`,` expected");
  default:
    return nacre_json_fail(json, "a string expected");
  }
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(nacre_json *json) {
  if (json->end - json->at < 4)
    return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    char c = *json->at++;
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* The code point of an escape whose backslash has been read, or -1. */
static int32_t escaped(nacre_json *json) {
  if (json->at == json->end)
    return -1;
  char c = *json->at++;
  static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
  const char *found = c ? strchr(plain, c) : NULL;
  if (found)
    return meaning[found - plain];
  if (c != 'u')
    return -1;
  int32_t high = hex4(json);
  if (high < 0xd800 || high > 0xdfff)
    return high;
  if (high > 0xdbff || json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
    return -1;
  json->at += 2;
  int32_t low = hex4(json);
  return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *encode(char *out, int32_t point) {
  if (point < 0x80) {
    *out++ = (char)point;
  } else if (point < 0x800) {
    *out++ = (char)(0xc0 | point >> 6);
    *out++ = (char)(0x80 | (point & 63));
  } else if (point < 0x10000) {
    *out++ = (char)(0xe0 | point >> 12);
    *out++ = (char)(0x80 | (point >> 6 & 63));
    *out++ = (char)(0x80 | (point & 63));
  } else {
    *out++ = (char)(0xf0 | point >> 18);
    *out++ = (char)(0x80 | (point >> 12 & 63));
    *out++ = (char)(0x80 | (point >> 6 & 63));
    *out++ = (char)(0x80 | (point & 63));
  }
  return out;
}

/* Bytes of the well-formed UTF-8 sequence at `at`, or 0: no overlong forms, no surrogates, nothing past U+10FFFF. */
static int sequence_length(const unsigned char *at, ptrdiff_t left) {
  unsigned char first = at[0];
  if (first < 0x80)
    return 1;
  int length = first >= 0xc2 && first <= 0xdf   ? 2
               : first >= 0xe0 && first <= 0xef ? 3
               : first >= 0xf0 && first <= 0xf4 ? 4
                                                : 0;
  if (length == 0 || left < length)
    return 0;
  for (int i = 1; i < length; ++i)
    if ((at[i] & 0xc0) != 0x80)
      return 0;
  if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
      (first == 0xf4 && at[1] > 0x8f))
    return 0;
  return length;
}

ptrdiff_t nacre_json_string(nacre_json *json, char *out) {
  if (!nacre_json_expect(json, '"'))
    return -1;
  char *start = out;
  while (json->at < json->end && *json->at != '"') {
    if ((unsigned char)*json->at < 0x20) {
      nacre_json_fail(json, "a control character in a string");
      return -1;
    }
    if (*json->at == '\\') {
      ++json->at;
      int32_t point = escaped(json);
      if (point <= 0) {
        nacre_json_fail(json, point ? "a bad escape in a string" : "a zero character in a string");
        return -1;
      }
      out = encode(out, point);
      continue;
    }
    int length = sequence_length((const unsigned char *)json->at, json->end - json->at);
    if (length == 0) {
      nacre_json_fail(json, "bad UTF-8 in a string");
      return -1;
    }
    memmove(out, json->at, (size_t)length);
    out += length;
    json->at += length;
  }
  if (json->at == json->end) {
    nacre_json_fail(json, "a string without end");
    return -1;
  }
  ++json->at;
  *out = 0;
  return out - start;
}

bool nacre_json_integer(nacre_json *json, int64_t *out) {
  skip_space(json);
  const char *start = json->at;
  int64_t value = 0;
  while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
    int digit = *json->at++ - '0';
    if (value > (INT64_MAX - digit) / 10)
      return nacre_json_fail(json, "a number beyond 64 bits");
    value = value * 10 + digit;
  }
  if (json->problem || json->at == start)
    return nacre_json_fail(json, "a whole number of at least 0 expected");
  if (*start == '0' && json->at - start > 1)
    return nacre_json_fail(json, "a number with a leading zero");
  if (json->at < json->end && (*json->at == '.' || *json->at == 'e' || *json->at == 'E'))
    return nacre_json_fail(json, "a whole number expected");
  *out = value;
  return true;
}
