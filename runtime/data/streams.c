/* libpng and libjpeg come as archives made for programs: in a shared library their direct use of libc's `stderr` cannot
   be linked. The build renames it to this variable. Nothing is printed there, since both are given error functions. */
#include <stdio.h>

extern FILE *nacre_data_stderr;
FILE *nacre_data_stderr;

__attribute__((constructor)) static void set_stream(void) { nacre_data_stderr = stderr; }
