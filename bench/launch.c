/* Runs a command; prints the milliseconds to its first line of output and to its end, its peak resident memory and how
   it ended, as JSON. A program of its own because a child's peak is never below that of the process which forked it. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int main(int count, char **words) {
  int ends[2], status = 0;
  if (count < 2 || pipe(ends))
    return 2;
  double start = milliseconds(), first = -1;
  pid_t child = fork();
  if (child < 0)
    return 2;
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(words[1], words + 1);
    _exit(127);
  }
  close(ends[1]);
  char text[4096];
  while (read(ends[0], text, sizeof text) > 0)
    if (first < 0)
      first = milliseconds() - start;
  struct rusage usage;
  wait4(child, &status, 0, &usage);
  double total = milliseconds() - start;
  printf("{\"first_ms\": %.3f, \"total_ms\": %.3f, \"mib\": %.1f, \"status\": %d}\n", first < 0 ? total : first, total,
         (double)usage.ru_maxrss / 1024, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
