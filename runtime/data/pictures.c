/* Pictures as fields. Grey is spread over three channels, colour becomes 0.299 r + 0.587 g + 0.114 b, transparency is
   laid over white where the field has no fourth channel: as the arguments of a built program do. Integers are 0 .. 255,
   reals 0 .. 1. */
#include "internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool nacre_picture_named(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static bool is_png(const nacre_mapping *m) { return m->bytes >= 8 && memcmp(m->data, "\x89PNG\r\n\x1a\n", 8) == 0; }
static bool is_jpeg(const nacre_mapping *m) { return m->bytes >= 3 && memcmp(m->data, "\xff\xd8\xff", 3) == 0; }

/* The first chunk of a png: length, "IHDR", width, height, depth, colour type. */
static int png_head(const nacre_mapping *m, const char *path, nacre_image *image) {
  const unsigned char *at = m->data + 16;
  if (m->bytes < 33 || memcmp(m->data + 12, "IHDR", 4) != 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s: bad png: no header", path);
  image->width = (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
  image->height = (int64_t)at[4] << 24 | at[5] << 16 | at[6] << 8 | at[7];
  image->depth = at[8];
  image->channels = at[9] & 2 ? 3 : 1;
  return NACRE_OK;
}

/* The pixels, or only size and channels where `measured`. */
static int open_picture(const char *path, bool measured, nacre_image *image) {
  nacre_mapping mapping;
  memset(image, 0, sizeof *image);
  int status = nacre_map(path, &mapping);
  if (status != NACRE_OK)
    return status;
  if (is_png(&mapping))
    status =
        measured ? png_head(&mapping, path, image) : nacre_png_reader()->read(mapping.data, mapping.bytes, path, image);
  else if (is_jpeg(&mapping))
    status = nacre_jpeg_decode(mapping.data, mapping.bytes, path, measured, image);
  else
    status = nacre_fail(NACRE_ERROR_FORMAT, "%s is neither a png nor a jpeg file", path);
  nacre_unmap(&mapping);
  return status;
}

int nacre_picture_read(const char *path, nacre_image *image) { return open_picture(path, false, image); }
int nacre_picture_measure(const char *path, nacre_image *image) { return open_picture(path, true, image); }

/* ---- size and channels ------------------------------------------------------------------------------------------- */
static int channels_of(const nacre_data_field *field) { return field->rank == 3 ? (int)field->extents[2] : 1; }

int nacre_picture_check(const char *path, const nacre_image *image, bool resize, const nacre_data_field *field) {
  int channels = channels_of(field);
  if ((field->rank != 2 && field->rank != 3) || (channels != 1 && channels != 3 && channels != 4) ||
      field->type == NACRE_BOOL || field->type == NACRE_I8)
    return nacre_fail(NACRE_ERROR_ARGUMENT,
                      "a picture is u8[height, width] or u8[height, width, 1, 3 or 4], which `%s` is not", field->name);
  if (image->height < 1 || image->width < 1)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s has no pixels", path);
  if (!resize && (image->height != field->extents[0] || image->width != field->extents[1]))
    return nacre_fail(
        NACRE_ERROR_FORMAT,
        "%s is %lld high and %lld wide, `%s` is %lld by %lld: scale the pictures, or write `resize = true`", path,
        (long long)image->height, (long long)image->width, field->name, (long long)field->extents[0],
        (long long)field->extents[1]);
  return NACRE_OK;
}

/* Sample as 0 .. 255. */
static float sample(const nacre_image *image, int64_t pixel, int channel) {
  int64_t at = pixel * image->channels + channel;
  return image->depth == 16 ? (float)((const uint16_t *)image->samples)[at] / 257.0f
                            : (float)((const uint8_t *)image->samples)[at];
}

static void convert_pixel(const nacre_image *image, int64_t pixel, int wanted, float *out) {
  bool colour = image->channels >= 3, alpha = image->channels % 2 == 0;
  float a = alpha ? sample(image, pixel, image->channels - 1) / 255 : 1, rgb[3];
  for (int c = 0; c < 3; ++c) {
    rgb[c] = sample(image, pixel, colour ? c : 0);
    if (wanted != 4 && alpha)
      rgb[c] = rgb[c] * a + 255 * (1 - a);
  }
  if (wanted == 1) {
    out[0] = colour ? 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2] : rgb[0];
    return;
  }
  memcpy(out, rgb, sizeof rgb);
  if (wanted == 4)
    out[3] = 255 * a;
}

/* One axis scaled from `from` to `to` samples with a triangle as wide as the larger of the two spacings (so that
   nothing aliases when it shrinks); samples are `stride` apart and `lines` are `pitch` apart. */
static bool scale_axis(const float *in, int64_t from, int64_t in_stride, float *out, int64_t to, int64_t out_stride,
                       int64_t lines, int64_t in_pitch, int64_t out_pitch) {
  double ratio = (double)from / (double)to, width = ratio > 1 ? ratio : 1;
  double *weights = malloc((size_t)(2 * (int64_t)ceil(width) + 2) * sizeof *weights);
  if (!weights)
    return false;
  for (int64_t i = 0; i < to; ++i) {
    double centre = ((double)i + 0.5) * ratio - 0.5, sum = 0;
    int64_t begin = (int64_t)ceil(centre - width), end = (int64_t)floor(centre + width);
    begin = begin < 0 ? 0 : begin;
    end = end > from - 1 ? from - 1 : end;
    for (int64_t k = begin; k <= end; ++k)
      sum += weights[k - begin] = 1 - fabs((double)k - centre) / width;
    for (int64_t line = 0; line < lines; ++line) {
      double total = 0;
      for (int64_t k = begin; k <= end; ++k)
        total += weights[k - begin] * in[line * in_pitch + k * in_stride];
      out[line * out_pitch + i * out_stride] = (float)(total / sum);
    }
  }
  free(weights);
  return true;
}

/* [height, width, c] to [to_height, to_width, c]; frees `in`. */
static float *scale(float *in, int64_t height, int64_t width, int c, int64_t to_height, int64_t to_width) {
  float *narrow = malloc((size_t)height * (size_t)to_width * (size_t)c * sizeof *narrow + 1);
  float *out = malloc((size_t)to_height * (size_t)to_width * (size_t)c * sizeof *out + 1);
  bool done = narrow && out;
  for (int k = 0; done && k < c; ++k)
    done = scale_axis(in + k, width, c, narrow + k, to_width, c, height, width * c, to_width * c);
  if (done)
    done = scale_axis(narrow, height, to_width * c, out, to_height, to_width * c, to_width * c, 1, 1);
  free(in);
  free(narrow);
  if (done)
    return out;
  free(out);
  return NULL;
}

int nacre_picture_fit(const char *path, const nacre_image *image, bool resize, const nacre_data_field *field,
                      void *out) {
  int status = nacre_picture_check(path, image, resize, field), c = channels_of(field);
  if (status != NACRE_OK)
    return status;
  int64_t pixels = image->height * image->width, height = field->extents[0], width = field->extents[1];
  float *values = malloc((size_t)pixels * (size_t)c * sizeof *values);
  for (int64_t i = 0; values && i < pixels; ++i)
    convert_pixel(image, i, c, values + i * c);
  if (values && (image->height != height || image->width != width))
    values = scale(values, image->height, image->width, c, height, width);
  if (!values)
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  unsigned char *at = out;
  for (int64_t i = 0; i < height * width * c; ++i, at += nacre_type_bytes(field->type))
    nacre_store_number(field->type, nacre_type_is_real(field->type) ? values[i] / 255 : floor((double)values[i] + 0.5),
                       at);
  free(values);
  return NACRE_OK;
}
