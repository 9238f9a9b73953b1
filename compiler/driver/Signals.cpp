#include "driver/Signals.h"
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nacre {
namespace {

constexpr size_t mostPrograms = 1024; // as many as `nacre sweep --jobs` takes
volatile sig_atomic_t running[mostPrograms], interrupted;

void onSignal(int number, siginfo_t *info, void *) {
  interrupted = number;
  if (info->si_code > 0) // from the terminal: the whole group has it
    return;
  for (size_t i = 0; i < mostPrograms; ++i)
    if (running[i])
      kill(running[i], number);
}

} // namespace

void passSignalsOn() {
  struct sigaction action = {};
  action.sa_sigaction = onSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool wasInterrupted() { return interrupted != 0; }

void forgetProgram(pid_t program) {
  for (size_t i = 0; i < mostPrograms; ++i)
    if (running[i] == program)
      running[i] = 0;
}

pid_t startProgram(const std::string &program, const std::vector<std::string> &words, const std::string &folder) {
  std::vector<char *> arguments{const_cast<char *>(program.c_str())};
  for (const std::string &word : words)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  size_t place = 0;
  while (place < mostPrograms && running[place])
    ++place;
  if (place == mostPrograms)
    return -1;
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    bool good = getppid() == parent;
    if (good && !folder.empty())
      good = chdir(folder.c_str()) == 0 && freopen("result.json", "w", stdout) && freopen("errors.txt", "w", stderr);
    if (good)
      execv(program.c_str(), arguments.data());
    _exit(127);
  }
  if (child > 0) {
    running[place] = child;
    if (interrupted) // it came while the program was not listed yet
      kill(child, static_cast<int>(interrupted));
  }
  return child;
}

int waitForProgram(pid_t program) {
  int status = 0;
  pid_t done;
  while ((done = waitpid(program, &status, 0)) < 0 && errno == EINTR)
    ;
  forgetProgram(program);
  if (done < 0)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace nacre
