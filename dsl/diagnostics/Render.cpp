#include "diagnostics/Diagnostic.h"
namespace nacre {
std::string render(const Diagnostics &, DiagnosticFormat, bool) { return {}; }
} // namespace nacre
