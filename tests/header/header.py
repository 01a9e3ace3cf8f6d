"""include/park.h as data: what bindings' parsers make of it, and whether it keeps its own rules.

    header.py vocabulary | documented | numbers | exports | cffi | ctypesgen | swig | planted
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

from pycparser import c_ast, c_parser

HEADER = "include/park.h"
LIBRARY = os.path.abspath("target/release/libpark.so")
WORK = "build/header"


def preprocessed(path):
    """The header as a C compiler sees it; stdint.h reduced to what pycparser can read."""
    return subprocess.run(["cc", "-E", "-std=c99", "-D__attribute__(x)=", "-D__extension__=", path],
                          check=True, capture_output=True, text=True).stdout


def declarations(path):
    """The header's own top-level declarations."""
    tree = c_parser.CParser().parse(preprocessed(path), path)
    return [node for node in tree.ext if node.coord.file == path]


def functions(path=HEADER):
    return {node.name: node for node in declarations(path)
            if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl)}


# ---- rules ---------------------------------------------------------------------------------------

def vocabulary(path=HEADER):
    """int, int64_t, double, char *, void *, opaque pointers, flat structs, callbacks; nothing else."""
    wrong = []
    nodes = declarations(path)
    structs = {n.name for n in nodes if isinstance(n, c_ast.Typedef)
               and isinstance(n.type, c_ast.TypeDecl) and isinstance(n.type.type, c_ast.Struct)}
    callbacks = {n.name for n in nodes if isinstance(n, c_ast.Typedef) and isinstance(n.type, c_ast.PtrDecl)
                 and isinstance(n.type.type, c_ast.FuncDecl)}
    plain = {"void", "char", "int", "int64_t", "double"}

    def say(node, what):
        wrong.append(f"{node.coord}: {what}")

    class Walk(c_ast.NodeVisitor):
        def visit_Enum(self, node): say(node, "an enum")
        def visit_Union(self, node): say(node, "a union")
        def visit_EllipsisParam(self, node): say(node, "variable arguments")
        def visit_FuncDef(self, node): say(node, "a function body")

        def visit_IdentifierType(self, node):
            name = " ".join(node.names)
            if name not in plain | structs | callbacks:
                say(node, f"the type {name}")

        def visit_Decl(self, node):
            if node.bitsize is not None:
                say(node, "a bit-field")
            if node.funcspec:
                say(node, f"{node.funcspec[0]} function")
            self.generic_visit(node)

        def visit_FuncDecl(self, node):
            for value in [node.type] + [p.type for p in (node.args.params if node.args else [])
                                        if hasattr(p, "type")]:
                if isinstance(value, c_ast.TypeDecl):
                    kind = value.type
                    if isinstance(kind, c_ast.Struct) or (isinstance(kind, c_ast.IdentifierType)
                                                          and kind.names[0] in structs):
                        say(value, "a struct by value")
            if node.args is None:
                say(node, "() where (void) is meant")
            self.generic_visit(node)

        def visit_Struct(self, node):
            for field in node.decls or []:
                inner = field.type
                if isinstance(inner, c_ast.PtrDecl):
                    inner = inner.type
                if not isinstance(inner, (c_ast.TypeDecl, c_ast.FuncDecl)) or isinstance(
                        getattr(inner, "type", None), (c_ast.Struct, c_ast.Union)):
                    say(field, "a struct that is not flat")
            self.generic_visit(node)

    for node in nodes:
        Walk().visit(node)
        if getattr(node, "name", None) and not node.name.startswith("park_"):
            say(node, f"the name {node.name}")
    for macro in re.findall(r"^#define +(\w+)", open(path).read(), re.M):
        if not macro.startswith("PARK_"):
            wrong.append(f"{path}: the macro {macro}")
    if len(nodes) < 2 and path == HEADER:
        wrong.append("nothing was read")
    return wrong


