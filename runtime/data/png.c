/* The png codec of the runtime once more under a name of this library, so that the linker takes it along: internal.h
   declares the codec weak, and weak references pull nothing out of an archive. */
#define nacre_codec_png nacre_data_codec_png
#include "../src/png.c"
#include "internal.h"

const nacre_codec *nacre_png_reader(void) { return &nacre_codec_png; }
