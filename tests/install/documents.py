# SPDX-License-Identifier: MIT
"""Compiles and runs every fenced code block of Markdown documents, against an installed library.

For authors. A block is fenced by ``` and names its language: c, cpp, python, sh, cmake; text is for output and is left
alone. A block is a whole thing, which must run and succeed:

    c, cpp   a program, compiled without a warning and run
    python   a script; the library is found as libebm.so, and in the environment variable EBM_LIBRARY
    sh       run by `sh -e` where `pkg-config ebm` works, in a folder that holds what the top of the source tree holds,
             and host.c, host.cpp, host.py of examples/
    cmake    a CMakeLists.txt, or lines of one (then project() and add_executable() for host.c are added); then built

unless a comment stands right above it, which readers do not see:

    <!-- fragment -->          not whole. c, cpp: compiled as the body of a function or as declarations, with fragment.h
                               before it, which declares the usual variables. Others: only the syntax is checked.
    <!-- fragment: name -->    the same with tests/install/documents/<name> in place of fragment.h; python: run after it
    <!-- continues -->         run with the blocks of this language before it in the document, back to a whole one
    <!-- not run: reason -->   compiled but not run; sh, python: the syntax is checked; and the files named by sh
                               (sh x, cmake -S x, python3 x, cc x) must exist

Links to files of the source tree must lead somewhere. Code that is only indented is not looked at.

Usage: documents.py [--all-fail] <source folder> <prefix> <library folder> <C compiler> <C++ compiler> <document> ...
    --all-fail   every block must fail: for the test of this test
"""
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LANGUAGES = {"c", "cpp", "python", "sh", "cmake"}
NOT_CODE = {"text", "json", "math", ""}
BLOCK = re.compile(r"(?:^<!--[ ]*(?P<mark>[^\n]*?)[ ]*-->\n+)?"
                   r"^```(?P<language>[^\n`]*)\n(?P<code>.*?)^```[ ]*$", re.M | re.S)
NEVER_RUN = re.compile(r"\b(?:sudo|apt|apt-get|git clone|tests/run\.sh|quickstart\.sh)\b")
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
FRAGMENT_WARNINGS = WARNINGS + ["-Wno-unused"]


class Failure(Exception):
    pass


