/* Error codes and the text of the last failure, one per thread. */
#include "internal.h"
#include <stdarg.h>
#include <string.h>

enum { TEXT_BYTES = 2048 };

/* Exported so that several shared libraries built by Nacre in one process agree on one place per thread: the dynamic
   linker binds all of them to the first definition, as it does nacre_last_error. */
NACRE_API char *nacre_error_buffer_1(void);
char *nacre_error_buffer_1(void) {
  static _Thread_local char buffer[TEXT_BYTES];
  return buffer;
}

int nacre_fail(int code, const char *format, ...) {
  char text[TEXT_BYTES]; /* an argument may be the last error itself */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, TEXT_BYTES, format, arguments);
  va_end(arguments);
  strcpy(nacre_error_buffer_1(), text);
  return code;
}

const char *nacre_last_error(void) { return nacre_error_buffer_1(); }

const char *nacre_error_text(int status) {
  static const char *const texts[] = {
      "ok",           "file error",      "format error",   "weights do not match", "dimension out of bounds",
      "where clause", "subscript error", "argument error", "out of memory",        "version mismatch",
      "processor",    "unsupported"};
  if (status < 0 || (size_t)status >= sizeof texts / sizeof *texts)
    return "unknown error";
  return texts[status];
}

const char *nacre_version(void) { return NACRE_VERSION; }
uint32_t nacre_abi(void) { return NACRE_ABI; }
