/* Settings of a data block by name, paths, and faults that are counted. */
#include "internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const nacre_option *nacre_find_option(const nacre_option *options, int count, const char *name) {
  for (int i = 0; i < count; ++i)
    if (strcmp(options[i].name, name) == 0)
      return &options[i];
  return NULL;
}

const char *nacre_option_text(const nacre_data_info *info, const char *name) {
  const nacre_option *option = nacre_find_option(info->options, info->option_count, name);
  return option && option->form == NACRE_TEXT && option->text[0] ? option->text : NULL;
}

double nacre_option_number(const nacre_data_info *info, const char *name, double fallback) {
  const nacre_option *option = nacre_find_option(info->options, info->option_count, name);
  return option && option->form == NACRE_NUMBER ? option->number : fallback;
}

char *nacre_path_join(const char *folder, const char *path) {
  bool alone = path[0] == '/' || !folder || !folder[0];
  size_t room = strlen(path) + (alone ? 0 : strlen(folder) + 1) + 1;
  char *joined = malloc(room);
  if (!joined) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  if (alone)
    memcpy(joined, path, room);
  else
    snprintf(joined, room, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", path);
  return joined;
}

void nacre_fault(nacre_faults *faults, int code, const char *format, ...) {
  if (faults->count++ > 0)
    return;
  faults->code = code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(faults->first, sizeof faults->first, format, arguments);
  va_end(arguments);
}

int nacre_faults_result(const nacre_faults *faults, const char *what) {
  if (faults->count == 0)
    return NACRE_OK;
  if (faults->count == 1)
    return nacre_fail(faults->code, "%s", faults->first);
  return nacre_fail(faults->code, "%s (the first of %lld such %s)", faults->first, (long long)faults->count, what);
}

bool nacre_field_is_index(const nacre_data_field *field) {
  return field->rank == 0 && !nacre_type_is_real(field->type) && field->type != NACRE_BOOL &&
         strcmp(field->name, "index") == 0;
}
