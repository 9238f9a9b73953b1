"""Runs a program with one mistake at a time and compares exit code and message: program_errors.py PROGRAM FOLDER."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import refusals

GOOD = ["predict", "image=image.npy", "--weights", "good.safetensors"]
CASES = [   # words, exit code, part of the message
    (["nothing"], 2, "fake has no entry `nothing`"),
    (["predict", "lookup"], 2, "`lookup` is neither a flag nor name=value"),
    (["image=image.npy"], 2, "which entry? fake has 3"),
    (GOOD + ["--flag"], 2, "unknown flag `--flag`"),
    (GOOD + ["--threads"], 2, "--threads needs a value"),
    (GOOD + ["--threads", "0"], 2, "a number from 1 to 256, not `0`"),
    (GOOD + ["--threads", "many"], 2, "not `many`"),
    (GOOD + ["--time", "-3"], 2, "a number of calls, not `-3`"),
    (GOOD + ["--seed", "1.5"], 2, "a whole number, not `1.5`"),
    (GOOD + ["--json=1"], 2, "--json takes no value"),
    (["predict"], 1, "fake.predict needs `image`, which is f32[n, 4]: pass image=FILE.npy"),
    (["predict", "picture=x.npy"], 1, "has no argument `picture`; it takes `image`"),
    (GOOD + ["image=image.npy"], 1, "`image` is given twice"),
    (["predict", "image="], 1, "no value after `=`"),
    (["predict", "image=absent.npy"], 1, "cannot open absent.npy: No such file"),
    (["predict", "image=."], 1, ". is a directory"),
    (["predict", "image=empty.npy"], 1, "no npy file"),
    (["predict", "image=good.safetensors"], 1, "no npy file"),
    (["predict", "image=cut.npy"], 1, "cut.npy is truncated: f32[2, 4] needs 32 bytes of data, the file has 27"),
    (["predict", "image=image_int.npy"], 1, "image_int.npy holds i64: reals and integers are not converted"),
    (["predict", "image=image_fortran.npy"], 1, "ascontiguousarray"),
    (["predict", "image=image_wide.npy"], 1, "input `image` is [2, 5]; needs [n, 4]"),
    (["predict", "image=image_flat.npy"], 1, "input `image` is [4]; needs [n, 4]"),
    (["predict", "image=image_65.npy"], 1, "n = 65, but `n <= 64` is needed"),
    (["predict", "image=image_3.npy"], 1, "`n % 5 != 3` does not hold (n = 3)"),
    (["predict", "image=image.npy"], 1, "needs a file of weights"),
    (["predict", "image=image.npy", "--weights", "absent"], 1, "cannot open absent"),
    (["predict", "image=image.npy", "--weights", "image.npy"], 1, "is no safetensors file"),
    (["predict", "image=image.npy", "--weights", "short.safetensors"], 1, "not in the file: `fc.bias` f32[3]"),
    (["predict", "image=image.npy", "--weights", "wide.safetensors"], 1, "weight `fc.weight` is f32[3, 4] in model `net`, F32[3, 5]"),
    (GOOD + ["--out", "absent/deep"], 1, "cannot make the directory absent/deep"),
    (GOOD + ["--out", "image.npy"], 1, "cannot write image.npy/label.npy"),
    (["lookup", "table=[1,2]", "ids=[0,2]", "scale=1"], 1, "element 1 of `ids` is 2; `table[ids[i]]` needs 0 .. 1"),
    (["lookup", "table=[1,2]", "ids=[0,-1]", "scale=1"], 1, "element 1 of `ids` is -1"),
    (["lookup", "table=[1,2]", "ids=[0,1.5]", "scale=1"], 1, "`ids` is i32[m]; `[0,1.5]`"),
    (["lookup", "table=[1,2]", "ids=[99999999999]", "scale=1"], 1, "outside that type"),
    (["lookup", "table=[1,2]", "ids=[99999999999999999999]", "scale=1"], 1, "no such number"),
    (["lookup", "table=[1,2", "ids=[0]", "scale=1"], 1, "does not end in `]`"),
    (["lookup", "table=[[1,2],[3]]", "ids=[0]", "scale=1"], 1, "rows of different lengths"),
    (["lookup", "table=[[1],2]", "ids=[0]", "scale=1"], 1, "different depths"),
    (["lookup", "table=" + "[" * 40 + "1" + "]" * 40, "ids=[0]", "scale=1"], 1, "nested too deeply"),
    (["lookup", "table=[]", "ids=[0]", "scale=1"], 1, "no such number"),
    (["lookup", "table=[1] x", "ids=[0]", "scale=1"], 1, "no list such as"),
    (["lookup", "table=[1]", "ids=[0]", "scale=one"], 1, "cannot open one"),
    (["lookup", "table=[1]", "ids=[0]", "scale=[1]"], 1, "input `scale` is [1]; needs a single number"),
    (["lookup", "table=1", "ids=[0]", "scale=1"], 1, "cannot open 1"),
    (["picture", "image=image_int.npy"], 1, "input `image` is [2, 4]; needs [h, w, 3]"),
    (["picture", "image=good.safetensors"], 1, "neither a png nor a npy file"),
    (["picture", "image=empty.npy"], 1, "neither a png nor a npy file"),
]

refusals.check(*sys.argv[1:3], CASES)
