// A grid is counted like the digits of a number, its last constant fastest. A random search draws each value by itself:
// from a list, or, where the list is two numbers that are not both whole, from the range between them, evenly in the
// logarithm when that spans a factor of ten.
#include "driver/Trials.h"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <set>

namespace nacre {
namespace {

constexpr size_t mostTrials = 10000;

bool isConstant(const Option &option) { return option.name != "sweep" && !option.name.starts_with("sweep."); }

size_t count(const Option &option) { return std::max(option.numbers.size(), option.texts.size()); }

/// The shortest text that reads back as the same number.
std::string spell(double number) {
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (std::stod(text) == number)
      break;
  }
  return text;
}

std::string spell(const Option &option, size_t choice) {
  return option.form == Option::Form::Texts ? option.texts[choice] : spell(option.numbers[choice]);
}

uint64_t bits(uint64_t &state) { // splitmix64
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool isRange(const Option &option) {
  return option.form == Option::Form::Numbers && option.numbers.size() == 2 && option.numbers[0] < option.numbers[1] &&
         !(option.numbers[0] == std::floor(option.numbers[0]) && option.numbers[1] == std::floor(option.numbers[1]));
}

std::string draw(const Option &option, uint64_t &state) {
  if (!isRange(option))
    return spell(option, bits(state) % count(option));
  double low = option.numbers[0], high = option.numbers[1], share = static_cast<double>(bits(state) >> 11) * 0x1p-53;
  double value =
      low > 0 && high >= 10 * low ? low * std::exp(share * std::log(high / low)) : low + share * (high - low);
  char text[40];
  snprintf(text, sizeof text, "%.4g", value); // short, and as good as any other value
  return text;
}

} // namespace

std::string Trial::text() const {
  std::string text;
  for (const auto &[name, value] : settings)
    text += (text.empty() ? "" : " ") + name + "=" + value;
  return text;
}

std::string makeTrials(const Train &train, unsigned asked, std::vector<Trial> &trials) {
  std::vector<const Option *> constants;
  bool random = false;
  uint64_t seed = 0;
  size_t draws = asked, combinations = 1;
  for (const Option &option : train.sweep) {
    if (option.name == "sweep")
      random = option.text == "random";
    else if (option.name == "sweep.seed")
      seed = static_cast<uint64_t>(static_cast<int64_t>(option.number));
    else if (option.name == "sweep.trials" && !asked)
      draws = static_cast<size_t>(option.number);
    else if (isConstant(option) && count(option) > 0)
      constants.push_back(&option);
  }
  for (const Option *option : constants)
    combinations = std::min(mostTrials + 1, combinations * count(*option));
  if (constants.empty() || (!random && combinations > mostTrials) || (random && (draws == 0 || draws > mostTrials)))
    return "train " + train.name + ": a sweep needs 1 to " + std::to_string(mostTrials) + " trials";
  if (!random && asked)
    combinations = std::min<size_t>(combinations, asked);
  std::set<std::string> seen;
  for (size_t number = 0; number < (random ? draws : combinations); ++number) {
    Trial trial;
    size_t rest = number;
    for (size_t i = constants.size(); i-- > 0; rest /= count(*constants[i]))
      trial.settings.insert(
          trial.settings.begin(),
          {constants[i]->name, random ? draw(*constants[i], seed) : spell(*constants[i], rest % count(*constants[i]))});
    if (seen.insert(trial.text()).second) // a random search may draw one twice
      trials.push_back(std::move(trial));
  }
  return "";
}

} // namespace nacre
