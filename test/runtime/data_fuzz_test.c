/* Damaged files: every reader either gives samples or says what is wrong, and touches no memory that is not its own. */
#include "fake_data.h"
#include <jpeglib.h>
#include <zlib.h>

enum { ROOM = 1 << 14, ROUNDS = 1500 };

typedef struct seed_file {
  const char *reader, *name;
  unsigned char data[ROOM];
  size_t bytes;
} seed_file;

static void load(seed_file *f, const char *name) {
  char path[256];
  nacre_mapping mapping;
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  EXPECT(nacre_map(path, &mapping) == 0 && mapping.bytes <= ROOM);
  f->bytes = mapping.bytes;
  memcpy(f->data, mapping.data, mapping.bytes);
  nacre_unmap(&mapping);
}

static void make_csv(seed_file *f) {
  const char *text = "a,b,\"c\"\r\n1,2,3\r\n\"4\",5.5,-6e1\r\n7,\"8\",9\n";
  f->bytes = strlen(text);
  memcpy(f->data, text, f->bytes);
}

static void make_gzip(seed_file *f) {
  char path[256];
  snprintf(path, sizeof path, "%s/t.csv.gz", test_folder());
  gzFile out = gzopen(path, "wb");
  for (int i = 0; i < 400; ++i)
    gzprintf(out, "%d,%d,%d\n", i, i * i, i % 7);
  gzclose(out);
  load(f, "t.csv.gz");
}

static void make_idx(seed_file *f) {
  static const unsigned char head[] = {0, 0, 0x0b, 2, 0, 0, 0, 4, 0, 0, 0, 3};
  memset(f->data, 5, 36);
  memcpy(f->data, head, sizeof head);
  f->bytes = 36;
}

static void make_npy(seed_file *f) {
  float values[12] = {0};
  char path[256];
  nacre_tensor t = {.type = NACRE_F32, .rank = 2, .extents = {4, 3}, .data = values, .bytes = sizeof values};
  snprintf(path, sizeof path, "%s/t.npy", test_folder());
  EXPECT(nacre_npy_write(path, &t) == 0);
  load(f, "t.npy");
}

static void make_png(seed_file *f) {
  unsigned char samples[9 * 7 * 4];
  char path[256];
  for (size_t i = 0; i < sizeof samples; ++i)
    samples[i] = (unsigned char)(i * 37);
  nacre_image image = {9, 7, 4, 8, samples};
  snprintf(path, sizeof path, "%s/t.png", test_folder());
  FILE *file = fopen(path, "wb");
  EXPECT(file && nacre_png_reader()->write(file, path, &image) == 0);
  fclose(file);
  load(f, "t.png");
}

static void make_jpeg(seed_file *f) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  unsigned char *out = NULL, row[40 * 3];
  unsigned long bytes = 0;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &out, &bytes);
  jpeg.image_width = 40;
  jpeg.image_height = 33;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (int i = 0; i < 33; ++i) {
    JSAMPROW at = row;
    for (int k = 0; k < 120; ++k)
      row[k] = (unsigned char)(k * i);
    jpeg_write_scanlines(&jpeg, &at, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  EXPECT(bytes <= ROOM);
  f->bytes = bytes;
  memcpy(f->data, out, bytes);
  free(out);
}

static const fake_field row3[] = {{"x", NACRE_F32, 1, {3}}, {0}};
static const fake_field picture[] = {{"image", NACRE_U8, 3, {8, 8, 3}}, {0}};

static const nacre_data_info *block(const seed_file *f) {
  static nacre_option table[] = {TEXT("file", ""), NUMBER("header", 1), {0}};
  static const nacre_option array[] = {TEXT("x", "t.bin"), {0}};
  static const nacre_option folder[] = {TEXT("folder", "f"), NUMBER("resize", 1), {0}};
  table[0].text = f->name;
  table[1].number = strstr(f->name, ".gz") == NULL;
  if (strcmp(f->reader, "csv") == 0)
    return fake_data("csv", row3, table, NULL);
  if (strcmp(f->reader, "image_folder") == 0)
    return fake_data("image_folder", picture, folder, NULL);
  return fake_data(f->reader, row3, array, NULL);
}

/* How many of the damaged files still read. */
static int damage(seed_file *f, uint64_t *state) {
  static unsigned char damaged[ROOM * 2];
  unsigned char out[8 * 8 * 3];
  void *fields[] = {out};
  int read = 0;
  for (int round = 0; round <= ROUNDS; ++round) {
    size_t bytes = f->bytes;
    memcpy(damaged, f->data, bytes);
    if (round)
      bytes = mutate(damaged, bytes, sizeof damaged, state);
    write_file(f->name, damaged, bytes);
    nacre_dataset *d = open_data(block(f), 0);
    int status = d ? 0 : -1;
    for (int64_t i = 0; status == 0 && i < nacre_dataset_count(d); ++i)
      status = nacre_dataset_sample(d, i, false, 0, fields);
    EXPECT(status == 0 || nacre_last_error()[0]);
    EXPECT(round || status == 0);
    read += status == 0;
    nacre_dataset_close(d);
  }
  return read;
}

int main(void) {
  static seed_file files[] = {{.reader = "csv", .name = "t.csv"},
                              {.reader = "csv", .name = "t.csv.gz"},
                              {.reader = "idx", .name = "t.bin"},
                              {.reader = "npy", .name = "t.bin"},
                              {.reader = "image_folder", .name = "f/a/t.png"},
                              {.reader = "image_folder", .name = "f/a/t.jpg"}};
  void (*const make[])(seed_file *) = {make_csv, make_gzip, make_idx, make_npy, make_png, make_jpeg};
  uint64_t state = 2026;
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    make[i](&files[i]);
    if (i == 5) { /* the folder holds one picture at a time */
      char path[256];
      snprintf(path, sizeof path, "%s/f/a/t.png", test_folder());
      remove(path);
    }
    printf("%s: %d of %d still read\n", files[i].name, damage(&files[i], &state), ROUNDS + 1);
  }
  remove_folder();
  return finish();
}
