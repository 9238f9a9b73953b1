// The names that the language itself gives a meaning; everything else is library source.
#pragma once
#include <string>
#include <vector>

namespace nacre {

bool isBuiltin(const std::string &);
bool isReducer(const std::string &);        // sum prod mean max min logsumexp argmax argmin any all
bool isScalarFunction(const std::string &); // exp sqrt abs ...: one operand, elementwise
std::vector<std::string> builtinNames();

} // namespace nacre
