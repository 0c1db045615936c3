"""The hand-kept stub names the functions of the compiled core and their arguments."""

import ast
import re
from pathlib import Path

import bayesgmm.core
from bayesgmm.core import native

STUB = ast.parse((Path(bayesgmm.core.__file__).parent / "_baseline.pyi").read_text("utf-8"))


def compiled(function):
    signature = function.__nb_signature__[0][0]
    return re.findall(r"(?:\(|, )(\w+): ", signature)


def test_the_stub_is_that_of_the_core():
    stub = {
        each.name: [argument.arg for argument in each.args.args]
        for each in STUB.body
        if isinstance(each, ast.FunctionDef)
    }
    core = {name: compiled(each) for name, each in vars(native).items() if callable(each)}
    assert stub == {name: each for name, each in core.items() if not name.startswith("_")}
