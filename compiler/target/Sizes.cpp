// Polynomials to LLVM code.
#include "target/Sizes.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace nacre {
namespace {

class SizeEmitter {
public:
  SizeEmitter(IRBuilder<> &builder, const std::vector<DimensionName> &dimensions, llvm::Value *dims)
      : b(builder), dimensions(dimensions), dims(dims) {}

  llvm::Value *emit(const Polynomial &size) {
    llvm::Value *sum = b.getInt64(0);
    for (const auto &[monomial, coefficient] : size.terms()) {
      llvm::Value *product = b.getInt64(coefficient);
      for (const Atom *atom : monomial) {
        llvm::Value *factor = emit(*atom);
        if (!factor)
          return nullptr;
        product = b.CreateMul(product, factor);
      }
      sum = b.CreateAdd(sum, product);
    }
    return sum;
  }

private:
  llvm::Value *emit(const Atom &atom) {
    if (atom.operands.size() != 2)
      return emitName(atom);
    llvm::Value *left = emit(atom.operands[0]), *right = emit(atom.operands[1]);
    if (!left || !right)
      return nullptr;
    switch (atom.kind) {
    case AtomKind::Quotient:
      return floorQuotient(left, right);
    case AtomKind::Minimum:
      return b.CreateSelect(b.CreateICmpSLT(left, right), left, right);
    case AtomKind::Maximum:
      return b.CreateSelect(b.CreateICmpSGT(left, right), left, right);
    case AtomKind::Power:
      return b.CreateCall(powerFunction(), {left, right});
    default:
      return nullptr;
    }
  }

  llvm::Value *emitName(const Atom &atom) {
    for (size_t i = 0; i < dimensions.size(); ++i)
      if (dimensions[i].atom == &atom)
        return b.CreateLoad(b.getInt64Ty(), b.CreateConstGEP1_64(b.getInt64Ty(), dims, i), dimensions[i].name);
    return nullptr;
  }

  // floor(a / b). The checker has proved b >= 1 for sizes within their bounds; others must not trap either.
  llvm::Value *floorQuotient(llvm::Value *left, llvm::Value *right) {
    llvm::Value *divisor = b.CreateSelect(b.CreateICmpSGT(right, b.getInt64(0)), right, b.getInt64(1));
    llvm::Value *quotient = b.CreateSDiv(left, divisor);
    llvm::Value *below = b.CreateICmpSLT(b.CreateSRem(left, divisor), b.getInt64(0));
    return b.CreateSub(quotient, b.CreateZExt(below, b.getInt64Ty()));
  }

  // base^exponent by repeated squaring; 1 for an exponent below 1.
  Function *powerFunction() {
    Module &module = *b.GetInsertBlock()->getModule();
    if (Function *known = module.getFunction("nacre.power"))
      return known;
    Type *i64 = b.getInt64Ty();
    auto *function = Function::Create(FunctionType::get(i64, {i64, i64}, false), GlobalValue::InternalLinkage,
                                      "nacre.power", module);
    auto *entry = BasicBlock::Create(module.getContext(), "entry", function);
    auto *head = BasicBlock::Create(module.getContext(), "head", function);
    auto *body = BasicBlock::Create(module.getContext(), "body", function);
    auto *exit = BasicBlock::Create(module.getContext(), "exit", function);
    IRBuilder<> p(entry);
    p.CreateBr(head);
    p.SetInsertPoint(head);
    PHINode *result = p.CreatePHI(i64, 2), *base = p.CreatePHI(i64, 2), *exponent = p.CreatePHI(i64, 2);
    p.CreateCondBr(p.CreateICmpSGT(exponent, p.getInt64(0)), body, exit);
    p.SetInsertPoint(body);
    llvm::Value *odd = p.CreateTrunc(exponent, p.getInt1Ty());
    llvm::Value *next = p.CreateSelect(odd, p.CreateMul(result, base), result);
    llvm::Value *square = p.CreateMul(base, base), *half = p.CreateLShr(exponent, 1);
    p.CreateBr(head);
    result->addIncoming(p.getInt64(1), entry);
    result->addIncoming(next, body);
    base->addIncoming(function->getArg(0), entry);
    base->addIncoming(square, body);
    exponent->addIncoming(function->getArg(1), entry);
    exponent->addIncoming(half, body);
    p.SetInsertPoint(exit);
    p.CreateRet(result);
    return function;
  }

  IRBuilder<> &b;
  const std::vector<DimensionName> &dimensions;
  llvm::Value *dims;
};

} // namespace

llvm::Value *emitSize(IRBuilder<> &builder, const Polynomial &size, const std::vector<DimensionName> &dimensions,
                      llvm::Value *dims) {
  return SizeEmitter(builder, dimensions, dims).emit(size);
}

} // namespace nacre
