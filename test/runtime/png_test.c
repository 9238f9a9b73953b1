/* The png codec: what is written comes back, every layout of libpng's, wrong files, damaged files at random. */
#include "check.h"

static int read_file(const char *path, nacre_image *image) {
  nacre_mapping mapping;
  int status = nacre_map(path, &mapping);
  if (status == NACRE_OK)
    status = nacre_codec_png.read(mapping.data, mapping.bytes, path, image);
  nacre_unmap(&mapping);
  return status;
}

static int write_file(const char *path, const nacre_image *image) {
  nacre_output output;
  int status = nacre_output_open(&output, path);
  if (status != NACRE_OK)
    return status;
  status = nacre_codec_png.write(output.stream, path, image);
  int closed = nacre_output_close(&output, status == NACRE_OK);
  return status ? status : closed;
}

static void test_round_trip(void) {
  uint8_t samples[7 * 5 * 4];
  for (size_t i = 0; i < sizeof samples; ++i)
    samples[i] = (uint8_t)(i * 37);
  const char *path = scratch_path("round.png");
  for (int channels = 1; channels <= 4; ++channels) {
    nacre_image out = {7, 5, channels, 8, samples}, in;
    EXPECT(write_file(path, &out) == NACRE_OK);
    EXPECT(read_file(path, &in) == NACRE_OK);
    EXPECT(in.height == 7 && in.width == 5 && in.channels == channels && in.depth == 8 &&
           memcmp(in.samples, samples, (size_t)(35 * channels)) == 0);
    free(in.samples);
  }
  unlink(path);
}

/* 1x1 pictures: 16-bit grey 0x1234; palette with transparency; 1-bit grey; interlaced RGB. Made with another program.
 */
#include "png_samples.h"

static void test_layouts(void) {
  for (size_t i = 0; i < sizeof samples / sizeof *samples; ++i) {
    nacre_image image;
    EXPECT(nacre_codec_png.read(samples[i].bytes, samples[i].length, samples[i].what, &image) == NACRE_OK);
    EXPECT(image.height == samples[i].height && image.width == samples[i].width &&
           image.channels == samples[i].channels && image.depth == samples[i].depth);
    unsigned first = !image.samples ? 0 : image.depth == 16 ? *(uint16_t *)image.samples : *(uint8_t *)image.samples;
    EXPECT(first == samples[i].first);
    free(image.samples);
  }
}

static void test_bad(void) {
  nacre_image image;
  EXPECT_ERROR(nacre_codec_png.read("", 0, "empty", &image), "neither a png");
  EXPECT_ERROR(nacre_codec_png.read("GIF89a..", 8, "gif", &image), "neither a png");
  for (size_t cut = 8; cut < samples[0].length; cut += 3)
    EXPECT_ERROR(nacre_codec_png.read(samples[0].bytes, cut, "cut", &image), "bad png");
  unsigned char *copy = malloc(samples[0].length);
  memcpy(copy, samples[0].bytes, samples[0].length);
  copy[16] = 0x7f; /* width of two thousand million; the checksum of the header is wrong as well */
  EXPECT_ERROR(nacre_codec_png.read(copy, samples[0].length, "wide", &image), "bad png");
  free(copy);
  EXPECT_ERROR(nacre_codec_png.read(too_large, sizeof too_large, "huge", &image), "bad png");
  nacre_image deep = {1, 1, 1, 16, "xx"}, flat = {0, 1, 1, 8, ""};
  EXPECT_ERROR(write_file(scratch_path("x.png"), &deep), "no picture");
  EXPECT_ERROR(write_file(scratch_path("x.png"), &flat), "no picture");
}

static unsigned sum;
static void use(const void *data, size_t length) {
  nacre_image image;
  if (nacre_codec_png.read(data, length, "damaged", &image) != NACRE_OK)
    return;
  for (int64_t i = 0; i < image.height * image.width * image.channels * image.depth / 8; ++i)
    sum += ((uint8_t *)image.samples)[i];
  free(image.samples);
}

int main(void) {
  test_round_trip();
  test_layouts();
  test_bad();
  for (size_t i = 0; i < sizeof samples / sizeof *samples; ++i)
    fuzz(samples[i].bytes, samples[i].length, 0.5, use);
  return finish();
}
