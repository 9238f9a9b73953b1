// Classifies the images of a npy file (f32 [n, 8, 8, 1], 0 .. 16) in two threads that share one loaded model:
//   embed_cpp lenet.safetensors images.npy
#include "lenet.h"
#include "nacre.h"
#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

/// The model, its threads' workspaces and results as C++ objects.
class Reader {
public:
  explicit Reader(const char *weights) : net(lenet_load(weights), lenet_free) {
    if (!net)
      throw std::runtime_error(nacre_last_error());
  }

  std::vector<int32_t> labels(const float *images, int64_t n) const {
    std::vector<char> workspace(lenet_predict_workspace(n));
    std::vector<int32_t> label(n);
    std::vector<float> probability(10 * n);
    if (workspace.empty() ||
        lenet_predict(net.get(), n, images, label.data(), probability.data(), workspace.data()) != 0)
      throw std::runtime_error(nacre_last_error());
    return label;
  }

private:
  std::unique_ptr<lenet_net, decltype(&lenet_free)> net;
};

int run(const char *weights, const char *path) {
  nacre_tensor images;
  if (nacre_npy_read(path, &images) != 0)
    throw std::runtime_error(nacre_last_error());
  if (images.type != NACRE_F32 || images.rank != 4 || images.extents[0] < 2)
    throw std::runtime_error("the images must be f32 [n, 8, 8, 1] with n >= 2");
  const float *pixels = static_cast<const float *>(images.data);
  int64_t n = images.extents[0], half = n / 2;
  Reader reader(weights);
  std::vector<int32_t> first, second;
  std::thread other([&] { second = reader.labels(pixels + half * 64, n - half); });
  first = reader.labels(pixels, half);
  other.join();
  first.insert(first.end(), second.begin(), second.end());
  for (int32_t label : first)
    std::printf("%d ", label);
  std::printf("\n");
  nacre_tensor_release(&images);
  return 0;
}

} // namespace

int main(int argc, char **argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: embed_cpp WEIGHTS.safetensors IMAGES.npy\n");
    return 2;
  }
  return run(argv[1], argv[2]);
} catch (const std::exception &problem) {
  std::fprintf(stderr, "embed_cpp: %s\n", problem.what());
  return 1;
}
