/* JPEG through libjpeg(-turbo): grey or RGB, 8 bits. Sizes are bounded before anything is allocated; damaged data is an
   error, also where the library would paint over it. */
#include "internal.h"
#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_LIMIT = 32768 };
static const int64_t pixel_limit = (int64_t)1 << 26;

typedef struct state {
  struct jpeg_error_mgr errors; /* first: the library knows only this */
  jmp_buf failed;
  const char *name;
} state;

static void on_error(j_common_ptr jpeg) {
  state *s = (state *)jpeg->err;
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  nacre_fail(NACRE_ERROR_FORMAT, "%s: bad jpeg: %s", s->name, message);
  longjmp(s->failed, 1);
}

/* Warnings (level -1) mean data that is corrupt; other levels are chatter. */
static void on_message(j_common_ptr jpeg, int level) {
  if (level < 0)
    on_error(jpeg);
}

static void fail(struct jpeg_decompress_struct *jpeg, const char *why) {
  state *s = (state *)jpeg->err;
  nacre_fail(NACRE_ERROR_FORMAT, "%s: bad jpeg: %s", s->name, why);
  longjmp(s->failed, 1);
}

static int decode(struct jpeg_decompress_struct *jpeg, state *s, const void *data, size_t bytes, bool head_only,
                  nacre_image *image) {
  if (setjmp(s->failed))
    return NACRE_ERROR_FORMAT;
  jpeg_create_decompress(jpeg);
  jpeg->mem->max_memory_to_use = 512l << 20;
  jpeg_mem_src(jpeg, (const unsigned char *)data, (unsigned long)bytes);
  jpeg_read_header(jpeg, TRUE);
  if (jpeg->image_width > SIDE_LIMIT || jpeg->image_height > SIDE_LIMIT ||
      (int64_t)jpeg->image_width * (int64_t)jpeg->image_height > pixel_limit)
    fail(jpeg, "more than 67108864 pixels");
  if (jpeg->num_components != 1 && jpeg->num_components != 3)
    fail(jpeg, "neither grey nor colour (four channels are for printing): save it as RGB");
  jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  image->height = jpeg->image_height;
  image->width = jpeg->image_width;
  image->channels = jpeg->num_components;
  image->depth = 8;
  if (head_only)
    return NACRE_OK;
  jpeg->dct_method = JDCT_ISLOW; /* the same bits with and without vector units */
  jpeg_start_decompress(jpeg);
  size_t row = (size_t)image->width * (size_t)image->channels;
  image->samples = malloc((size_t)image->height * row);
  if (!image->samples)
    fail(jpeg, "out of memory");
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW line = (unsigned char *)image->samples + (size_t)jpeg->output_scanline * row;
    jpeg_read_scanlines(jpeg, &line, 1);
  }
  jpeg_finish_decompress(jpeg);
  return NACRE_OK;
}

int nacre_jpeg_decode(const void *data, size_t bytes, const char *name, bool head_only, nacre_image *image) {
  struct jpeg_decompress_struct jpeg;
  state s;
  memset(&jpeg, 0, sizeof jpeg);
  memset(image, 0, sizeof *image);
  jpeg.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_error;
  s.errors.emit_message = on_message;
  s.name = name;
  int status = decode(&jpeg, &s, data, bytes, head_only, image);
  jpeg_destroy_decompress(&jpeg);
  if (status != NACRE_OK) {
    free(image->samples);
    image->samples = NULL;
  }
  return status;
}
