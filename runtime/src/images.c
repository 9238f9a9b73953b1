/* Pictures as tensors. Shapes [h, w], [h, w, c] and, with a leading 1, [1, h, w] and [1, h, w, c], where c is 1 (grey),
   3 (red green blue) or 4 (with alpha). Values are 0 .. 255 for u8 and 0 .. 1 for real types. Grey is spread over three
   channels, colour becomes 0.299 r + 0.587 g + 0.114 b, transparency is laid over white where no alpha is wanted. */
#include "program.h"
#include <stdlib.h>
#include <string.h>

/* Which axes hold height, width and (or -1) channels. */
typedef struct layout {
  int height, width, channels;
} layout;

static bool layout_of(int rank, int64_t last_extent, layout *out) {
  bool channels = rank == 4 || (rank == 3 && (last_extent == 1 || last_extent == 3 || last_extent == 4));
  if (rank < 2 || rank > 4)
    return false;
  *out = channels ? (layout){rank - 3, rank - 2, rank - 1} : (layout){rank - 2, rank - 1, -1};
  return true;
}

/* Does a dimension of the entry stand alone at this place? */
static bool is_dim(const nacre_entry_info *entry, int32_t argument, int axis) {
  for (int32_t i = 0; i < entry->dim_count; ++i)
    if (entry->dims[i].argument == argument && entry->dims[i].axis == axis)
      return true;
  return false;
}

/* The last extent of an argument, or 0 when only the call decides it. */
static int64_t last_extent(const nacre_entry_info *entry, int32_t argument) {
  int rank = entry->arguments[argument].rank;
  int64_t extents[NACRE_MAX_EXTENTS], dims[NACRE_MAX_EXTENTS], *at = extents;
  if (is_dim(entry, argument, rank - 1) || entry->dim_count > NACRE_MAX_EXTENTS)
    return 0;
  for (int32_t i = 0; i < entry->dim_count; ++i)
    dims[i] = entry->dims[i].lower;
  entry->extents(dims, extents);
  for (int32_t i = 0; i < argument; ++i)
    at += entry->arguments[i].rank;
  return at[rank - 1];
}

/* Sample as 0 .. 1. */
static double sample(const nacre_image *image, int64_t pixel, int channel) {
  int64_t at = pixel * image->channels + channel;
  return image->depth == 16 ? ((const uint16_t *)image->samples)[at] / 65535.0
                            : ((const uint8_t *)image->samples)[at] / 255.0;
}

/* The pixel with `wanted` channels. */
static void convert_pixel(const nacre_image *image, int64_t pixel, int wanted, double out[4]) {
  bool colour = image->channels >= 3, alpha = image->channels % 2 == 0;
  double a = alpha ? sample(image, pixel, image->channels - 1) : 1, rgb[3];
  for (int c = 0; c < 3; ++c) {
    rgb[c] = sample(image, pixel, colour ? c : 0);
    if (wanted != 4)
      rgb[c] = rgb[c] * a + (1 - a);
  }
  if (wanted >= 3) {
    memcpy(out, rgb, sizeof rgb);
    out[3] = a;
  } else {
    out[0] = colour ? 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] : rgb[0];
  }
}

int nacre_read_image(nacre_call *call, int32_t index, const char *path) {
  const nacre_entry_info *entry = call->entry;
  const nacre_field_info *field = &entry->arguments[index];
  nacre_type type = (nacre_type)field->type;
  layout axes;
  if (!&nacre_codec_png)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s was built without png", entry->module);
  int64_t last = field->rank ? last_extent(entry, index) : 0;
  if (!(nacre_type_is_real(type) || type == NACRE_U8) || !layout_of(field->rank, last, &axes) ||
      (axes.channels >= 0 && last != 1 && last != 3 && last != 4))
    return nacre_fail(NACRE_ERROR_UNSUPPORTED,
                      "%s.%s: `%s` is %s%s; a picture is u8 or real, [h, w] or [h, w, c] with c = 1, 3 "
                      "or 4, perhaps after a 1",
                      entry->module, entry->name, field->name, nacre_type_name(type), field->shape);
  nacre_image image;
  int status = nacre_codec_png.read(call->files[index].data, call->files[index].bytes, path, &image);
  if (status != NACRE_OK)
    return status;
  int wanted = axes.channels >= 0 ? (int)last : 1;
  nacre_tensor *tensor = &call->arguments[index];
  *tensor = (nacre_tensor){.type = type, .rank = field->rank};
  for (int axis = 0; axis < tensor->rank; ++axis)
    tensor->extents[axis] = axis == axes.height     ? image.height
                            : axis == axes.width    ? image.width
                            : axis == axes.channels ? wanted
                                                    : 1;
  int64_t pixels = image.height * image.width;
  tensor->bytes = (size_t)(pixels * wanted) * nacre_type_bytes(type);
  unsigned char *at = nacre_aligned_alloc(tensor->bytes);
  call->owned[index] = tensor->data = at;
  if (!at)
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  for (int64_t pixel = 0; at && pixel < pixels; ++pixel) {
    double values[4] = {0};
    convert_pixel(&image, pixel, wanted, values);
    for (int c = 0; c < wanted; ++c, at += nacre_type_bytes(type)) {
      size_t where;
      if (type == NACRE_U8)
        *at = (unsigned char)(values[c] * 255 + 0.5);
      else
        nacre_convert(NACRE_F64, &values[c], type, at, 1, &where);
    }
  }
  free(image.samples);
  return status;
}

int nacre_write_image(const char *path, const nacre_field_info *field, const nacre_tensor *tensor) {
  layout axes;
  if (!&nacre_codec_png)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s: built without png", path);
  int64_t last = tensor->rank ? tensor->extents[tensor->rank - 1] : 0;
  bool good = layout_of(tensor->rank, last, &axes) && (nacre_type_is_real(tensor->type) || tensor->type == NACRE_U8);
  int64_t channels = good && axes.channels >= 0 ? tensor->extents[axes.channels] : 1;
  for (int axis = 0; good && axis < axes.height; ++axis)
    good = tensor->extents[axis] == 1;
  char shape[NACRE_SHAPE_TEXT];
  if (!good || (channels != 1 && channels != 3 && channels != 4))
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s: result `%s` is %s%s, which is no picture", path, field->name,
                      nacre_type_name(tensor->type), nacre_shape_text(shape, tensor->rank, tensor->extents));
  int64_t count = tensor->extents[axes.height] * tensor->extents[axes.width] * channels;
  nacre_image image = {tensor->extents[axes.height], tensor->extents[axes.width], (int)channels, 8,
                       malloc((size_t)count + 1)};
  if (!image.samples)
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  uint8_t *samples = image.samples;
  for (int64_t i = 0; i < count; ++i) {
    double value = nacre_element_as_real(tensor->type, tensor->data, (size_t)i) * (tensor->type == NACRE_U8 ? 1 : 255);
    samples[i] = value >= 255 ? 255 : value > 0 ? (uint8_t)(value + 0.5) : 0;
  }
  nacre_output output;
  int status = nacre_output_open(&output, path);
  if (status == NACRE_OK) {
    status = nacre_codec_png.write(output.stream, path, &image);
    int closed = nacre_output_close(&output, status == NACRE_OK);
    status = status == NACRE_OK ? closed : status;
  }
  free(image.samples);
  return status;
}
