/* The codec of `@read(image = png())` and `@write(map = png())`, a library of its own that is linked only where a
   module names it. libpng does the work; sizes are bounded before anything is allocated. */
#include "internal.h"
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_LIMIT = 32768, CHUNK_LIMIT = 8 << 20 };
static const int64_t pixel_limit = (int64_t)1 << 26;

typedef struct state {
  jmp_buf failed;
  const char *name; /* of the file */
  const unsigned char *at, *end;
  bool writing;
} state;

static void on_error(png_structp png, png_const_charp message) {
  state *s = png_get_error_ptr(png);
  nacre_fail(s->writing ? NACRE_ERROR_FILE : NACRE_ERROR_FORMAT, "%s: %s: %s", s->name,
             s->writing ? "cannot write the picture" : "bad png", message);
  longjmp(s->failed, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep out, size_t count) {
  state *s = png_get_io_ptr(png);
  if (count > (size_t)(s->end - s->at))
    png_error(png, "truncated");
  memcpy(out, s->at, count);
  s->at += count;
}

/* Everything becomes 8 or 16 bits of grey, grey alpha, RGB or RGBA. */
static void set_transforms(png_structp png, png_infop info) {
  int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (colour == PNG_COLOR_TYPE_PALETTE)
    png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY && depth < 8)
    png_set_expand_gray_1_2_4_to_8(png);
  if (png_get_valid(png, info, PNG_INFO_tRNS))
    png_set_tRNS_to_alpha(png);
  const uint16_t one = 1;
  unsigned char first;
  memcpy(&first, &one, 1);
  if (depth == 16 && first)
    png_set_swap(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

/* `image` and `rows` are the caller's, so that it can free them after a jump out of here. */
static int decode(png_structp png, png_infop info, state *s, nacre_image *image, png_bytep **rows) {
  if (setjmp(s->failed))
    return 1;
  png_set_user_limits(png, SIDE_LIMIT, SIDE_LIMIT);
  png_set_chunk_malloc_max(png, CHUNK_LIMIT);
  png_set_read_fn(png, s, read_bytes);
  png_read_info(png, info);
  image->height = png_get_image_height(png, info);
  image->width = png_get_image_width(png, info);
  if (image->height * image->width > pixel_limit)
    png_error(png, "more than 67108864 pixels");
  set_transforms(png, info);
  image->channels = png_get_channels(png, info);
  image->depth = png_get_bit_depth(png, info);
  size_t row = (size_t)image->width * (size_t)image->channels * (size_t)(image->depth / 8);
  if ((image->depth != 8 && image->depth != 16) || image->channels < 1 || image->channels > 4 ||
      png_get_rowbytes(png, info) != row)
    png_error(png, "an unknown layout");
  image->samples = malloc((size_t)image->height * row);
  *rows = malloc((size_t)image->height * sizeof **rows);
  if (!image->samples || !*rows)
    png_error(png, "out of memory");
  for (int64_t i = 0; i < image->height; ++i)
    (*rows)[i] = (unsigned char *)image->samples + (size_t)i * row;
  png_read_image(png, *rows);
  png_read_end(png, NULL);
  return 0;
}

static int read_png(const void *data, size_t bytes, const char *name, nacre_image *image) {
  memset(image, 0, sizeof *image);
  if (bytes < 8 || png_sig_cmp(data, 0, 8) != 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is neither a png nor a npy file", name);
  state s = {.name = name, .at = data, .end = (const unsigned char *)data + bytes};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", name);
  }
  png_bytep *rows = NULL;
  int failed = decode(png, info, &s, image, &rows);
  free(rows);
  png_destroy_read_struct(&png, &info, NULL);
  if (!failed)
    return NACRE_OK;
  free(image->samples);
  image->samples = NULL;
  return NACRE_ERROR_FORMAT;
}

static int encode(png_structp png, png_infop info, state *s, FILE *stream, const nacre_image *image) {
  static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(s->failed))
    return 1;
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
  png_init_io(png, stream);
  png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, image->depth, colours[image->channels],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const unsigned char *at = image->samples;
  for (int64_t i = 0; i < image->height; ++i, at += image->width * image->channels)
    png_write_row(png, at);
  png_write_end(png, NULL);
  return 0;
}

static int write_png(FILE *stream, const char *name, const nacre_image *image) {
  if (image->depth != 8 || image->width < 1 || image->height < 1 || image->width > INT32_MAX ||
      image->height > INT32_MAX)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: no picture of this size or depth can be written", name);
  state s = {.name = name, .writing = true};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", name);
  }
  int failed = encode(png, info, &s, stream, image);
  png_destroy_write_struct(&png, &info);
  return failed ? NACRE_ERROR_FILE : NACRE_OK;
}

const nacre_codec nacre_codec_png = {"png", read_png, write_png};
