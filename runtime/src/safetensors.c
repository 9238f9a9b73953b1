/* Safetensors: 8 bytes of header length, a JSON header, then the data. Everything the header says is checked before
   anything is used: offsets in range, in step with shape and type, without overlap or holes, names without duplicates.
 */
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER_LIMIT = 100 * 1000 * 1000 }; /* the limit of the format's own reader */

typedef struct dtype_info {
  const char *name;
  int type; /* nacre_type or -1 */
  size_t bytes;
} dtype_info;

static const dtype_info dtypes[] = {{"F64", NACRE_F64, 8},   {"F32", NACRE_F32, 4}, {"F16", NACRE_F16, 2},
                                    {"BF16", NACRE_BF16, 2}, {"I64", NACRE_I64, 8}, {"I32", NACRE_I32, 4},
                                    {"I8", NACRE_I8, 1},     {"U64", NACRE_U64, 8}, {"U8", NACRE_U8, 1},
                                    {"BOOL", NACRE_BOOL, 1}, {"I16", -1, 2},        {"U16", -1, 2},
                                    {"U32", -1, 4},          {"F8_E5M2", -1, 1},    {"F8_E4M3", -1, 1},
                                    {"F8_E8M0", -1, 1},      {"C64", -1, 8}};

struct nacre_safetensors {
  nacre_mapping mapping; /* empty when the data belongs to somebody else */
  char *strings;         /* storage of all names */
  nacre_stored *tensors; /* sorted by name */
  size_t count, capacity;
  bool own_names; /* its metadata says so: see nacre_safetensors_own_names */
};

typedef struct reader {
  nacre_json json;
  nacre_safetensors *file;
  const char *name; /* of the file */
  const unsigned char *data;
  uint64_t data_bytes;
  char *strings; /* free room of file->strings */
  bool failed;   /* the error has been set */
} reader;

static bool refuse(reader *r, const char *tensor, const char *problem) {
  r->failed = true;
  nacre_fail(NACRE_ERROR_FORMAT, "%s: tensor `%.200s` %s", r->name, tensor, problem);
  return false;
}

/* A string that is compared and forgotten. */
static bool read_word(reader *r, char **word) {
  *word = r->strings;
  return nacre_json_string(&r->json, r->strings) >= 0;
}

static const dtype_info *dtype_named(const char *name) {
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i)
    if (strcmp(dtypes[i].name, name) == 0)
      return &dtypes[i];
  return NULL;
}

static bool read_shape(reader *r, nacre_stored *tensor) {
  nacre_json *json = &r->json;
  if (!nacre_json_expect(json, '['))
    return false;
  if (nacre_json_take(json, ']'))
    return true;
  do {
    if (tensor->rank == NACRE_MAX_RANK)
      return refuse(r, tensor->name, "has more than 16 dimensions");
    if (!nacre_json_integer(json, &tensor->extents[tensor->rank++]))
      return false;
  } while (nacre_json_take(json, ','));
  return nacre_json_expect(json, ']');
}

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, keys in any order, each exactly once. */
static bool read_tensor(reader *r, nacre_stored *tensor) {
  nacre_json *json = &r->json;
  const dtype_info *dtype = NULL;
  int64_t begin = 0, end = 0;
  bool has_shape = false, has_offsets = false;
  if (!nacre_json_expect(json, '{'))
    return false;
  if (!nacre_json_take(json, '}')) {
    do {
      char *key;
      if (!read_word(r, &key))
        return false;
      if (strcmp(key, "dtype") == 0 && !dtype) {
        if (!nacre_json_expect(json, ':') || !read_word(r, &key))
          return false;
        if (!(dtype = dtype_named(key)))
          return refuse(r, tensor->name, "has an unknown dtype");
      } else if (strcmp(key, "shape") == 0 && !has_shape) {
        has_shape = true;
        if (!nacre_json_expect(json, ':') || !read_shape(r, tensor))
          return false;
      } else if (strcmp(key, "data_offsets") == 0 && !has_offsets) {
        has_offsets = true;
        if (!nacre_json_expect(json, ':') || !nacre_json_expect(json, '[') || !nacre_json_integer(json, &begin) ||
            !nacre_json_expect(json, ',') || !nacre_json_integer(json, &end) || !nacre_json_expect(json, ']'))
          return false;
      } else {
        return refuse(r, tensor->name, "has an unknown or repeated field");
      }
    } while (nacre_json_take(json, ','));
    if (!nacre_json_expect(json, '}'))
      return false;
  }
  if (!dtype || !has_shape || !has_offsets)
    return refuse(r, tensor->name, "lacks dtype, shape or data_offsets");
  size_t count;
  if (!nacre_count_elements(tensor->rank, tensor->extents, dtype->bytes, &count, &tensor->bytes))
    return refuse(r, tensor->name, "is too large for this machine");
  if (begin > end || (uint64_t)end > r->data_bytes)
    return refuse(r, tensor->name, "has data_offsets outside the file");
  if ((uint64_t)(end - begin) != tensor->bytes)
    return refuse(r, tensor->name, "has data_offsets that do not fit its dtype and shape");
  tensor->dtype = dtype->name;
  tensor->type = dtype->type;
  tensor->data = r->data + begin;
  return true;
}