# Calling these from another thread is an error that their text must tell of.
COMPUTATION_THREAD = """park_detach park_set_result park_fail park_ready park_progress park_improved
    park_restore park_checkpoint_due park_checkpoint_done park_checkpoint_now park_checkpoint_path park_map park_for""".split()


def documented(path=HEADER):
    """Every function and callback type says what it does, its thread, its statuses."""
    wrong = []
    lines = open(path).read().split("\n")

    def comment_above(number):
        row = number - 2
        while row >= 0 and not lines[row].strip().endswith("*/"):
            if lines[row].strip() == "" or lines[row].rstrip().endswith((";", "}", "{")) or lines[row].startswith("#"):
                return ""
            row -= 1
        end = row
        while row >= 0 and not lines[row].lstrip().startswith("/*"):
            row -= 1
        return re.sub(r"[\s*/]+", " ", " ".join(lines[row:end + 1]))

    for node in declarations(path):
        function = isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl)
        callback = isinstance(node, c_ast.Typedef) and isinstance(node.type, c_ast.PtrDecl)
        if not function and not callback:
            continue
        text = comment_above(node.coord.line)
        if len(text) < 20:
            wrong.append(f"{node.name}: no comment")
            continue
        if "thread" not in text.lower() and node.name != "park_destroy_fn":
            wrong.append(f"{node.name}: which thread?")
        if function and node.name in COMPUTATION_THREAD and "omputation thread" not in text:
            wrong.append(f"{node.name}: it is for the computation thread only")
        # What every function can return stands at the head of the header, once; more can only come of more arguments.
        arguments = node.type.args.params if function and node.type.args else []
        gives_status = function and isinstance(node.type.type, c_ast.TypeDecl) and node.type.type.type.names[0] in ("int", "int64_t")
        if gives_status and len(arguments) > 1 and "PARK_" not in text and "statuses" not in text.lower():
            wrong.append(f"{node.name}: which statuses does it return?")
    return wrong


def numbers():
    """No status number stands for two things."""
    wrong, seen = [], {}
    for name, value in re.findall(r"^#define +(PARK_\w+) +\(?(-\d+)\b(?!\.)", open(HEADER).read(), re.M):
        if value in seen:
            wrong.append(f"{name} and {seen[value]} are both {value}")
        seen[value] = name
    if len(seen) < 15:
        wrong.append(f"only {len(seen)} statuses found")
    return wrong


def exports():
    """The library exports what the header declares, no more and no less, all of it park_*."""
    said = set(functions())
    listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, capture_output=True, text=True).stdout
    there = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    return ([f"{name} is declared and not exported" for name in sorted(said - there)]
            + [f"{name} is exported and not declared" for name in sorted(there - said)])


# ---- parsers -------------------------------------------------------------------------------------

def stripped():
    """The header without what cffi's parser refuses: conditions, includes, and macros that are no integer."""
    kept, depth, skipping = [], 0, None
    for line in open(HEADER):
        if re.match(r"#\s*if", line):
            depth += 1
            if "__cplusplus" in line:
                skipping = depth
        elif re.match(r"#\s*endif", line):
            if skipping == depth:
                skipping = None
            depth -= 1
        elif skipping is None and (not line.startswith("#") or re.match(r"#define \w+ \(?-?\d+\)?\s*$", line)):
            kept.append(re.sub(r"^(#define \w+) \((-\d+)\)", r"\1 \2", line))
    return "".join(kept)


def cffi():
    import cffi
    ffi = cffi.FFI()
    ffi.cdef(stripped())
    park = ffi.dlopen(LIBRARY)
    wrong = [f"cffi does not see {name}" for name in functions() if not hasattr(park, name)]
    print("park_version() through cffi:", ffi.string(park.park_version()).decode())
    job = park.park_handler_new(b"cffi")
    if park.park_state(job) != park.PARK_STATE_IDLE or park.park_handler_free(job) != park.PARK_OK:
        wrong.append("a handler through cffi")
    return wrong


