# SPDX-License-Identifier: MIT
"""Reads the public headers as text: the functions, callbacks and constants they declare, and the rules they keep.

Usage: headers.py functions|constants|check <folder of the headers>
    functions   one line a function: its name and the version of its @since
    constants   one line a constant: its name
    check       tells what breaks a rule of the interface, and fails then
"""
import pathlib
import re
import sys

# What may cross the interface: types of one size and layout everywhere, which any language's foreign function
# interface knows.
VALUES = {"int32_t", "int64_t", "uint64_t", "float", "double", "ebm_status"}
BEHIND_POINTERS = {"void", "char", "uint8_t"}
MEMORY_SIZES = {"ebm_alloc_fn": {"size_t"}}  # the host's malloc counts as malloc does
NOWHERE = r"(?:struct|union)(?:\s+\w+)?\s*\{|\benum\s+\w+|\bbool\b|\.\.\.|\blong\b|\bva_list\b"
INCLUDES = {"stddef.h", "stdint.h"}
# A function that is handed over for the model to call with its own user_data is not a setting: nobody else may call it.
WITHOUT_GETTER = {"ebm_model_set_init", "ebm_model_set_release"}


class Function:
    """A function or a callback type: name, result, parameters as (type, name), and the comment right before it."""

    def __init__(self, name, result, parameters, comment):
        self.name, self.comment = name, comment
        self.result = spaced(result)
        self.parameters = []
        for text in [] if parameters.strip() == "void" else parameters.split(","):
            match = re.fullmatch(r"(.*?[\s*])(\w+)", text.strip(), re.S)
            self.parameters.append((spaced(match[1]), match[2]) if match else (spaced(text), ""))

    def since(self):
        found = re.findall(r"@since (\d+\.\d+)", self.comment or "")
        return found[0] if len(found) == 1 else None


def spaced(text):
    return re.sub(r"\s*\*\s*", " * ", " ".join(text.split())).strip().replace("*  *", "* *")


class Headers:
    def __init__(self, folder):
        self.texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(pathlib.Path(folder).glob("*.h"))}
        text = "\n".join(self.texts.values())
        comment = r"(?:/\*\*((?:(?!\*/).)*)\*/\n)?"
        self.functions = [Function(m[3], m[2], m[4], m[1]) for m in re.finditer(
            comment + r"EBM_API\s+([^;()]*?)(\w+)\(([^;()]*)\);", text, re.S)]
        self.callbacks = [Function(m[3], m[2], m[4], m[1]) for m in re.finditer(
            comment + r"typedef\s+([^;()]*?)\(\*(\w+)\)\(([^;()]*)\);", text, re.S)]
        self.code = {name: re.sub(r"/\*.*?\*/", " ", body, flags=re.S) for name, body in self.texts.items()}
        code = "\n".join(self.code.values())
        self.handles = set(re.findall(r"typedef struct (\w+) \1;", code))
        enums = " ".join(re.findall(r"enum \{([^}]*)\}", code))
        rows = re.findall(r"^\s*X\((\w+), -?\d+, \"", text, re.M)
        macros = re.findall(r"^#define (EBM_\w+) [(\d]", code, re.M)
        self.constants = rows + re.findall(r"(EBM_\w+) = ", enums) + [m for m in macros if "VERSION" not in m]


def check_types(headers, function, complain):
    callbacks = {callback.name for callback in headers.callbacks}
    memory = MEMORY_SIZES.get(function.name, set())
    for text in [function.result] + [kind for kind, _ in function.parameters]:
        words = [word for word in re.findall(r"[\w.]+", text) if word != "const"]
        base = words[0] if len(words) == 1 else None
        pointer = "*" in text
        if text == "void" and text == function.result or base in VALUES | callbacks | memory:
            continue
        if not (pointer and base in BEHIND_POINTERS | headers.handles):
            complain(f"{function.name}: `{text}` may not stand in the interface")


def check_comment(function, complain):
    if function.comment is None:
        return complain(f"{function.name}: no /** comment */ right before it")
    if function.since() is None:
        complain(f"{function.name}: its comment needs one @since <major>.<minor>")
    names = {name for _, name in function.parameters}
    for listed in re.findall(r"@param ([\w,]+)", function.comment):
        for name in set(listed.split(",")) - names:
            complain(f"{function.name}: @param {name} is no parameter")


def check_getters(headers, complain):
    """A getter exists, and takes the setter's arguments: as pointers, or as they are where they are sizes and names."""
    functions = {function.name: function for function in headers.functions}
    for name, setter in functions.items():
        if "_set_" not in name or name in WITHOUT_GETTER:
            continue
        getter = functions.get(name.replace("_set_", "_get_", 1))
        if getter is None:
            complain(f"{name}: no getter")
        elif len(setter.parameters) != len(getter.parameters) or not all(
                theirs in (spaced(ours + " *"), ours, ours.replace("const ", ""))
                for (ours, _), (theirs, _) in zip(setter.parameters[1:], getter.parameters[1:])):
            complain(f"{getter.name}: its arguments do not match those of {name}")
    for name in WITHOUT_GETTER - set(functions):
        complain(f"{name}: excused from having a getter, but not declared")


def check(headers):
    complaints = []
    complain = complaints.append
    umbrella = set(re.findall(r"#include <ebm/([\w.]+)>", headers.texts["ebm.h"]))
    if umbrella != set(headers.texts) - {"ebm.h"}:
        complain("ebm.h: does not include exactly the other headers")
    for name, code in headers.code.items():
        for include in re.findall(r"#\s*include\s*(.*)", code):
            path = include.strip("<>")
            if include != f"<{path}>" or not (path in INCLUDES or path.removeprefix("ebm/") in headers.texts):
                complain(f"{name}: #include {include} is not one of the public headers, <stddef.h> or <stdint.h>")
        for macro in re.findall(r"#\s*define\s+(\w+)", code):
            if not macro.startswith("EBM_"):
                complain(f"{name}: macro {macro} has no EBM_ prefix")
        for found in re.findall(NOWHERE, code):
            complain(f"{name}: `{found}` may not stand in a public header")
        for typedef in re.findall(r"typedef\b[^;(]*?(\w+);|typedef\b[^;(]*\(\*(\w+)\)", code):
            if not "".join(typedef).startswith("ebm_"):
                complain(f"{name}: type {''.join(typedef)} has no ebm_ prefix")
        declared = code.count("EBM_API ") - len(re.findall(r"define EBM_API ", code))
        understood = sum(f" {f.name}(" in code or f"*{f.name}(" in code for f in headers.functions)
        if declared != understood:
            complain(f"{name}: {declared} functions are declared, {understood} understood")
    for function in headers.functions:
        check_comment(function, complain)
    for callback in headers.callbacks:
        if callback.comment is None:
            complain(f"{callback.name}: no /** comment */ right before it")
    for function in headers.functions + headers.callbacks:
        check_types(headers, function, complain)
    check_getters(headers, complain)
    if len(headers.constants) != len(set(headers.constants)):
        complain("a constant is defined twice")
    return complaints


def main():
    headers = Headers(sys.argv[2])
    if sys.argv[1] == "functions":
        for function in headers.functions:
            print(function.name, function.since())
    elif sys.argv[1] == "constants":
        print("\n".join(headers.constants))
    else:
        complaints = check(headers)
        print("\n".join(complaints))
        print(f"{len(headers.functions)} functions, {len(headers.callbacks)} callbacks, "
              f"{len(headers.constants)} constants")
        sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
