#!/usr/bin/env python3
"""Takes a step away from the code that saves, one at a time, in a copy. A check of this directory must fail for each:
weaken.py [NAME]. With a NAME, what the check says is shown."""
import os, re, shutil, subprocess, sys

from runs import BUILD, ROOT, build

STORE = "src/core/store"
# (what is taken away, file, [(text, replacement)...], the checks that must fail, each)
WEAKNESSES = [
    ("the file is not flushed", f"{STORE}/disk.rs", [("again(|| self.file.sync_data())", "again(|| Ok(()))")], ["replay.py --every 6"]),
    ("the directory is not flushed", f"{STORE}/disk.rs", [("again(|| directory.sync_all())", "again(|| Ok::<(), io::Error>(drop(&directory)))")], ["replay.py --every 6"]),
    ("the file is not flushed once more where names need it", f"{STORE}/vault.rs", [("false => disk.flush(),", "false => Ok(()),")], ["power.py xfs --count 100"]),
    ("the name comes before the bytes", f"{STORE}/vault.rs",
     [("        write(&vault.pool, &disk, &self.layout, content)?;\n        disk::rename(&spare, file)?;", "        disk::rename(&spare, file)?;\n        write(&vault.pool, &disk, &self.layout, content)?;")],
     ["inject.py --every 1000 copy", "kill.py 200"]),
]


def main():
    select = " ".join(sys.argv[1:])
    os.chdir(ROOT)
    build()
    copy = "build/weakened/crash"
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    for part in ["Cargo.toml", "Cargo.lock", "build.rs"]:
        if os.path.exists(part):
            shutil.copy(part, copy)
    shutil.copytree("src", f"{copy}/src")
    seen = judged = 0
    for name, file, changes, checks in WEAKNESSES:
        if select not in name:
            continue
        original = open(file).read()
        weak = original
        for text, replacement in changes:
            if weak.count(text) != 1:
                sys.exit(f"{name}: {file} has {weak.count(text)} times: {text}")
            weak = weak.replace(text, replacement)
        with open(f"{copy}/{file}", "w") as out:
            out.write(weak)
        target = os.path.abspath("build/weakened/crash-target")
        said = subprocess.run(["cargo", "build", "--offline", "--target-dir", target], cwd=copy, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with open(f"{copy}/{file}", "w") as out:
            out.write(original)
        if said.returncode:
            sys.exit(f"{name}: it does not compile\n{said.stdout}")
        library = f"{target}/debug"
        if os.path.lexists(f"{library}/libpark.so.0"):
            os.remove(f"{library}/libpark.so.0")
        os.symlink("libpark.so", f"{library}/libpark.so.0")
        for check in checks:
            program, *arguments = check.split()
            command = [sys.executable, f"tests/crash/{program}"] if program.endswith(".py") else [f"build/tests/{program}.plain"]
            done = subprocess.run([*command, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env={**os.environ, "CRASH_LIBRARY": library, "LD_LIBRARY_PATH": library})
            # 77: it could not be run here.
            failed = done.returncode not in (0, 77) and ("not ok" in done.stdout or "Wrong" in done.stdout)
            judged, seen = judged + 1, seen + failed
            print("seen    " if failed else "NOT SEEN", f"{name}: {check}", flush=True)
            if select:
                print(done.stdout)
    print(f"{seen} of {judged} seen")
    sys.exit(seen < judged or not judged)


main()
