/* Files: mapped for reading, written beside their destination and then renamed. */
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int nacre_map(const char *path, nacre_mapping *mapping) {
  *mapping = (nacre_mapping){(const unsigned char *)"", 0};
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return nacre_fail(NACRE_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  struct stat status;
  if (fstat(file, &status) != 0) {
    int reason = errno;
    close(file);
    return nacre_fail(NACRE_ERROR_FILE, "cannot examine %s: %s", path, strerror(reason));
  }
  if (!S_ISREG(status.st_mode)) {
    close(file);
    return nacre_fail(NACRE_ERROR_FILE, "%s is %s, not a file", path,
                      S_ISDIR(status.st_mode) ? "a directory" : "a device");
  }
  if (status.st_size > 0) {
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
      int reason = errno;
      close(file);
      return nacre_fail(NACRE_ERROR_FILE, "cannot map %s: %s", path, strerror(reason));
    }
    mapping->data = data;
    mapping->bytes = (size_t)status.st_size;
  }
  close(file);
  return NACRE_OK;
}

void nacre_unmap(nacre_mapping *mapping) {
  if (mapping->bytes)
    munmap((void *)(uintptr_t)mapping->data, mapping->bytes);
  *mapping = (nacre_mapping){(const unsigned char *)"", 0};
}

int nacre_output_open(nacre_output *output, const char *path) {
  size_t length = strlen(path);
  *output = (nacre_output){NULL, malloc(length + 1), malloc(length + 16)};
  if (!output->path || !output->beside) {
    free(output->path);
    free(output->beside);
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  }
  memcpy(output->path, path, length + 1);
  memcpy(output->beside, path, length);
  memcpy(output->beside + length, ".XXXXXX", 8);
  int file = mkostemp(output->beside, O_CLOEXEC);
  if (file >= 0) {
    mode_t mask = umask(0); /* mkostemp makes private files; results are ordinary ones */
    umask(mask);
    fchmod(file, 0666 & ~mask);
    output->stream = fdopen(file, "wb");
  }
  if (!output->stream) {
    int reason = errno;
    if (file >= 0) {
      close(file);
      unlink(output->beside);
    }
    free(output->path);
    free(output->beside);
    return nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", path, strerror(reason));
  }
  return NACRE_OK;
}

int nacre_output_close(nacre_output *output, bool keep) {
  int status = NACRE_OK;
  bool broken = ferror(output->stream) != 0;
  broken |= fclose(output->stream) != 0;
  if (keep && !broken && rename(output->beside, output->path) != 0)
    broken = true;
  if (keep && broken)
    status = nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", output->path, strerror(errno));
  if (!keep || broken)
    unlink(output->beside);
  free(output->path);
  free(output->beside);
  return status;
}

/* Large blocks ask for pages of 2 MB: weights are read once per call, and with pages of 4 KB that read waits for
   address translation, and the processor's prefetching ends, every few lines. Where the system has none, nothing
   changes. */
void *nacre_aligned_alloc(size_t bytes) {
  const size_t huge = (size_t)2 << 20;
  if (bytes > SIZE_MAX - 64)
    return NULL;
  void *memory = NULL;
  size_t rounded = (bytes + 64) & ~(size_t)63;
  if (posix_memalign(&memory, bytes < 2 * huge ? 64 : huge, rounded) != 0)
    return NULL;
  if (bytes >= 2 * huge)
    madvise(memory, rounded / huge * huge, MADV_HUGEPAGE);
  return memory;
}
