"""Functions whose derivatives belong to one class each, for differentiate.mlir: y by its subscripts, then l = sum(y * y).

A row: name, operands, extents of all indices, subscripts of each operand, result, reduction. Two operands are multiplied.
"""
ROWS = [
    ("linear", ["4x8", "3x8"], [4, 3, 8], ["d0,d2", "d1,d2"], "4x3", "sum"),
    ("batched", ["2x4x8", "2x8x5"], [2, 4, 5, 8], ["d0,d1,d3", "d0,d3,d2"], "2x4x5", "sum"),
    ("convolution", ["2x8x8x4", "6x4x3x3"], [2, 6, 6, 6, 3, 3, 4], ["d0,d1+d4,d2+d5,d6", "d3,d6,d4,d5"], "2x6x6x6", "sum"),
    ("strided", ["2x9x9x4", "6x4x3x3"], [2, 4, 4, 6, 3, 3, 4], ["d0,d1*2+d4,d2*2+d5,d6", "d3,d6,d4,d5"], "2x4x4x6", "sum"),
    ("grouped", ["2x8x4", "6x2x3"], [2, 6, 6, 3, 2], ["d0,d1+d3,(d2 floordiv 3)*2+d4", "d2,d4,d3"], "2x6x6", "sum"),
    ("patches", ["2x8x8x4", "6x4x4x4"], [2, 2, 2, 6, 4, 4, 4], ["d0,d1*4+d4,d2*4+d5,d6", "d3,d6,d4,d5"], "2x2x2x6", "sum"),
    ("pool", ["2x9x4"], [2, 4, 4, 3], ["d0,d1*2+d3,d2"], "2x4x4", "max"),
    ("disjoint", ["2x8x4"], [2, 4, 4, 2], ["d0,d1*2+d3,d2"], "2x4x4", "max"),
    ("upsample", ["4x3"], [8, 3], ["d0 floordiv 2,d1"], "8x3", ""),
    ("reverse", ["4x3"], [4, 3], ["3-d0,d1"], "4x3", ""),
]


def function(name, operands, extents, subscripts, result, reduction):
    types = [f"tensor<{shape}xf32>" for shape in operands]
    indices = [f"d{k}" for k in range(len(extents))]
    axes = indices[:result.count("x") + 1]
    reads = ", ".join(f"%t{k} : {type} at ({', '.join(indices)}) -> ({at})" for k, (type, at) in enumerate(zip(types, subscripts)))
    product = "    %p = nacre.mul %e0, %e1 : f32\n" if len(operands) == 2 else ""
    lines = [
        f"func.func @{name}({', '.join(f'%t{k}: {type}' for k, type in enumerate(types))}) -> ({', '.join(types)}) {{",
        f"  %y = nacre.equation {reduction} extents<() -> ({', '.join(map(str, extents))})> reads ({reads}) {{",
        f"  ^bb0({', '.join(f'%e{k}: f32' for k in range(len(operands)))}):",
        f"{product}    nacre.yield {'%p' if product else '%e0'} : f32",
        f"  }} : tensor<{result}xf32>",
        f"  %l = nacre.equation sum extents<() -> ({', '.join(map(str, extents[:len(axes)]))})>",
        f"      reads (%y : tensor<{result}xf32> at ({', '.join(axes)}) -> ({', '.join(axes)})) {{",
        "  ^bb0(%e: f32):",
        "    %q = nacre.mul %e, %e : f32",
        "    nacre.yield %q : f32",
        "  } : tensor<f32>",
        *(f"  %g{k} = nacre.gradient %l : tensor<f32> wrt %t{k} : {type}" for k, type in enumerate(types)),
        f"  return {', '.join(f'%g{k}' for k in range(len(types)))} : {', '.join(types)}",
        "}",
    ]
    return "\n".join(lines)


print("\n".join(function(*row) for row in ROWS))
