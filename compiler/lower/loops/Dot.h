// Sums of products of narrow factors, and the instructions that take such factors in groups.
#ifndef NACRE_LOWER_LOOPS_DOT_H
#define NACRE_LOWER_LOOPS_DOT_H

#include "Kernel.h"

namespace nacre::loops {

enum class Factor { Rounded, Signed, Unsigned };

struct DotForm {
  llvm::StringRef name, feature;
  Factor left, right;
  int64_t group; // factors that lie side by side
  bool tiles;
  llvm::StringRef intrinsic;

  /// Reduced elements that one instruction takes: the reduced axis is padded to a multiple.
  int64_t depth() const { return tiles ? 16 * group : group; }
  int64_t factorBytes() const { return 4 / group; }
};
inline constexpr int64_t dotLanes = 16; // results of one vector, and columns of a panel

llvm::ArrayRef<DotForm> dotForms();
/// The forms of a list such as "amx-bf16+avx512bf16".
llvm::SmallVector<const DotForm *> dotFormsOf(llvm::StringRef names);

/// out + a * b over two inputs of the op, each converted as it is read.
struct DotBody {
  mlir::OpOperand *first, *second;
  Factor firstKind, secondKind;
};
/// `narrow` decides whether a factor that the body reads as f32 is a number of bf16 all the same.
std::optional<DotBody> dotBodyOf(mlir::linalg::LinalgOp op, llvm::function_ref<bool(mlir::OpOperand *)> narrow = {});

/// On buffers: a kernel whose right factor lies in panels of groups.
struct Dot {
  const DotForm *form;
  mlir::OpOperand *left, *right;
  unsigned lane, deep; // the columns, and the reduced dim that groups are made of
};
/// An elementwise kernel that writes panels of groups: which dims become the columns and the groups.
struct PanelCopy {
  unsigned lane, deep;
  int64_t group;
  bool alongDeep; // the operands are contiguous along the groups, otherwise along the columns
};
std::optional<PanelCopy> panelCopyOf(const Kernel &kernel);

std::optional<Dot> dotOf(const Kernel &kernel, llvm::ArrayRef<const DotForm *> forms);

} // namespace nacre::loops
#endif
