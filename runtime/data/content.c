/* A whole file in memory. Gzip is recognised by its first bytes, whatever the file is called. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const size_t content_limit = (size_t)8 << 30; /* decompressed: a bomb ends here, not in the machine's memory */

static int bad_gzip(const char *path, const char *why) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s: bad gzip: %s", path, why);
}

/* Every member of the file, one after the other, as gunzip does. */
static int inflate_all(const char *path, z_stream *z, nacre_content *content, size_t *room) {
  size_t input = content->mapping.bytes, used = 0;
  unsigned char *out = content->owned;
  int status = Z_OK;
  for (;;) {
    if (content->bytes == *room) {
      size_t larger = *room * 2;
      unsigned char *grown = larger > content_limit ? NULL : realloc(out, larger);
      if (!grown)
        return larger > content_limit ? bad_gzip(path, "more than 8 GiB when decompressed")
                                      : nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
      content->owned = out = grown;
      *room = larger;
    }
    size_t piece_in = input - used < ((size_t)1 << 30) ? input - used : (size_t)1 << 30;
    size_t piece_out = *room - content->bytes < ((size_t)1 << 30) ? *room - content->bytes : (size_t)1 << 30;
    z->next_in = (unsigned char *)(uintptr_t)content->mapping.data + used;
    z->avail_in = (uInt)piece_in;
    z->next_out = out + content->bytes;
    z->avail_out = (uInt)piece_out;
    status = inflate(z, Z_NO_FLUSH);
    used += piece_in - z->avail_in;
    content->bytes += piece_out - z->avail_out;
    if (status == Z_STREAM_END) {
      if (used == input)
        return NACRE_OK;
      if (input - used < 2 || memcmp(content->mapping.data + used, "\x1f\x8b", 2) != 0)
        return bad_gzip(path, "bytes left over at the end");
      if (inflateReset(z) != Z_OK)
        return bad_gzip(path, "cannot continue");
      continue;
    }
    if (status == Z_BUF_ERROR && used == input && z->avail_out > 0)
      return bad_gzip(path, "truncated");
    if (status != Z_OK && status != Z_BUF_ERROR)
      return bad_gzip(path, z->msg ? z->msg : "damaged");
  }
}

int nacre_content_open(const char *path, nacre_content *content) {
  *content = (nacre_content){0};
  int status = nacre_map(path, &content->mapping);
  if (status != NACRE_OK)
    return status;
  if (content->mapping.bytes < 2 || memcmp(content->mapping.data, "\x1f\x8b", 2) != 0) {
    content->data = content->mapping.data;
    content->bytes = content->mapping.bytes;
    return NACRE_OK;
  }
  size_t room = content->mapping.bytes * 4 + 4096;
  content->owned = malloc(room);
  z_stream z = {0};
  if (!content->owned || inflateInit2(&z, 15 + 16) != Z_OK)
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  else {
    status = inflate_all(path, &z, content, &room);
    inflateEnd(&z);
  }
  nacre_unmap(&content->mapping);
  content->data = content->owned;
  if (status != NACRE_OK)
    nacre_content_close(content);
  return status;
}

void nacre_content_close(nacre_content *content) {
  nacre_unmap(&content->mapping);
  free(content->owned);
  *content = (nacre_content){0};
}