/* {"key": "text", ...}: checked and skipped, but for what Nacre itself writes there. */
static bool skip_metadata(reader *r) {
  if (!nacre_json_expect(&r->json, '{'))
    return false;
  if (nacre_json_take(&r->json, '}'))
    return true;
  do {
    char *word;
    if (!read_word(r, &word) || !nacre_json_expect(&r->json, ':'))
      return false;
    bool names = strcmp(word, "nacre.names") == 0;
    if (!read_word(r, &word))
      return false;
    r->file->own_names |= names && strcmp(word, "paths") == 0;
  } while (nacre_json_take(&r->json, ','));
  return nacre_json_expect(&r->json, '}');
}

static nacre_stored *add_tensor(reader *r) {
  nacre_safetensors *file = r->file;
  if (file->count == file->capacity) {
    size_t capacity = file->capacity ? 2 * file->capacity : 16;
    nacre_stored *tensors = realloc(file->tensors, capacity * sizeof *tensors);
    if (!tensors) {
      r->failed = true;
      nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", r->name);
      return NULL;
    }
    file->tensors = tensors;
    file->capacity = capacity;
  }
  nacre_stored *tensor = &file->tensors[file->count++];
  memset(tensor, 0, sizeof *tensor);
  return tensor;
}

static bool read_header(reader *r) {
  nacre_json *json = &r->json;
  bool metadata = false;
  if (!nacre_json_expect(json, '{'))
    return false;
  if (!nacre_json_take(json, '}')) {
    do {
      char *name = r->strings;
      ptrdiff_t length = nacre_json_string(json, name);
      if (length < 0 || !nacre_json_expect(json, ':'))
        return false;
      if (strcmp(name, "__metadata__") == 0) {
        if (metadata)
          return nacre_json_fail(json, "a second `__metadata__`");
        metadata = true;
        if (!skip_metadata(r))
          return false;
        continue;
      }
      r->strings += length + 1;
      nacre_stored *tensor = add_tensor(r);
      if (!tensor)
        return false;
      tensor->name = name;
      if (!read_tensor(r, tensor))
        return false;
    } while (nacre_json_take(json, ','));
    if (!nacre_json_expect(json, '}'))
      return false;
  }
  nacre_json_take(json, ' '); /* trailing white space */
  while (json->at < json->end && *json->at == ' ')
    ++json->at;
  return json->at == json->end || nacre_json_fail(json, "text after the header's end");
}

static int by_place(const void *a, const void *b) {
  const nacre_stored *x = a, *y = b;
  if (x->data != y->data)
    return x->data < y->data ? -1 : 1;
  return x->bytes == y->bytes ? 0 : x->bytes < y->bytes ? -1 : 1;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const nacre_stored *)a)->name, ((const nacre_stored *)b)->name);
}

/* The tensors tile the data: no overlap, no hole, nothing left over. */
static bool check_layout(reader *r) {
  nacre_safetensors *file = r->file;
  const unsigned char *at = r->data;
  if (file->count)
    qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
  for (size_t i = 0; i < file->count; ++i) {
    const nacre_stored *tensor = &file->tensors[i];
    if (tensor->data != at)
      return refuse(r, tensor->name, tensor->data < at ? "overlaps another tensor" : "has a hole before it");
    at += tensor->bytes;
  }
  if (at != r->data + r->data_bytes) {
    r->failed = true;
    nacre_fail(NACRE_ERROR_FORMAT, "%s: %llu bytes at the end belong to no tensor", r->name,
               (unsigned long long)(r->data + r->data_bytes - at));
    return false;
  }
  if (file->count)
    qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
  for (size_t i = 1; i < file->count; ++i)
    if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
      return refuse(r, file->tensors[i].name, "occurs twice");
  return true;
}

