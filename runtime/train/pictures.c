/* Small pictures as PNG inside the page. The data is stored, not compressed: that needs no library, and a report holds
   few of them. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
  unsigned char *data;
  size_t length, capacity;
} bytes;

static void put(bytes *out, const void *data, size_t count) { /* the capacity has been computed */
  if (count > out->capacity - out->length)
    return;
  memcpy(out->data + out->length, data, count);
  out->length += count;
}

static void put32(bytes *out, uint32_t value) {
  const unsigned char big[] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16), (unsigned char)(value >> 8),
                               (unsigned char)value};
  put(out, big, 4);
}

static uint32_t crc(const unsigned char *data, size_t count) {
  uint32_t sum = ~0u;
  for (size_t i = 0; i < count; ++i) {
    sum ^= data[i];
    for (int bit = 0; bit < 8; ++bit)
      sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
  }
  return ~sum;
}

static void put_chunk(bytes *out, const char *kind, const bytes *body) {
  put32(out, (uint32_t)body->length);
  size_t start = out->length;
  put(out, kind, 4);
  put(out, body->data, body->length);
  put32(out, crc(out->data + start, out->length - start));
}

/* A zlib stream of stored blocks, each of at most 65535 bytes. */
static void deflate_stored(bytes *out, const unsigned char *data, size_t count) {
  uint32_t a = 1, b = 0;
  put(out, "\x78\x01", 2);
  for (size_t at = 0; at < count || at == 0;) {
    size_t part = count - at < 65535 ? count - at : 65535;
    const unsigned char head[] = {at + part == count, (unsigned char)part, (unsigned char)(part >> 8),
                                  (unsigned char)~part, (unsigned char)(~part >> 8)};
    put(out, head, 5);
    put(out, data + at, part);
    at += part;
    if (part == 0)
      break;
  }
  for (size_t i = 0; i < count; ++i) {
    a = (a + data[i]) % 65521;
    b = (b + a) % 65521;
  }
  put32(out, b << 16 | a);
}

static void add_base64(nacre_text *text, const unsigned char *data, size_t count) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < count; i += 3) {
    uint32_t word =
        (uint32_t)data[i] << 16 | (i + 1 < count ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < count ? data[i + 2] : 0);
    char four[5] = {letters[word >> 18], letters[word >> 12 & 63], i + 1 < count ? letters[word >> 6 & 63] : '=',
                    i + 2 < count ? letters[word & 63] : '=', 0};
    nacre_text_add(text, "%s", four);
  }
}

/* Values 0..1 are grey levels as they stand; any other range is stretched onto them. */
static void find_range(const double *values, size_t count, double *low, double *high) {
  *low = 0;
  *high = 1;
  double least = INFINITY, most = -INFINITY;
  for (size_t i = 0; i < count; ++i)
    if (isfinite(values[i])) {
      least = values[i] < least ? values[i] : least;
      most = values[i] > most ? values[i] : most;
    }
  if (least < 0 || most > 1) {
    *low = least;
    *high = most > least ? most : least + 1;
  }
}

void nacre_picture_write(nacre_text *text, const double *values, int64_t height, int64_t width, int64_t channels) {
  size_t row = (size_t)(width * channels) + 1, raw = row * (size_t)height;
  size_t packed = raw + raw / 65535 * 5 + 64;
  unsigned char *rows = malloc(raw);
  bytes stream = {malloc(packed), 0, packed}, file = {malloc(packed + 256), 0, packed + 256};
  double low, high;
  find_range(values, (size_t)(height * width * channels), &low, &high);
  if (rows && stream.data && file.data) {
    unsigned char *at = rows;
    for (int64_t y = 0; y < height; ++y) {
      *at++ = 0; /* no filter */
      for (int64_t x = 0; x < width * channels; ++x) {
        double level = (*values++ - low) / (high - low);
        *at++ = (unsigned char)(level >= 1 ? 255 : level > 0 ? level * 255 + 0.5 : 0);
      }
    }
    deflate_stored(&stream, rows, raw);
    unsigned char header[13] = {0};
    bytes head = {header, 0, sizeof header};
    put32(&head, (uint32_t)width);
    put32(&head, (uint32_t)height);
    header[8] = 8;
    header[9] = channels == 1 ? 0 : channels == 3 ? 2 : 6;
    head.length = sizeof header;
    put(&file, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&file, "IHDR", &head);
    put_chunk(&file, "IDAT", &stream);
    head.length = 0;
    put_chunk(&file, "IEND", &head);
    nacre_text_add(text, "<img alt=\"\" src=\"data:image/png;base64,");
    add_base64(text, file.data, file.length);
    nacre_text_add(text, "\">");
  }
  free(rows);
  free(stream.data);
  free(file.data);
}