class Checker:
    def __init__(self, source, prefix, libraries, compiler, compiler_cpp):
        self.source, self.prefix = pathlib.Path(source), pathlib.Path(prefix)
        self.compilers = {"c": [compiler, "-std=c11"], "cpp": [compiler_cpp, "-std=c++17"]}
        self.environment = dict(
            os.environ, LD_LIBRARY_PATH=str(libraries), PKG_CONFIG_PATH=f"{libraries}/pkgconfig", CC=compiler,
            CXX=compiler_cpp, CMAKE_PREFIX_PATH=str(prefix), EBM_LIBRARY=f"{libraries}/libebm.so",
            OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", MPLBACKEND="Agg")
        self.include = self.output("pkg-config", "--cflags", "ebm").split()
        self.link = [*self.output("pkg-config", "--libs", "ebm").split(), "-lm"]

    def run(self, folder, *command, check=True):
        done = subprocess.run([str(part) for part in command], cwd=folder, env=self.environment, capture_output=True,
                              text=True, timeout=300, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def output(self, *command):
        return self.run(None, *command).stdout

    def folder(self, parent):
        """A folder to work in: what the top of the source tree holds (as links), and the examples' hosts."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=parent))
        for entry in self.source.iterdir():
            if not entry.name.startswith((".git", "build", "out")):
                (folder / entry.name).symlink_to(entry)
        for host in (self.source / "examples").glob("host.*"):
            shutil.copy(host, folder)
        return folder

    def prelude(self, name):
        path = self.source / "tests/install/documents" / name
        if not path.is_file():
            raise Failure(f"no {path}")
        return path.read_text(encoding="utf-8")

    # --- one way for each language: check(folder, code, kind, argument) -----------------------------------------------

    def compile(self, folder, language, code, warnings, link):
        path = folder / f"document.{language}"
        path.write_text(code, encoding="utf-8")
        last = [*self.link, "-o", folder / "document"] if link else ["-c", "-o", folder / "document.o"]
        return self.run(folder, *self.compilers[language], *warnings, *self.include, path, *last, check=False)

    def check_program(self, language, folder, code, kind, argument):
        if kind == "fragment":
            before = self.prelude(argument or "fragment.h")
            tries = [self.compile(folder, language, text, FRAGMENT_WARNINGS, link=False) for text in (
                f"{before}\nvoid fragment(void);\nvoid fragment(void) {{\n{code}}}\n", f"{before}\n{code}")]
            if all(done.returncode != 0 for done in tries):
                raise Failure("\n".join(f"{what}:\n{done.stderr}" for what, done in zip(
                    ("As the body of a function", "As declarations"), tries)))
            return
        if "main(" not in code:
            raise Failure("no main: mark the block as <!-- fragment -->")
        done = self.compile(folder, language, code, WARNINGS, link=True)
        if done.returncode != 0:
            raise Failure(done.stderr)
        if kind != "not run":
            self.run(folder, folder / "document")

    def check_python(self, folder, code, kind, argument):
        if argument and kind == "fragment":
            code = self.prelude(argument) + "\n" + code
        path = folder / "document.py"
        path.write_text(code, encoding="utf-8")
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise Failure(f"{error}") from error
        if kind == "whole" or argument and kind == "fragment":
            self.run(folder, sys.executable, path)

    def check_sh(self, folder, code, kind, _):
        path = folder / "document.sh"
        path.write_text(code, encoding="utf-8")
        self.run(folder, "sh", "-n", path)
        if kind == "whole":
            if refused := NEVER_RUN.search(code):
                raise Failure(f"`{refused[0]}` is not for a test to run: mark the block as <!-- not run: reason -->")
            self.run(folder, "sh", "-e", path)
            return
        for named in re.findall(r"\b(?:sh|bash|python3|cmake -S|cc|gcc|clang|\.)\s+([\w.][\w./-]*)", code):
            if not (folder / named).exists():
                raise Failure(f"no file {named}")

    def check_cmake(self, folder, code, kind, _):
        if kind != "whole":
            return
        target = re.search(r"target_link_libraries\(\s*(\w+)", code)
        lines = [code]
        if "add_executable(" not in code and target:
            lines.insert(0, f"add_executable({target[1]} host.c)\n")
        if "project(" not in code:
            lines.insert(0, "cmake_minimum_required(VERSION 3.21)\nproject(document LANGUAGES C)\n")
        (folder / "CMakeLists.txt").unlink()
        (folder / "CMakeLists.txt").write_text("".join(lines), encoding="utf-8")
        for added in re.findall(r"add_subdirectory\(\s*([\w./-]+)", code):
            (folder / added).parent.mkdir(parents=True, exist_ok=True)
            (folder / added).symlink_to(self.source)
        self.run(folder, "cmake", "-S", ".", "-B", "document-build", "-DCMAKE_BUILD_TYPE=Debug")
        self.run(folder, "cmake", "--build", "document-build")

    def check(self, parent, language, code, mark):
        kind, _, argument = (part.strip() for part in mark.partition(":"))
        if kind == "not run" and not argument:
            raise Failure("<!-- not run: --> needs a reason")
        folder = self.folder(parent)
        kind = "whole" if kind == "continues" else kind
        if language in self.compilers:
            self.check_program(language, folder, code, kind, argument)
        else:
            {"python": self.check_python, "sh": self.check_sh, "cmake": self.check_cmake}[language](
                folder, code, kind, argument)


def blocks(text):
    """Line, language, code to check, mark: of every code block, with those that it continues before it."""
    last = {}
    for found in BLOCK.finditer(text):
        language, mark = found["language"].strip(), found["mark"] or ""
        kind = mark.partition(":")[0].strip()
        if kind not in ("fragment", "continues", "not run"):
            kind = mark = ""
        code = found["code"]
        if kind == "continues":
            code = last.get(language, "") + code
        if kind in ("", "continues"):
            last[language] = code
        yield text.count("\n", 0, found.start("language")) + 1, language, code, mark or "whole"


def links(path, text):
    """Relative links that lead nowhere."""
    prose = BLOCK.sub("", text)
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)|<img[^>]* src=\"([^\"]+)\"", prose):
        target = "".join(target)
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists():
            yield target


def main():
    arguments = sys.argv[1:]
    all_fail = arguments[0] == "--all-fail"
    source, prefix, libraries, compiler, compiler_cpp, *documents = arguments[all_fail:]
    checker = Checker(source, prefix, libraries, compiler, compiler_cpp)
    wrong = checked = 0
    for path in map(pathlib.Path, documents):
        text = path.read_text(encoding="utf-8")
        if len(re.findall(r"^ *(?:```|~~~)", text, re.M)) != 2 * len(BLOCK.findall(text)):
            print(f"{path}: fences that do not match, are indented, or are made of ~~~")
            wrong += 1
        for target in [] if all_fail else links(path, text):
            print(f"{path}: the link to {target} leads nowhere")
            wrong += 1
        for line, language, code, mark in blocks(text):
            if language in NOT_CODE:
                continue
            failure = None
            with tempfile.TemporaryDirectory() as parent:
                try:
                    if language not in LANGUAGES:
                        raise Failure(f"unknown language {language}")
                    checker.check(parent, language, code, mark)
                except (Failure, subprocess.TimeoutExpired) as error:
                    failure = error
            checked += 1
            if (failure is None) == all_fail:
                print(f"{path}:{line}: {language} ({mark}): {failure or 'did not fail'}")
                wrong += 1
    print(f"{checked} blocks of {len(documents)} documents, {wrong} wrong")
    sys.exit(bool(wrong) or checked == 0)


if __name__ == "__main__":
    main()
