/* A safetensors file, written beside its place, synced to the disk and then renamed: whenever the process ends, the
   place holds the old file or the new one, whole. */
#include "train.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const dtypes[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "I8", "U64", "U8", "BOOL"};

void nacre_storage_release(nacre_storage *storage) {
  for (size_t i = 0; i < storage->count; ++i)
    free(storage->list[i].name);
  free(storage->list);
  free(storage->metadata.data);
  *storage = (nacre_storage){0};
}

/* malloc'ed; null when memory ran out. */
static char *format_words(const char *format, va_list arguments) {
  char *words = NULL;
  return vasprintf(&words, format, arguments) < 0 ? NULL : words;
}

int nacre_storage_add(nacre_storage *storage, int type, int rank, const int64_t *extents, const void *data,
                      const char *name, ...) {
  if (storage->count == storage->capacity) {
    size_t capacity = storage->capacity ? 2 * storage->capacity : 32;
    nacre_stored_tensor *list = realloc(storage->list, capacity * sizeof *list);
    if (!list)
      return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    storage->list = list;
    storage->capacity = capacity;
  }
  va_list arguments;
  va_start(arguments, name);
  char *copy = format_words(name, arguments);
  va_end(arguments);
  if (!copy)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  nacre_stored_tensor *tensor = &storage->list[storage->count++];
  *tensor = (nacre_stored_tensor){.name = copy, .type = type, .rank = rank, .data = data};
  for (int i = 0; i < rank; ++i)
    tensor->extents[i] = extents[i];
  return NACRE_OK;
}

void nacre_text_add_json(nacre_text *text, const char *word) {
  nacre_text_add(text, "\"");
  for (const char *at = word; *at; ++at)
    if (*at == '"' || *at == '\\')
      nacre_text_add(text, "\\%c", *at);
    else if ((unsigned char)*at < ' ')
      nacre_text_add(text, "\\u%04x", (unsigned)*at);
    else
      nacre_text_add(text, "%c", *at);
  nacre_text_add(text, "\"");
}

void nacre_storage_note(nacre_storage *storage, const char *key, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *value = format_words(format, arguments);
  va_end(arguments);
  nacre_text_add(&storage->metadata, "%s", storage->metadata.length ? "," : "");
  nacre_text_add_json(&storage->metadata, key);
  nacre_text_add(&storage->metadata, ":");
  nacre_text_add_json(&storage->metadata, value ? value : "");
  free(value);
}

/* Tensors of wide elements first, so that each lies where its type wants it. */
static int by_width(const void *a, const void *b) {
  const nacre_stored_tensor *x = *(nacre_stored_tensor *const *)a, *y = *(nacre_stored_tensor *const *)b;
  size_t wide = nacre_type_bytes((nacre_type)x->type), other = nacre_type_bytes((nacre_type)y->type);
  return wide != other ? (wide < other ? 1 : -1) : strcmp(x->name, y->name);
}

static size_t bytes_of(const nacre_stored_tensor *tensor) {
  size_t count, bytes;
  return nacre_count_elements(tensor->rank, tensor->extents, nacre_type_bytes((nacre_type)tensor->type), &count, &bytes)
             ? bytes
             : 0;
}

/* The header, padded with spaces so that the data starts at a multiple of 64. */
static void write_header(const nacre_storage *storage, nacre_stored_tensor *const *order, nacre_text *header) {
  unsigned long long at = 0;
  nacre_text_add(header, "{\"__metadata__\":{%s}", storage->metadata.data ? storage->metadata.data : "");
  for (size_t i = 0; i < storage->count; ++i) {
    const nacre_stored_tensor *tensor = order[i];
    nacre_text_add(header, ",");
    nacre_text_add_json(header, tensor->name);
    nacre_text_add(header, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[tensor->type]);
    for (int axis = 0; axis < tensor->rank; ++axis)
      nacre_text_add(header, "%s%lld", axis ? "," : "", (long long)tensor->extents[axis]);
    nacre_text_add(header, "],\"data_offsets\":[%llu,%llu]}", at, at + bytes_of(tensor));
    at += bytes_of(tensor);
  }
  nacre_text_add(header, "}");
  while ((header->length + 8) % 64 && !header->failed)
    nacre_text_add(header, " ");
}

static bool write_all(int file, const void *data, size_t bytes) {
  const char *at = data;
  while (bytes) {
    ssize_t written = write(file, at, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    at += written;
    bytes -= (size_t)written;
  }
  return true;
}

int nacre_make_folders(const char *path) {
  char *copy = strdup(path);
  for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
      int status = nacre_fail(NACRE_ERROR_FILE, "cannot make the folder %s: %s", copy, strerror(errno));
      free(copy);
      return status;
    }
    *slash = '/';
  }
  free(copy);
  return NACRE_OK;
}

/* The rename itself reaches the disk with the folder. A file system that cannot do that is not an error. */
static void sync_folder(const char *path) {
  char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
  if (slash)
    slash[slash == copy] = 0;
  int folder = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  free(copy);
}

static int write_file(const nacre_storage *storage, nacre_stored_tensor *const *order, const nacre_text *header,
                      const char *path, const char *beside) {
  int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0)
    return nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", path, strerror(errno));
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = (unsigned char)((uint64_t)header->length >> 8 * i);
  bool good = write_all(file, length, 8) && write_all(file, header->data, header->length);
  for (size_t i = 0; i < storage->count && good; ++i)
    good = write_all(file, order[i]->data, bytes_of(order[i]));
  good = good && fsync(file) == 0;
  int reason = errno;
  if (close(file) != 0 && good) {
    reason = errno;
    good = false;
  }
  if (good && rename(beside, path) != 0) {
    reason = errno;
    good = false;
  }
  if (good) {
    sync_folder(path);
    return NACRE_OK;
  }
  unlink(beside);
  return nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s (what was there before is unharmed)", path,
                    strerror(reason));
}

int nacre_storage_write(const nacre_storage *storage, const char *path) {
  nacre_stored_tensor **order = malloc((storage->count + 1) * sizeof *order);
  char *beside = NULL;
  nacre_text header = {0};
  int status = nacre_make_folders(path);
  if (asprintf(&beside, "%s.partial", path) < 0)
    beside = NULL;
  for (size_t i = 0; order && i < storage->count; ++i)
    order[i] = &storage->list[i];
  if (order && storage->count)
    qsort(order, storage->count, sizeof *order, by_width);
  if (order)
    write_header(storage, order, &header);
  if (status == NACRE_OK && (!order || !beside || header.failed || storage->metadata.failed))
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  if (status == NACRE_OK)
    status = write_file(storage, order, &header, path, beside);
  free(order);
  free(beside);
  free(header.data);
  return status;
}
