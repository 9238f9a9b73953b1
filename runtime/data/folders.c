/* Pictures in folders.
     image_folder("faces")   one folder per class inside; `image: u8[h, w, c]` (any name), and `label`, the class: its
   place among the names of the folders in order, or in `classes = ["no", "yes"]` image_pairs(image = "photos", mask =
   "masks")   one folder per field; files belong together by their name without the ending Sizes are checked when the
   data is opened, pixels are decoded when a sample is asked for. Names that begin with a dot are passed over; anything
   else that is no picture is an error, and all of them are counted. */
#include "internal.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct names {
  char **list;
  int64_t count, room;
} names;

typedef struct pictures {
  nacre_reader reader;
  const nacre_source *source;
  nacre_data_field *fields; /* a copy: the source's may go before */
  int field_count;
  names *paths;    /* per field of pictures; count of the others is 0 */
  int64_t *labels; /* image_folder */
  int label_field;
  bool resize;
} pictures;

static bool add_name(names *n, char *name) {
  if (n->count == n->room) {
    int64_t room = n->room ? n->room * 2 : 256;
    char **grown = realloc(n->list, (size_t)room * sizeof *grown);
    if (!grown)
      return false;
    n->list = grown;
    n->room = room;
  }
  n->list[n->count++] = name;
  return true;
}

