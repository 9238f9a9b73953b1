/* Nacre runtime: the public interface.
 *
 * A compiled model is one object with a header of its own; this header adds what all models share. With
 *
 *     entry predict(image: f32[n, 784]) -> (label: i32[n], prob: f32[n, 10]) where n <= 1024 { ... }
 *
 * in digits.nacre, `nacre build digits.nacre -o digits --emit=static --emit=header` writes digits.a and digits.h, and
 *
 *     #include "digits.h"
 *
 *     digits_net *net = digits_net_load("digits.safetensors");      // or digits_load, while there is one model
 *     if (!net) { fprintf(stderr, "%s\n", nacre_last_error()); return 1; }
 *     void *work = malloc(digits_predict_workspace(n));             // once per thread and n
 *     int status = digits_predict(net, n, image, label, prob, work);
 *     if (status) fprintf(stderr, "%s: %s\n", nacre_error_text(status), nacre_last_error());
 *     free(work);
 *     digits_net_free(net);
 *
 * A loaded model is never written again: any number of threads may call with it at once, each with a workspace of its
 * own. Buffers are dense and row-major and belong to the caller; a call allocates nothing and keeps no pointer. Results
 * are the same bits for any number of threads. Nothing here ends the process or prints.
 */
#ifndef NACRE_H
#define NACRE_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NACRE_VERSION "0.1.0"

#if defined(__GNUC__)
#define NACRE_API __attribute__((visibility("default")))
#else
#define NACRE_API
#endif

/* ---- errors ------------------------------------------------------------------------------------------------------ */
/* What every function returns: 0, or why not. The sentence with names and numbers is nacre_last_error(). */
typedef enum nacre_status {
  NACRE_OK = 0,
  NACRE_ERROR_FILE = 1,        /* a file cannot be opened, read or written */
  NACRE_ERROR_FORMAT = 2,      /* a file is not what it claims to be */
  NACRE_ERROR_WEIGHTS = 3,     /* weights and model do not match */
  NACRE_ERROR_DIMENSION = 4,   /* a dimension is outside its bounds */
  NACRE_ERROR_CONDITION = 5,   /* a `where` clause is violated */
  NACRE_ERROR_SUBSCRIPT = 6,   /* an argument used as a subscript points outside its tensor */
  NACRE_ERROR_ARGUMENT = 7,    /* a null or unusable argument */
  NACRE_ERROR_MEMORY = 8,      /* not enough memory */
  NACRE_ERROR_VERSION = 9,     /* object and runtime were built for different versions */
  NACRE_ERROR_PROCESSOR = 10,  /* the code needs a processor feature that this machine lacks */
  NACRE_ERROR_UNSUPPORTED = 11 /* stated in the text */
} nacre_status;

/* A few words for a code: "file error". Never null. */
NACRE_API const char *nacre_error_text(int status);
/* The text of the last failure in this thread, or "". Valid until the next failure in this thread. */
NACRE_API const char *nacre_last_error(void);

/* "0.1.0", and the number that generated objects and this library must agree on. */
NACRE_API const char *nacre_version(void);
NACRE_API uint32_t nacre_abi(void);

/* ---- threads ----------------------------------------------------------------------------------------------------- */
/* How many threads a call may use, the caller included; workers start when first needed. The default is the
   environment variable NACRE_THREADS, else the number of processors this process may run on. n < 1 restores it. */
NACRE_API void nacre_set_threads(int n);
NACRE_API int nacre_threads(void);

/* ---- tensors in files -------------------------------------------------------------------------------------------- */
typedef enum nacre_type {
  NACRE_F64,
  NACRE_F32,
  NACRE_F16,
  NACRE_BF16,
  NACRE_I64,
  NACRE_I32,
  NACRE_I8,
  NACRE_U64,
  NACRE_U8,
  NACRE_BOOL
} nacre_type;

#define NACRE_MAX_RANK 16

/* Dense, row-major, outermost dimension first. */
typedef struct nacre_tensor {
  nacre_type type;
  int rank;
  int64_t extents[NACRE_MAX_RANK];
  void *data; /* 64-byte aligned when read by nacre_npy_read; nacre_tensor_release frees it */
  size_t bytes;
} nacre_tensor;

NACRE_API const char *nacre_type_name(nacre_type type); /* "f32" */
NACRE_API size_t nacre_type_bytes(nacre_type type);
NACRE_API void nacre_tensor_release(nacre_tensor *tensor);

/* NumPy files, versions 1 to 3, C order, this machine's byte order. Writing goes to a file beside `path` that is then
   renamed, so nobody ever sees half of it. bf16 has no NumPy type and is refused. */
NACRE_API int nacre_npy_read(const char *path, nacre_tensor *tensor);
NACRE_API int nacre_npy_write(const char *path, const nacre_tensor *tensor);

/* Safetensors files, mapped and not copied; every field of the header is validated before anything is used. */
typedef struct nacre_safetensors nacre_safetensors;
NACRE_API nacre_safetensors *nacre_safetensors_open(const char *path);
NACRE_API size_t nacre_safetensors_count(const nacre_safetensors *file);
/* Tensor number `index`; data points into the file, is read-only and lives until close. Null when out of range. */
NACRE_API const char *nacre_safetensors_tensor(const nacre_safetensors *file, size_t index, nacre_tensor *tensor);
NACRE_API void nacre_safetensors_close(nacre_safetensors *file);

#ifdef __cplusplus
}
#endif
#endif
