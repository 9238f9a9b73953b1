/* Folders of pictures: classes, sizes, channels, depth, scaling; and everything that is missing or damaged in them. */
#include "fake_data.h"
#include <jpeglib.h>
#include <math.h>

static void save_png(const char *name, int64_t height, int64_t width, int channels, unsigned char value) {
  char path[256];
  unsigned char *samples = malloc((size_t)(height * width * channels));
  for (int64_t i = 0; i < height * width * channels; ++i)
    samples[i] = (unsigned char)(value + i);
  write_text(name, "");
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  FILE *file = fopen(path, "wb");
  nacre_image image = {height, width, channels, 8, samples};
  EXPECT(nacre_png_reader()->write(file, path, &image) == 0);
  fclose(file);
  free(samples);
}

/* One colour everywhere: what the lossy code keeps nearly exactly. */
static size_t make_jpeg(unsigned char **out, int height, int width, int channels, const unsigned char *colour) {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  unsigned long bytes = 0;
  unsigned char row[64 * 3];
  for (int i = 0; i < width * channels; ++i)
    row[i] = colour[i % channels];
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  *out = NULL;
  jpeg_mem_dest(&jpeg, out, &bytes);
  jpeg.image_width = (JDIMENSION)width;
  jpeg.image_height = (JDIMENSION)height;
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int i = 0; i < height; ++i) {
    JSAMPROW at = row;
    jpeg_write_scanlines(&jpeg, &at, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  return bytes;
}

static const fake_field grey[] = {{"image", NACRE_U8, 3, {4, 6, 1}}, {"label", NACRE_I32, 0, {0}}, {0}};

static void folders(void) {
  const nacre_option options[] = {TEXT("folder", "faces"), {0}};
  unsigned char image[24];
  int32_t label;
  void *fields[] = {image, &label};
  save_png("faces/no/b.png", 4, 6, 1, 10);
  save_png("faces/no/a.PNG", 4, 6, 1, 20);
  save_png("faces/yes/c.png", 4, 6, 3, 30);
  unsigned char *jpeg;
  size_t bytes = make_jpeg(&jpeg, 4, 6, 1, (const unsigned char[]){77});
  write_file("faces/yes/d.jpeg", jpeg, bytes);
  write_text("faces/yes/.hidden", "nothing");
  nacre_dataset *d = open_data(fake_data("image_folder", grey, options, NULL), 0);
  EXPECT(d && nacre_dataset_count(d) == 4);
  EXPECT(d && nacre_dataset_sample(d, 0, false, 0, fields) == 0 && image[0] == 20 && image[23] == 43 && label == 0);
  EXPECT(d && nacre_dataset_sample(d, 1, false, 0, fields) == 0 && image[0] == 10 && label == 0);
  /* 0.299 * 30 + 0.587 * 31 + 0.114 * 32 = 30.815 */
  EXPECT(d && nacre_dataset_sample(d, 2, false, 0, fields) == 0 && image[0] == 31 && label == 1);
  EXPECT(d && nacre_dataset_sample(d, 3, false, 0, fields) == 0 && abs(image[11] - 77) <= 1 && label == 1);
  char place[NACRE_PLACE_TEXT];
  EXPECT(d && strstr(nacre_dataset_place(d, 2, place), "faces/yes/c.png"));
  nacre_dataset_close(d);

  const nacre_option turned[] = {TEXT("folder", "faces"), TEXTS("classes", 2, "yes", "no"), {0}};
  d = open_data(fake_data("image_folder", grey, turned, NULL), 0);
  EXPECT(d && nacre_dataset_sample(d, 0, false, 0, fields) == 0 && label == 0 && image[0] == 31);
  nacre_dataset_close(d);
  const nacre_option fewer[] = {TEXT("folder", "faces"), TEXTS("classes", 1, "yes"), {0}};
  EXPECT_ERROR(!open_data(fake_data("image_folder", grey, fewer, NULL), 0), "faces/no is none of the classes");
  const nacre_option more[] = {TEXT("folder", "faces"), TEXTS("classes", 3, "no", "perhaps", "yes"), {0}};
  EXPECT_ERROR(!open_data(fake_data("image_folder", grey, more, NULL), 0), "cannot open the folder");

  /* Pixels that are damaged are found when they are asked for, and named. */
  write_file("faces/yes/d.jpeg", jpeg, bytes - 4);
  d = open_data(fake_data("image_folder", grey, options, NULL), 0);
  EXPECT_ERROR(d && nacre_dataset_sample(d, 3, false, 0, fields) != 0, "faces/yes/d.jpeg: bad jpeg");
  nacre_loader_options each = {.batch = 1};
  nacre_loader *l = nacre_loader_open(d, &each);
  nacre_batch batch;
  int status = nacre_loader_start(l, 0, 0);
  for (int i = 0; i < 3 && status == 0; ++i)
    status = nacre_loader_next(l, &batch);
  EXPECT(status == 0);
  EXPECT_ERROR(nacre_loader_next(l, &batch) != 0, "faces/yes/d.jpeg: bad jpeg");
  EXPECT(nacre_loader_start(l, 0, 2) == 0 && nacre_loader_next(l, &batch) == 0 && batch.number == 2);
  nacre_loader_close(l);
  nacre_dataset_close(d);
  free(jpeg);

  write_text("faces/no/notes.txt", "x");
  write_text("faces/no/z.png", "no picture");
  save_png("faces/yes/e.png", 5, 6, 1, 0);
  EXPECT_ERROR(
      !open_data(fake_data("image_folder", grey, options, NULL), 0),
      "faces/no/notes.txt is no picture, where only .png, .jpg and .jpeg are expected (the first of 3 such files)");
  char path[256];
  snprintf(path, sizeof path, "%s/faces/no/notes.txt", test_folder());
  remove(path);
  EXPECT_ERROR(!open_data(fake_data("image_folder", grey, options, NULL), 0),
               "faces/no/z.png is neither a png nor a jpeg file (the first of 2 such files)");
  snprintf(path, sizeof path, "%s/faces/no/z.png", test_folder());
  remove(path);
  EXPECT_ERROR(!open_data(fake_data("image_folder", grey, options, NULL), 0),
               "e.png is 5 high and 6 wide, `image` is 4 by 6");
}

/* Scaled: the mean stays, an even ramp stays a ramp; reals are 0 .. 1. */
static void scaled(void) {
  static const fake_field small[] = {{"image", NACRE_F32, 2, {3, 2}}, {"label", NACRE_U8, 0, {0}}, {0}};
  const nacre_option options[] = {TEXT("folder", "ramp"), NUMBER("resize", 1), {0}};
  float image[6];
  unsigned char label;
  void *fields[] = {image, &label};
  save_png("ramp/one/x.png", 3, 12, 1, 0); /* rows 0..11, 12..23, 24..35 */
  nacre_dataset *d = open_data(fake_data("image_folder", small, options, NULL), 0);
  EXPECT(d && nacre_dataset_sample(d, 0, false, 0, fields) == 0);
  for (int row = 0; row < 3; ++row) { /* both halves are as far from the middle of the row */
    float low = image[2 * row] * 255, high = image[2 * row + 1] * 255, middle = (float)(12 * row) + 5.5f;
    EXPECT(fabsf(low + high - 2 * middle) < 1e-3f && high - low > 4 && high - low < 6.5f);
  }
  nacre_dataset_close(d);
  static const fake_field wrong[] = {{"image", NACRE_U8, 3, {4, 6, 2}}, {0}};
  EXPECT_ERROR(!open_data(fake_data("image_folder", wrong, options, NULL), 0), "which `image` is not");
  static const fake_field other[] = {{"image", NACRE_U8, 2, {4, 6}}, {"name", NACRE_I32, 0, {0}}, {0}};
  EXPECT_ERROR(!open_data(fake_data("image_folder", other, options, NULL), 0), "not `name`");
}

static void pairs(void) {
  static const fake_field both[] = {{"photo", NACRE_U8, 3, {2, 2, 3}}, {"mask", NACRE_U8, 2, {2, 2}}, {0}};
  const nacre_option options[] = {TEXT("photo", "photos"), TEXT("masks", "masks"), {0}};
  unsigned char photo[12], mask[4];
  void *fields[] = {photo, mask};
  save_png("photos/a-1.png", 2, 2, 3, 1);
  save_png("photos/a.png", 2, 2, 3, 2);
  save_png("masks/a.png", 2, 2, 1, 3);
  save_png("masks/a-1.png", 2, 2, 1, 4);
  nacre_dataset *d = open_data(fake_data("image_pairs", both, options, NULL), 0);
  EXPECT(d && nacre_dataset_count(d) == 2);
  for (int i = 0; d && i < 2; ++i)
    EXPECT(nacre_dataset_sample(d, i, false, 0, fields) == 0 && photo[0] + mask[0] == 5);
  nacre_dataset_close(d);
  save_png("masks/b.png", 2, 2, 1, 4);
  EXPECT_ERROR(!open_data(fake_data("image_pairs", both, options, NULL), 0), "masks/b.png has no partner");
}

int main(void) {
  folders();
  scaled();
  pairs();
  remove_folder();
  return finish();
}