nacre_safetensors *nacre_safetensors_parse(const void *data, size_t bytes, const char *name) {
  const unsigned char *start = data;
  if (bytes < 8) {
    nacre_fail(NACRE_ERROR_FORMAT, "%s is no safetensors file: it has %zu bytes, the header alone needs 8", name,
               bytes);
    return NULL;
  }
  uint64_t header = 0;
  for (int i = 7; i >= 0; --i)
    header = header << 8 | start[i];
  if (header > HEADER_LIMIT || header > bytes - 8) {
    nacre_fail(NACRE_ERROR_FORMAT, "%s is no safetensors file, or truncated: its header would have %llu bytes, %s %llu",
               name, (unsigned long long)header, header > HEADER_LIMIT ? "the limit is" : "the file has",
               (unsigned long long)(header > HEADER_LIMIT ? HEADER_LIMIT : bytes - 8));
    return NULL;
  }
  nacre_safetensors *file = calloc(1, sizeof *file);
  char *strings = malloc((size_t)header + 1);
  if (!file || !strings) {
    free(file);
    free(strings);
    nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", name);
    return NULL;
  }
  file->strings = strings;
  const char *text = (const char *)start + 8;
  reader r = {{text, text, text + header, NULL}, file, name, start + 8 + header, bytes - 8 - header, strings, false};
  bool good = header > 0 && text[0] == '{' ? read_header(&r) : nacre_json_fail(&r.json, "`{` expected");
  if (good && check_layout(&r))
    return file;
  if (!r.failed)
    nacre_fail(NACRE_ERROR_FORMAT, "%s: bad header at byte %llu: %s", name, (unsigned long long)(r.json.at - text + 8),
               r.json.problem ? r.json.problem : "`,` expected");
  nacre_safetensors_close(file);
  return NULL;
}

nacre_safetensors *nacre_safetensors_open(const char *path) {
  nacre_mapping mapping;
  if (!path) {
    nacre_fail(NACRE_ERROR_ARGUMENT, "no path given");
    return NULL;
  }
  if (nacre_map(path, &mapping) != NACRE_OK)
    return NULL;
  nacre_safetensors *file = nacre_safetensors_parse(mapping.data, mapping.bytes, path);
  if (file)
    file->mapping = mapping;
  else
    nacre_unmap(&mapping);
  return file;
}

size_t nacre_safetensors_count(const nacre_safetensors *file) { return file ? file->count : 0; }

bool nacre_safetensors_own_names(const nacre_safetensors *file) { return file && file->own_names; }

const nacre_stored *nacre_safetensors_stored(const nacre_safetensors *file, size_t index) {
  return index < file->count ? &file->tensors[index] : NULL;
}

const nacre_stored *nacre_safetensors_find(const nacre_safetensors *file, const char *name) {
  nacre_stored key = {.name = name};
  return file->count ? bsearch(&key, file->tensors, file->count, sizeof *file->tensors, by_name) : NULL;
}

void nacre_safetensors_copy(const nacre_safetensors *file, const nacre_stored *stored, void *out) {
  const size_t piece = (size_t)1 << 20, page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t at = 0; at < stored->bytes; at += piece) {
    size_t bytes = stored->bytes - at < piece ? stored->bytes - at : piece;
    memcpy((unsigned char *)out + at, stored->data + at, bytes);
    uintptr_t first = ((uintptr_t)stored->data + at) / page * page, end = (uintptr_t)stored->data + at + bytes;
    if (file->mapping.bytes) /* what the kernel reads again from the file if anybody asks */
      madvise((void *)first, (end - first) / page * page, MADV_DONTNEED);
  }
}

const char *nacre_safetensors_tensor(const nacre_safetensors *file, size_t index, nacre_tensor *tensor) {
  const nacre_stored *stored = file ? nacre_safetensors_stored(file, index) : NULL;
  if (!stored)
    return NULL;
  if (tensor) {
    *tensor = (nacre_tensor){.rank = stored->rank, .bytes = stored->bytes};
    memcpy(tensor->extents, stored->extents, sizeof tensor->extents);
    if (stored->type >= 0) {
      tensor->type = (nacre_type)stored->type;
      tensor->data = (void *)(uintptr_t)stored->data;
    }
  }
  return stored->name;
}

void nacre_safetensors_close(nacre_safetensors *file) {
  if (!file)
    return;
  nacre_unmap(&file->mapping);
  free(file->tensors);
  free(file->strings);
  free(file);
}
