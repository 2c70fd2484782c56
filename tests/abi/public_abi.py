# SPDX-License-Identifier: MIT
"""Reduces what abidw says about a library to its public interface: the exported functions and the types they reach.

No public header has a struct with fields (test_headers.sh), so every struct is reduced to its name: what is inside is
the library's own affair. Types are numbered anew in the order of their use. What is left depends on the interface,
not on the compiler, the machine or the names of the source files. Usage: public_abi.py < full.abi > public.abi
"""
import sys
import xml.etree.ElementTree as xml

TYPES = {"type-decl", "typedef-decl", "pointer-type-def", "qualified-type-def", "class-decl", "union-decl", "enum-decl",
         "function-type", "array-type-def", "reference-type-def"}


class Interface:
    def __init__(self, corpus):
        self.types = {element.get("id"): element for element in corpus.iter() if element.tag in TYPES}
        self.numbers, self.kept = {}, []

    def number(self, old):
        """The new number of a type; the type itself, and those that it is made of, are kept when first met."""
        if old not in self.numbers:
            self.numbers[old] = f"type-id-{len(self.numbers) + 1}"
            element = self.types[old]
            if element.tag in ("class-decl", "union-decl"):
                element = xml.Element(element.tag, {"name": element.get("name"), "is-struct": "yes",
                                                    "visibility": "default", "is-declaration-only": "yes"})
            self.kept.append(self.renumbered(element, id=self.numbers[old]))
        return self.numbers[old]

    def renumbered(self, element, **more):
        attributes = {name: self.number(value) if name == "type-id" else value
                      for name, value in element.items() if name != "id"}
        copy = xml.Element(element.tag, {**attributes, **more})
        copy.extend(self.renumbered(child) for child in element)
        return copy


def merge_structs(corpus):
    """A struct that several sources declare is one type: all its numbers become that of the first."""
    first, same = {}, {}
    for element in corpus.iter("class-decl"):
        same[element.get("id")] = first.setdefault(element.get("name"), element.get("id"))
    for _ in range(4):  # pointers to such structs, and pointers to those, become one type as well
        alike = {}
        for element in corpus.iter():
            if element.get("type-id") in same:
                element.set("type-id", same[element.get("type-id")])
            if element.tag in ("pointer-type-def", "qualified-type-def", "typedef-decl"):
                key = tuple(sorted((name, value) for name, value in element.items() if name != "id")) + (element.tag,)
                same[element.get("id")] = alike.setdefault(key, element.get("id"))


def main():
    corpus = xml.parse(sys.stdin).getroot()
    merge_structs(corpus)
    interface = Interface(corpus)
    exported = {symbol.get("name") for symbol in corpus.iter("elf-symbol")}
    functions = {function.get("name"): function for function in corpus.iter("function-decl")
                 if function.get("elf-symbol-id") and function.get("name") in exported}
    if exported != set(functions):
        sys.exit(f"no debug information for {' '.join(sorted(exported - set(functions)))}")
    written = [interface.renumbered(functions[name]) for name in sorted(functions)]

    unit = xml.Element("abi-instr", {"address-size": "64", "path": "ebm", "language": "LANG_C11"})
    unit.extend(interface.kept + written)
    root = xml.Element("abi-corpus", {name: corpus.get(name) for name in ("version", "soname")})
    root.extend([corpus.find("elf-function-symbols"), unit])
    xml.indent(root)
    print(xml.tostring(root, encoding="unicode"))


if __name__ == "__main__":
    main()
