// Programs that run on behalf of this command and decide themselves what an interruption means.
#pragma once
#include <string>
#include <sys/types.h>
#include <vector>

namespace nacre {

/// From now on INT and TERM do not end this process. What a terminal sends, the programs that it started get as well;
/// what was sent to this process alone is passed on to them.
void passSignalsOn();
/// Whether one of them has come.
bool wasInterrupted();
/// A program started by `startProgram` has ended.
void forgetProgram(pid_t);
/// Starts a program; -1 if that fails. When this process is killed the program gets TERM, and may save. `folder`, if
/// not empty, is where it runs, with its output in `result.json` and its errors in `errors.txt` there.
pid_t startProgram(const std::string &program, const std::vector<std::string> &words, const std::string &folder = "");
/// Waits for its end: the exit code, 128 + the signal that ended it, or -1.
int waitForProgram(pid_t);

} // namespace nacre