static void free_names(names *n) {
  for (int64_t i = 0; i < n->count; ++i)
    free(n->list[i]);
  free(n->list);
  *n = (names){0};
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* What a folder holds, in order of the bytes of the names. */
static int list_folder(const char *path, names *found) {
  DIR *folder = opendir(path);
  if (!folder)
    return nacre_fail(NACRE_ERROR_FILE, "cannot open the folder %s: %s", path, strerror(errno));
  int status = NACRE_OK;
  for (struct dirent *entry; status == NACRE_OK && (entry = readdir(folder));) {
    if (entry->d_name[0] == '.')
      continue;
    char *copy = strdup(entry->d_name);
    if (!copy || !add_name(found, copy)) {
      free(copy);
      status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    }
  }
  closedir(folder);
  if (found->count)
    qsort(found->list, (size_t)found->count, sizeof *found->list, by_name);
  return status;
}

static bool is_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The pictures of one folder, each measured. Those in error are counted and left out. */
static int list_pictures(const char *path, const nacre_data_field *field, bool resize, names *out,
                         nacre_faults *faults) {
  names found = {0};
  int status = list_folder(path, &found);
  for (int64_t i = 0; status == NACRE_OK && i < found.count; ++i) {
    char *file = nacre_path_join(path, found.list[i]);
    nacre_image image;
    if (!file) {
      status = NACRE_ERROR_MEMORY;
      break;
    }
    if (!nacre_picture_named(file)) {
      nacre_fault(faults, NACRE_ERROR_FORMAT, "%s is %s, where only .png, .jpg and .jpeg are expected", file,
                  is_folder(file) ? "a folder" : "no picture");
      free(file);
      continue;
    }
    int problem = nacre_picture_measure(file, &image);
    if (problem == NACRE_OK)
      problem = nacre_picture_check(file, &image, resize, field);
    if (problem != NACRE_OK)
      nacre_fault(faults, problem, "%s", nacre_last_error());
    if (problem != NACRE_OK || !add_name(out, file)) {
      if (problem == NACRE_OK)
        status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
      free(file);
    }
  }
  free_names(&found);
  return status;
}

static void close_pictures(nacre_reader *reader) {
  pictures *p = (pictures *)reader;
  for (int i = 0; p->paths && i < p->field_count; ++i)
    free_names(&p->paths[i]);
  free(p->paths);
  free(p->labels);
  free(p->fields);
  free(p);
}

static int sample(nacre_reader *reader, int64_t index, void *const *fields) {
  pictures *p = (pictures *)reader;
  for (int i = 0; i < p->field_count; ++i) {
    if (i == p->label_field)
      nacre_store_integer(p->fields[i].type, p->labels[index], fields[i]);
    if (p->paths[i].count == 0)
      continue;
    nacre_image image;
    const char *path = p->paths[i].list[index];
    int status = nacre_picture_read(path, &image);
    if (status == NACRE_OK)
      status = nacre_picture_fit(path, &image, p->resize, &p->fields[i], fields[i]);
    free(image.samples);
    if (status != NACRE_OK)
      return status;
  }
  return NACRE_OK;
}

static void place(const nacre_reader *reader, int64_t index, char *buffer, size_t room) {
  const pictures *p = (const pictures *)reader;
  int first = 0;
  while (p->paths[first].count == 0)
    ++first;
  snprintf(buffer, room, "%s", p->paths[first].list[index]);
}

static pictures *make_pictures(const nacre_source *source) {
  pictures *p = calloc(1, sizeof *p);
  if (p) {
    p->reader = (nacre_reader){0, sample, place, close_pictures};
    p->label_field = -1;
    p->field_count = source->field_count;
    p->resize = nacre_option_number(source->info, "resize", 0) != 0;
    p->paths = calloc((size_t)source->field_count + 1, sizeof *p->paths);
    p->fields = malloc(((size_t)source->field_count + 1) * sizeof *p->fields);
  }
  if (p && p->paths && p->fields) {
    memcpy(p->fields, source->fields, (size_t)source->field_count * sizeof *p->fields);
    return p;
  }
  nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  if (p)
    close_pictures(&p->reader);
  return NULL;
}

/* ---- one folder per class ---------------------------------------------------------------------------------------- */
/* The folders of the classes in their order; with `classes` no other folder may be there. */
static int list_classes(const nacre_source *source, const char *path, names *classes) {
  const nacre_option *given = nacre_find_option(source->info->options, source->info->option_count, "classes");
  names found = {0};
  nacre_faults faults = {0};
  int status = list_folder(path, &found);
  for (int64_t i = 0; status == NACRE_OK && i < found.count; ++i) {
    char *inside = nacre_path_join(path, found.list[i]);
    int known = 0;
    while (given && known < given->count && strcmp(given->texts[known], found.list[i]) != 0)
      ++known;
    if (!inside)
      status = NACRE_ERROR_MEMORY;
    else if (!is_folder(inside))
      nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s is no folder, and every class is one", inside);
    else if (given && known == given->count)
      nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s is none of the classes", inside);
    free(inside);
  }
  if (status == NACRE_OK)
    status = nacre_faults_result(&faults, "files");
  if (status == NACRE_OK && given) {
    free_names(&found);
    for (int i = 0; status == NACRE_OK && i < given->count; ++i) {
      char *copy = strdup(given->texts[i]);
      if (!copy || !add_name(&found, copy))
        status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    }
  }
  if (status == NACRE_OK && found.count == 0)
    status = nacre_fail(NACRE_ERROR_FORMAT, "%s holds no folders, and every class is one", path);
  *classes = found;
  return status;
}

static int read_classes(pictures *p, const nacre_source *source, const char *path, int image) {
  names classes = {0};
  nacre_faults faults = {0};
  int64_t labelled = 0, room = 0;
  int status = list_classes(source, path, &classes);
  for (int64_t c = 0; status == NACRE_OK && c < classes.count; ++c) {
    char *inside = nacre_path_join(path, classes.list[c]);
    status =
        inside ? list_pictures(inside, &p->fields[image], p->resize, &p->paths[image], &faults) : NACRE_ERROR_MEMORY;
    if (status == NACRE_OK && p->paths[image].count == labelled && faults.count == 0)
      status = nacre_fail(NACRE_ERROR_FORMAT, "%s: the class has no pictures", inside);
    free(inside);
    if (status == NACRE_OK && p->paths[image].count > room) {
      room = p->paths[image].room;
      int64_t *grown = realloc(p->labels, (size_t)room * sizeof *grown);
      if (!grown)
        status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
      else
        p->labels = grown;
    }
    while (status == NACRE_OK && labelled < p->paths[image].count)
      p->labels[labelled++] = c;
  }
  free_names(&classes);
  p->reader.count = labelled;
  return status == NACRE_OK ? nacre_faults_result(&faults, "files") : status;
}

nacre_reader *nacre_image_folder_open(const nacre_source *source) {
  pictures *p = make_pictures(source);
  int image = -1, status = p ? NACRE_OK : NACRE_ERROR_MEMORY;
  for (int i = 0; status == NACRE_OK && i < source->field_count; ++i) {
    const nacre_data_field *field = &source->fields[i];
    if (nacre_field_is_index(field))
      continue;
    if (field->rank == 0 && strcmp(field->name, "label") == 0 && !nacre_type_is_real(field->type))
      p->label_field = i;
    else if (field->rank >= 2 && image < 0)
      image = i;
    else
      status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s: image_folder gives a picture, `label` and `index`, not `%s`",
                          source->info->title, field->name);
  }
  if (status == NACRE_OK && image < 0)
    status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `map` asks for no picture, such as `image: u8[64, 64, 3]`",
                        source->info->title);
  const char *folder = nacre_option_text(source->info, "folder");
  char *path = status == NACRE_OK ? nacre_path_join(source->folder, folder ? folder : ".") : NULL;
  if (status == NACRE_OK)
    status = path ? read_classes(p, source, path, image) : NACRE_ERROR_MEMORY;
  free(path);
  if (status == NACRE_OK)
    return &p->reader;
  if (p)
    close_pictures(&p->reader);
  return NULL;
}

