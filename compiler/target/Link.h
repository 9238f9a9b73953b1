// Object files to products: programs, shared libraries, archives. Everything is written beside its destination and then
// renamed, so a failure leaves no half of anything.
#pragma once
#include <string>
#include <vector>

namespace nacre {

struct LinkOptions {
  std::string runtime;             // folder of libnacre_rt.a, libnacre_main.a and the others
  std::vector<std::string> codecs; // "png": that entries name
  bool train = false;              // the module has train blocks: also libnacre_train.a and libnacre_data.a
  bool strip = false;
  std::vector<std::string> files; // of the user: objects and archives with the C functions that the module calls
  bool images = false;            // the module calls image kernels (`extern fn nacre_image_..`): also libnacre_images.a
};

/// All return an empty string, or what went wrong and what would help.
std::string linkProgram(const std::string &object, const std::string &output, const LinkOptions &);
std::string linkShared(const std::string &object, const std::string &output, const LinkOptions &);
std::string makeArchive(const std::string &object, const std::string &output, const LinkOptions &);

/// Writes a file beside `path` and renames it.
std::string writeFile(const std::string &path, std::string_view contents);
/// A path beside `path` that nothing uses yet, and the file's last step: onto its place, with ordinary permissions.
std::string besidePath(const std::string &path);
std::string moveInto(const std::string &beside, const std::string &path, bool executable);

} // namespace nacre
