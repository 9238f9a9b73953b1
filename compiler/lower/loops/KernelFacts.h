// What people are told about a kernel: its name, the lines it comes from, what it computes and moves, and why its
// neighbours are not part of it. For `nacre build --report`, `nacre profile` and the names of functions.
#ifndef NACRE_LOWER_LOOPS_KERNELFACTS_H
#define NACRE_LOWER_LOOPS_KERNELFACTS_H

#include "Report.h"
#include "Tile.h"
#include <map>
#include <string>

namespace nacre::loops {

/// A number that follows from sizes: a sum of products of extents of buffers.
class Amount {
public:
  struct Size {
    mlir::Value buffer;
    unsigned axis;
  };
  /// Adds `factor` times the sizes that are not known; those that are belong into `factor`.
  void add(int64_t factor, llvm::ArrayRef<Size> sizes);
  /// "2*n*8192 + 40*n"
  std::string text() const;
  /// As a value of type index.
  mlir::Value emit(mlir::OpBuilder &builder, mlir::Location loc) const;

private:
  struct Part {
    int64_t factor;
    llvm::SmallVector<Size> sizes;
  };
  llvm::SmallVector<Part> parts;
};

struct KernelFacts {
  ReportedKernel said;
  Amount operations, traffic;
  std::vector<std::string> gathers; // why its code may gather; kept if it does
  std::string identity;             // one per kernel of a module: digits_predict.3
};

/// The facts of a kernel that is about to be emitted; stores are for explainStores. `way`: how it is computed, where
/// that is by no tile of rows and vectors.
KernelFacts factsOf(const Kernel &kernel, const std::optional<Tile> &tile, unsigned number, llvm::StringRef way = "");

/// Of a kernel that is not made of linalg ops: an op of some kind and what its author adds to `operations`, `traffic`
/// and `said`. A KernelFrame around its emission does the rest.
KernelFacts factsOf(mlir::Operation *op, llvm::StringRef kind, unsigned number);

/// The kernel that an op belongs to.
struct Owner {
  std::string name;
  bool root; // the op is the one that the kernel is built around
};
using Kernels = std::map<mlir::Operation *, Owner>;

/// Says of all that the kernel writes for others: who reads it, and why that reader is a kernel of its own.
void explainStores(const Kernel &kernel, const Kernels &kernels, KernelFacts &facts);

/// On the nests that threads share: the kernel's name and identity, for names of functions and for the profile.
inline constexpr llvm::StringLiteral kernelAttribute = "nacre.kernel";
inline constexpr llvm::StringLiteral identityAttribute = "nacre.kernel_identity";
/// On the hook that opens a kernel: what the profile says about it.
inline constexpr llvm::StringLiteral recordAttribute = "nacre.kernel_record";

/// Stands around the emission of one kernel in place of `last`: names what is emitted, has it measured where the
/// program is built with --profile, and completes the report.
class KernelFrame {
public:
  KernelFrame(KernelFacts &facts, mlir::Operation *last, bool profile);
  ~KernelFrame();
  KernelFrame(const KernelFrame &) = delete;
  KernelFrame &operator=(const KernelFrame &) = delete;

private:
  KernelFacts &facts;
  bool profile;
  mlir::Operation *begin, *end;
};

/// The hooks by name, until ProfileKernels makes calls of the runtime of them.
inline constexpr llvm::StringLiteral kernelBegin = "nacre.kernel_begin", kernelEnd = "nacre.kernel_end",
                                     chunkBegin = "nacre.chunk_begin", chunkEnd = "nacre.chunk_end";

} // namespace nacre::loops
#endif
