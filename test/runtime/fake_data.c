/* See fake_data.h. */
#include "fake_data.h"
#include <ftw.h>

enum { FIELDS = 8 };
static int field_count;
static size_t field_bytes[FIELDS];
static int64_t field_extents[FIELDS][4];
static int field_rank[FIELDS];
static nacre_type first_type;

static void extents(const int64_t *dims, int64_t *out) {
  (void)dims;
  for (int twice = 0; twice < 2; ++twice)
    for (int i = 0; i < field_count; ++i)
      for (int axis = 0; axis < field_rank[i]; ++axis)
        *out++ = field_extents[i][axis];
}

static uint64_t workspace(const int64_t *dims) {
  (void)dims;
  return 256;
}

static void call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                 void *const *results, void *work) {
  (void)tensors, (void)dims;
  memset(work, 1, 256);
  for (int i = 0; i < field_count; ++i)
    memcpy(results[i], arguments[i], field_bytes[i]);
}

static void call_augment(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *work) {
  uint64_t seed;
  call(tensors, dims, arguments, results, work);
  memcpy(&seed, arguments[field_count], 8);
  if (first_type == NACRE_F32)
    *(float *)results[0] += (float)(seed % 1000003);
}

static nacre_field_info arguments[FIELDS + 1], results[FIELDS];
static nacre_entry_info map, augment;
static nacre_data_info plain, augmented;

const nacre_data_info *fake_data(const char *reader, const fake_field *fields, const nacre_option *options,
                                 const nacre_option *sampling) {
  field_count = 0;
  for (; fields[field_count].name; ++field_count) {
    const fake_field *f = &fields[field_count];
    size_t count;
    field_rank[field_count] = f->rank;
    memcpy(field_extents[field_count], f->extents, sizeof f->extents);
    nacre_count_elements(f->rank, f->extents, nacre_type_bytes(f->type), &count, &field_bytes[field_count]);
    arguments[field_count] = results[field_count] = (nacre_field_info){f->name, f->type, f->rank, "npy", ""};
  }
  first_type = fields[0].type;
  arguments[field_count] = (nacre_field_info){"seed", NACRE_U64, 0, "npy", ""};
  map = (nacre_entry_info){.abi = NACRE_ABI,
                           .module = "test",
                           .name = "data.map0",
                           .documentation = "",
                           .argument_count = field_count + 1,
                           .result_count = field_count,
                           .arguments = arguments,
                           .results = results,
                           .extents = extents,
                           .workspace = workspace,
                           .call = call};
  augment = map;
  augment.name = "data.augment0";
  augment.call = call_augment;
  plain = (nacre_data_info){.name = "data",
                            .title = "data[\"train\"]",
                            .reader = reader,
                            .options = options,
                            .sampling = sampling,
                            .map = &map,
                            .place = "test.nacre:1:1"};
  while (options && options[plain.option_count].name)
    ++plain.option_count;
  while (sampling && sampling[plain.sampling_count].name)
    ++plain.sampling_count;
  return &plain;
}

const nacre_data_info *fake_augmented(const nacre_data_info *info) {
  augmented = *info;
  augmented.augment = &augment;
  return &augmented;
}

nacre_dataset *open_data(const nacre_data_info *info, uint64_t cache_bytes) {
  nacre_dataset_options options = {.folder = test_folder(), .seed = 7, .cache_bytes = cache_bytes};
  return nacre_dataset_open(info, &options);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */
static char folder[64];

const char *test_folder(void) {
  if (!folder[0]) {
    strcpy(folder, "data_test_XXXXXX");
    if (!mkdtemp(folder))
      abort();
  }
  return folder;
}

void write_file(const char *name, const void *data, size_t bytes) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0777);
    *slash = '/';
  }
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
    abort();
}

void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status, (void)kind, (void)where;
  return remove(path);
}

void remove_folder(void) {
  if (folder[0])
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  folder[0] = 0;
}