def ctypesgen():
    target = WORK + "/park_ctypes.py"
    # Octal escapes in its regular expressions make new Pythons warn; errors still fail.
    done = subprocess.run([os.path.dirname(sys.executable) + "/ctypesgen", "-l", LIBRARY, "-o", target, HEADER],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    if done.returncode or "Error" in done.stderr:
        return ["ctypesgen failed"]
    sys.path.insert(0, WORK)
    import park_ctypes
    print("park_version() through ctypesgen:", park_ctypes.park_version())
    return [f"ctypesgen does not see {name}" for name in functions() if not hasattr(park_ctypes, name)] + [
        f"ctypesgen does not see {name}" for name in re.findall(r"^#define +(PARK_\w+) +\S", open(HEADER).read(), re.M)
        if not hasattr(park_ctypes, name)]


def swig():
    target = WORK + "/park.xml"
    with open(WORK + "/park.i", "w") as interface:
        interface.write('%module park\n%include <stdint.i>\n%include "park.h"\n')
    done = subprocess.run(["swig", "-Wall", "-Werror", "-w451,454", "-xml", "-Iinclude", "-o", target, WORK + "/park.i"],
                          capture_output=True, text=True)
    print(done.stdout, done.stderr)
    if done.returncode:
        return ["swig failed"]
    tree = xml.etree.ElementTree.parse(target)
    seen = {a.get("value") for a in tree.iter("attribute") if a.get("name") in ("name", "sym_name")}
    return [f"swig does not see {name}" for name in functions() if name not in seen]


# ---- a test that cannot fail is worse than none --------------------------------------------------

PLANTED = {
    "an enum": "enum park_kind { PARK_A, PARK_B }; int park_f(enum park_kind kind);",
    "a union": "typedef union { int i; double d; } park_value; int park_f(park_value *value);",
    "a bool": "int park_f(_Bool on);",
    "a size_t": "typedef unsigned long size_t; int park_f(size_t n);",
    "an unsigned": "int park_f(unsigned n);",
    "a bit-field": "typedef struct { int a : 3; } park_bits; int park_f(park_bits *bits);",
    "an inline function": "static inline int park_f(void) { return 0; }",
    "variable arguments": "int park_f(const char *format, ...);",
    "a struct by value": "typedef struct { int a; } park_flat; int park_f(park_flat flat);",
    "a struct returned": "typedef struct { int a; } park_flat; park_flat park_f(void);",
    "a struct in a struct": "typedef struct { struct { int a; } b; } park_deep; int park_f(park_deep *deep);",
    "a foreign name": "int other_f(void);",
    "a foreign macro": "#define OTHER 1\nint park_f(void);",
    "empty parentheses": "int park_f();",
}


def planted():
    """Each rule must refuse what it is there to refuse."""
    wrong = []
    path = WORK + "/planted.h"
    for what, text in PLANTED.items():
        with open(path, "w") as file:
            file.write(text + "\n")
        found = vocabulary(path)
        print(what, "->", found)
        if not found:
            wrong.append(f"vocabulary lets {what} pass")
    for what, text in {
        "a function without a comment": "int park_f(void);",
        "a function without statuses": "/* Any thread. Does something useful. */\nint park_f(int a, int b);",
        "a callback without a thread": "/* Called with something; PARK_OK to go on. */\ntypedef int (*park_fn)(void *user);",
    }.items():
        with open(path, "w") as file:
            file.write(text + "\n")
        found = documented(path)
        print(what, "->", found)
        if not found:
            wrong.append(f"documented lets {what} pass")
    return wrong


if __name__ == "__main__":
    os.makedirs(WORK, exist_ok=True)
    mistakes = globals()[sys.argv[1]]()
    for mistake in mistakes:
        print(mistake)
    sys.exit(1 if mistakes else 0)