/* ---- one folder per field ---------------------------------------------------------------------------------------- */
/* Compares names of files without folder and ending. */
static int compare_stems(const char *a, const char *b) {
  const char *x = strrchr(a, '/') + 1, *y = strrchr(b, '/') + 1;
  size_t m = (size_t)(strrchr(x, '.') - x), n = (size_t)(strrchr(y, '.') - y);
  int order = strncmp(x, y, m < n ? m : n);
  return order ? order : (m > n) - (m < n);
}

static int by_stem(const void *a, const void *b) { return compare_stems(*(char *const *)a, *(char *const *)b); }

/* Every picture of one folder has its partner in the other. Both lists are sorted. */
static void match(const names *a, const names *b, nacre_faults *faults) {
  for (int64_t i = 0, k = 0; i < a->count || k < b->count;) {
    int order = i == a->count ? 1 : k == b->count ? -1 : compare_stems(a->list[i], b->list[k]);
    if (order != 0)
      nacre_fault(faults, NACRE_ERROR_FILE, "%s has no partner in the other folder",
                  order < 0 ? a->list[i] : b->list[k]);
    i += order <= 0;
    k += order >= 0;
  }
}

nacre_reader *nacre_image_pairs_open(const nacre_source *source) {
  pictures *p = make_pictures(source);
  nacre_faults faults = {0};
  int first = -1, status = p ? NACRE_OK : NACRE_ERROR_MEMORY;
  for (int i = 0; status == NACRE_OK && i < source->field_count; ++i) {
    const nacre_data_field *field = &source->fields[i];
    char plural[256];
    if (nacre_field_is_index(field))
      continue;
    snprintf(plural, sizeof plural, "%ss", field->name);
    const char *folder = nacre_option_text(source->info, field->name);
    if (!folder && !(folder = nacre_option_text(source->info, plural))) {
      status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s: no folder is named for `%s`", source->info->title, field->name);
      break;
    }
    char *path = nacre_path_join(source->folder, folder);
    names *found = &p->paths[i];
    status = path ? list_pictures(path, field, p->resize, found, &faults) : NACRE_ERROR_MEMORY;
    if (status == NACRE_OK && found->count == 0 && faults.count == 0)
      status = nacre_fail(NACRE_ERROR_FORMAT, "%s holds no pictures", path);
    free(path);
    if (status != NACRE_OK || found->count == 0)
      continue;
    qsort(found->list, (size_t)found->count, sizeof *found->list, by_stem);
    for (int64_t k = 1; k < found->count; ++k)
      if (compare_stems(found->list[k - 1], found->list[k]) == 0)
        nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s and %s have one name", found->list[k - 1], found->list[k]);
    if (first >= 0 && faults.count == 0)
      match(&p->paths[first], found, &faults);
    first = first < 0 ? i : first;
  }
  if (status == NACRE_OK)
    status = nacre_faults_result(&faults, "files");
  if (status == NACRE_OK && first < 0)
    status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `map` asks for no picture", source->info->title);
  if (status == NACRE_OK) {
    p->reader.count = p->paths[first].count;
    return &p->reader;
  }
  if (p)
    close_pictures(&p->reader);
  return NULL;
}
